"""Learning rates, one per optimizer step."""

from __future__ import annotations

from typing import get_args

import numpy as np
import numpy.typing as npt

from segdata.errors import InvalidInputError, suggest
from segdata.text import plural
from segtrain.config.config import LrType

#: Exponent of the polynomial decay (Chen et al. 2017, "DeepLab", section 4.1.1).
POWER = 0.9


def learning_rates(
    lr_type: LrType,
    *,
    base_lr: float,
    total_steps: int,
    decay_steps: int = 40000,
    decay_rate: float = 0.1,
    warmup_steps: int = 0,
    warmup_start: float = 0.0,
) -> npt.NDArray[np.float32]:
    """Return the learning rate of every training step.

    With step ``i`` from 0 and number of steps ``D``, both counted after the warm-up:

    * ``cos``: ``base_lr * (1 + cos(pi * i / D)) / 2`` (Loshchilov and Hutter 2017, without restarts);
    * ``poly``: ``base_lr * (1 - i / D) ** 0.9``;
    * ``exp``: ``base_lr * decay_rate ** (i // decay_steps)``;
    * ``constant``: ``base_lr``.

    Args:
        lr_type: shape of the decay.
        base_lr: highest rate, positive.
        total_steps: number of training steps, warm-up included; at least 1.
        decay_steps: number of steps after which ``exp`` lowers the rate, at least 1.
        decay_rate: factor by which ``exp`` lowers the rate, above 0 and at most 1.
        warmup_steps: number of steps in which the rate rises linearly to ``base_lr``; 0 to ``total_steps - 1``.
        warmup_start: share of ``base_lr`` that the rise starts from, 0 to 1; the first step is one increment above it.

    Returns:
        float32 ``(total_steps,)``.

    Raises:
        InvalidInputError: when a value is out of range.
    """
    if not (0 < base_lr < np.inf):
        raise InvalidInputError(f"base learning rate is {base_lr}; expected a positive number")
    if total_steps < 1:
        raise InvalidInputError(f"number of training steps is {total_steps}; expected at least 1")
    if not 0 <= warmup_steps < total_steps:
        raise InvalidInputError(
            f"number of warm-up steps is {warmup_steps}; expected 0 to {total_steps - 1}, fewer than the total of "
            f"{plural(total_steps, 'training step')}"
        )
    if decay_steps < 1:
        raise InvalidInputError(f"number of steps between decays is {decay_steps}; expected at least 1")
    if not 0 < decay_rate <= 1:
        raise InvalidInputError(f"decay rate is {decay_rate}; expected above 0 and at most 1")

    step = np.arange(total_steps - warmup_steps)
    done = step / len(step)
    if lr_type == "cos":
        factor = (1 + np.cos(np.pi * done)) / 2
    elif lr_type == "poly":
        factor = (1 - done) ** POWER
    elif lr_type == "exp":
        factor = decay_rate ** (step // decay_steps)
    elif lr_type == "constant":
        factor = np.ones(len(step))
    else:
        raise InvalidInputError(f"{lr_type!r} is not a learning rate schedule; {suggest(lr_type, get_args(LrType))}")
    warmup = warmup_start + (1 - warmup_start) * np.arange(1, warmup_steps + 1) / max(warmup_steps, 1)
    rates: npt.NDArray[np.float32] = (base_lr * np.concatenate([warmup, factor])).astype(np.float32)
    return rates
