"""Events that training reports to its observer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from segtrain.checkpoints.checkpoint import LoadReport
    from segtrain.config.config import Config

#: Names of scores in text.
TITLES = {
    "miou": "mIoU",
    "pixel_accuracy": "pixel accuracy",
    "soft_dice": "soft dice",
    "mask_ap": "mask AP",
    "mask_ap50": "mask AP50",
    "box_ap": "box AP",
}

#: Name of the loss on the evaluation set, among the scores.
EVAL_LOSS = "eval_loss"


@dataclass(frozen=True, kw_only=True)
class Started:
    """Training is set up.

    Attributes:
        train_dir: directory of configuration, metrics and checkpoints.
        config: resolved settings.
        devices: number of devices that train together.
        steps_per_epoch: number of full batches per device in an epoch, of the rows that are not left out.
        first_step: steps already completed by the run that is resumed.
        total_steps: number of steps over all epochs.
        dropped_rows: rows per epoch that do not fill a batch; they differ from epoch to epoch.
        left_out: parts of the training set that are used in no epoch, one sentence each.
        notes: what makes the result of this training worth less than it may seem, one sentence each.
        parameters: number of trainable values in the network.
        pretrained: report on loading the configured checkpoint, if any.
        pretrained_file: name of its file; the setting may name only a directory.
    """

    train_dir: str
    config: Config
    devices: int
    steps_per_epoch: int
    first_step: int
    total_steps: int
    dropped_rows: int
    left_out: tuple[str, ...]
    notes: tuple[str, ...]
    parameters: int
    pretrained: LoadReport | None
    pretrained_file: str | None


@dataclass(frozen=True, kw_only=True)
class StepDone:
    """A training step is done.

    Attributes:
        epoch: from 1.
        step: from 1, over all epochs.
        loss: loss before the update.
        parts: parts of the loss, by name; empty if it has none.
        lr: learning rate.
        images_per_s: throughput, including data loading.
    """

    epoch: int
    step: int
    loss: float
    parts: dict[str, float]
    lr: float
    images_per_s: float

    @property
    def metrics(self) -> dict[str, float]:
        """Return the values to log."""
        parts = {f"loss_{name}": value for name, value in self.parts.items()}
        measured = {"lr": self.lr, "images_per_s": self.images_per_s}
        return {"epoch": self.epoch, "step": self.step, "loss": self.loss, **parts, **measured}

    @classmethod
    def logged(cls, line: Mapping[str, Any]) -> StepDone:
        """Return the step whose `metrics` are a line of the log."""
        parts = {name.removeprefix("loss_"): value for name, value in line.items() if name.startswith("loss_")}
        return cls(parts=parts, **{name: line[name] for name in ("epoch", "step", "loss", "lr", "images_per_s")})


@dataclass(frozen=True, kw_only=True)
class Evaluated:
    """The network was evaluated at the end of an epoch; scores by name, 0 to 1, and `EVAL_LOSS`."""

    epoch: int
    step: int
    scores: dict[str, float]

    @property
    def metrics(self) -> dict[str, float]:
        """Return the values to log."""
        return {"epoch": self.epoch, "step": self.step, **self.scores}


Event = Started | StepDone | Evaluated


def ignore(event: Event) -> None:
    """Ignore the event; the default observer."""


def tell_all(*observers: Callable[[Event], None]) -> Callable[[Event], None]:
    """Return an observer that passes each event on to all `observers`, in this order."""

    def tell(event: Event) -> None:
        for observe in observers:
            observe(event)

    return tell
