"""What a training tells its observer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from segtrain.checkpoints.checkpoint import LoadReport
    from segtrain.config.config import Config


@dataclass(frozen=True, kw_only=True)
class Started:
    """The training is set up.

    Attributes:
        train_dir: where configuration, metrics and checkpoints are.
        config: the resolved settings.
        devices: how many train together.
        steps_per_epoch: whole batches of each device in an epoch.
        first_step: steps that were done before, in the training that is resumed.
        total_steps: steps of the whole training.
        dropped_rows: rows an epoch that do not fill a batch, other ones in each.
        left_out: what else of the training set is not used, a sentence each.
        parameters: trained numbers in the network.
        pretrained: what was taken from the configured checkpoint, if any.
    """

    train_dir: str
    config: Config
    devices: int
    steps_per_epoch: int
    first_step: int
    total_steps: int
    dropped_rows: int
    left_out: tuple[str, ...]
    parameters: int
    pretrained: LoadReport | None


@dataclass(frozen=True, kw_only=True)
class StepDone:
    """One step.

    Attributes:
        epoch: from 1.
        step: from 1, over all epochs.
        loss: before the update.
        parts: of the loss, by name; empty when it has none.
        lr: learning rate.
        images_per_s: throughput with data loading.
    """

    epoch: int
    step: int
    loss: float
    parts: dict[str, float]
    lr: float
    images_per_s: float

    @property
    def metrics(self) -> dict[str, float]:
        """Return the line that is logged."""
        parts = {f"loss_{name}": value for name, value in self.parts.items()}
        measured = {"lr": self.lr, "images_per_s": self.images_per_s}
        return {"epoch": self.epoch, "step": self.step, "loss": self.loss, **parts, **measured}


@dataclass(frozen=True, kw_only=True)
class Evaluated:
    """The network at the end of an epoch, on the evaluation set; scores by name, 0 to 1."""

    epoch: int
    step: int
    scores: dict[str, float]

    @property
    def metrics(self) -> dict[str, float]:
        """Return the line that is logged."""
        return {"epoch": self.epoch, "step": self.step, **self.scores}


Event = Started | StepDone | Evaluated


def ignore(event: Event) -> None:
    """Look at nothing: the default observer."""
