"""Interface of a task: semantic segmentation (a class for each pixel) or instance segmentation (a mask per object).

Training, checkpoints, recipes and the object store do not depend on the task; they call the functions defined here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from mindspore import nn

    from segdata.records.manifest import Manifest
    from segdata.records.reader import RecordSet
    from segtrain.config.config import Config
    from segtrain.distributed.ranks import Ranks


class Scores(Protocol):
    """Result of an evaluation."""

    @property
    def metrics(self) -> dict[str, float]:
        """Scores that are tracked during training, 0 to 1, by name."""


#: Function that evaluates the network in training on this rank's share of a record set.
Evaluator = Callable[["RecordSet", "Ranks"], Scores]


class Batches(Protocol):
    """Function that yields batches, tuples of tensors."""

    def __call__(self, *, epoch: int, first_step: int, ranks: Ranks) -> Iterator[tuple[Any, ...]]:
        """Yield this rank's batches of one epoch, starting at step `first_step` of it; both count from 0."""


@dataclass(frozen=True)
class TrainingSet:
    """Part of a record set that a network learns from.

    Attributes:
        rows: number of rows to train on; all else in the set is left out.
        left_out: one sentence for each part of the set that the network will not see.
        batches: yields the batches of an epoch, made of these rows only.
    """

    rows: int
    left_out: tuple[str, ...]
    batches: Batches


class Task(Protocol):
    """Functions of a task; each of the sibling modules implements them.

    Attributes:
        SCORE: name of the metric that decides which checkpoint is the best.
        LOSSES: names of the parts of the loss, in the order in which the loss cell returns them.
        evaluate: takes a checkpoint, data and options; returns a report.
        predict: takes images, a checkpoint, an output directory and options; returns a report.
    """

    SCORE: str
    LOSSES: tuple[str, ...]
    evaluate: Callable[..., Any]
    predict: Callable[..., Any]

    def resolve_config(self, config: Config, manifest: Manifest) -> Config:
        """Return `config` completed with the values that only the record set defines.

        Raises:
            InvalidInputError: when the two contradict each other.
        """

    def training_set(self, records: RecordSet, config: Config) -> TrainingSet:
        """Return the rows of a record set to train on, the same on all ranks.

        Raises:
            InvalidInputError: when no row can be trained on.
        """

    def with_loss(self, network: nn.Cell, config: Config) -> nn.Cell:
        """Return a cell that maps a batch to a tuple of the loss and its parts, all float32 scalars.

        From then on, `network` computes in the configured precision; its parameters stay float32.
        """

    def evaluator(self, network: nn.Cell, config: Config, class_names: tuple[str, ...]) -> Evaluator:
        """Return a function that evaluates `network` between two epochs."""
