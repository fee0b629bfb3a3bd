"""Learning rates, one per optimizer step."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from segdata.errors import InvalidInputError
from segdata.text import plural
from segtrain.config.choices import Cosine, Exponential, Polynomial, Schedule

#: Exponent of the polynomial decay (Chen et al. 2017, "DeepLab", section 4.1.1).
POWER = 0.9


def learning_rates(schedule: Schedule, total_steps: int) -> npt.NDArray[np.float32]:
    """Return the learning rate of every training step.

    With step ``i`` from 0 and number of steps ``D``, both counted after the warmup:

    * ``cos``: ``base_lr * (1 + cos(pi * i / D)) / 2`` (Loshchilov and Hutter 2017, without restarts);
    * ``poly``: ``base_lr * (1 - i / D) ** 0.9``;
    * ``exp``: ``base_lr * lr_decay_rate ** (i // lr_decay_step)``;
    * ``constant``: ``base_lr``.

    In the warmup the rate rises linearly to ``base_lr``; its first step is one increment above ``warmup_start``.

    Args:
        schedule: shape of the decay, with its settings.
        total_steps: number of training steps, warmup included; at least 1.

    Returns:
        float32 ``(total_steps,)``.

    Raises:
        InvalidInputError: when no step is left after the warmup.
    """
    warmup_steps, start = schedule.warmup_steps, schedule.warmup_start
    if not warmup_steps < total_steps:
        raise InvalidInputError(
            f"warmup_steps = {warmup_steps}: expected 0 to {total_steps - 1}, fewer than the total of "
            f"{plural(total_steps, 'training step')}. Lower it, for example with --set warmup_steps=0, or train "
            "for more epochs (--train_epochs)."
        )
    warmup = start + (1 - start) * np.arange(1, warmup_steps + 1) / max(warmup_steps, 1)
    factors = np.concatenate([warmup, _decay(schedule, np.arange(total_steps - warmup_steps))])
    rates: npt.NDArray[np.float32] = (schedule.base_lr * factors).astype(np.float32)
    return rates


def _decay(schedule: Schedule, step: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return the share of the highest rate at each step."""
    done = step / len(step)
    factor = np.ones(len(step))
    if isinstance(schedule, Cosine):
        factor = (1 + np.cos(np.pi * done)) / 2
    elif isinstance(schedule, Polynomial):
        factor = (1 - done) ** POWER
    elif isinstance(schedule, Exponential):
        factor = schedule.lr_decay_rate ** (step // schedule.lr_decay_step)
    return factor
