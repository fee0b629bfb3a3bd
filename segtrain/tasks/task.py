"""What differs by task: semantic segmentation, a class for each pixel; instance segmentation, a mask for each object.

Training, checkpoints, recipes and the object store know of no task; each function here says what they call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from mindspore import nn

    from segdata.records.manifest import Manifest, RecordSet
    from segtrain.config.config import Config
    from segtrain.distributed.ranks import Ranks


class Scores(Protocol):
    """What an evaluation found."""

    @property
    def metrics(self) -> dict[str, float]:
        """The scores that are followed over a training, 0 to 1, by name."""


#: Evaluates the network that is being trained on this rank's share of a record set.
Evaluator = Callable[["RecordSet", "Ranks"], Scores]


class Task(Protocol):
    """The functions of a task; each of the modules beside this one has them.

    Attributes:
        SCORE: which of an evaluation's metrics decides which checkpoint is the best.
        LOSSES: names of the parts of the loss, in the order in which the loss cell returns them.
        evaluate: checkpoint and data, with options, to a report.
        predict: images, checkpoint and directory to be written, with options, to a report.
    """

    SCORE: str
    LOSSES: tuple[str, ...]
    evaluate: Callable[..., Any]
    predict: Callable[..., Any]

    def resolve_config(self, config: Config, manifest: Manifest) -> Config:
        """Return `config` with what only the record set tells.

        Raises:
            InvalidInputError: when the two contradict each other.
        """

    def left_out(self, records: RecordSet, config: Config) -> tuple[str, ...]:
        """Return what of a training set the network will not see, a sentence each."""

    def with_loss(self, network: nn.Cell, config: Config) -> nn.Cell:
        """Return the cell from a batch to a tuple of the loss and its parts, all float32 scalars.

        `network` computes in the configured precision from then on; its parameters stay float32.
        """

    def training_batches(
        self, records: RecordSet, config: Config, *, epoch: int, first_step: int = 0, ranks: Ranks
    ) -> Iterator[tuple[Any, ...]]:
        """Yield this rank's batches of one epoch (from 0), from its step `first_step` (from 0) on."""

    def evaluator(self, network: nn.Cell, config: Config, class_names: tuple[str, ...]) -> Evaluator:
        """Return what evaluates `network` between two epochs."""
