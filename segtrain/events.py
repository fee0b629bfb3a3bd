"""What a training tells its observer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from segtrain.checkpoint import LoadReport
    from segtrain.config import Config


@dataclass(frozen=True, kw_only=True)
class Started:
    """The training is set up.

    Attributes:
        config: the resolved settings.
        devices: how many train together.
        steps_per_epoch: whole batches of each device in an epoch.
        first_step: steps that were done before, in the training that is resumed.
        total_steps: steps of the whole training.
        dropped_rows: rows an epoch that do not fill a batch, other ones in each.
        parameters: trained numbers in the network.
        pretrained: what was taken from the configured checkpoint, if any.
    """

    config: Config
    devices: int
    steps_per_epoch: int
    first_step: int
    total_steps: int
    dropped_rows: int
    parameters: int
    pretrained: LoadReport | None


@dataclass(frozen=True, kw_only=True)
class StepDone:
    """One step: `epoch` and `step` from 1, loss before the update, learning rate, throughput with data loading."""

    epoch: int
    step: int
    loss: float
    lr: float
    images_per_s: float


@dataclass(frozen=True, kw_only=True)
class Evaluated:
    """The network at the end of an epoch, on the evaluation set; scores 0 to 1."""

    epoch: int
    step: int
    miou: float
    pixel_accuracy: float


Event = Started | StepDone | Evaluated


def ignore(event: Event) -> None:
    """Look at nothing: the default observer."""
