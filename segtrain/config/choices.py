"""Losses, learning rate schedules and optimizers, each with only the settings that it reads."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import msgspec

from segtrain.config.group import Group
from segtrain.config.values import Count, Positive, ProperFraction

WeightDecayFilter = Literal["norm", "norm_and_bias", "none"]


class Loss(Group, frozen=True, kw_only=True):
    """Loss of a semantic network.

    Attributes:
        class_weights: weight of a pixel of each class, by class id; None: all classes have the same weight.
    """

    class_weights: tuple[Annotated[float, msgspec.Meta(ge=0)], ...] | None = None


class CrossEntropy(Loss, frozen=True, kw_only=True, tag="cross_entropy"):
    """Mean cross entropy over all pixels that are not ignored."""


class Ohem(Loss, frozen=True, kw_only=True, tag="ohem"):
    """Mean cross entropy over the hardest pixels (online hard example mining).

    Attributes:
        ohem_share: share of the pixels to average over: those with the largest cross entropy. Ignored pixels
            do not count.
    """

    ohem_share: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.2


class DiceCrossEntropy(Loss, frozen=True, kw_only=True, tag="cross_entropy_dice"):
    """Mean cross entropy over all pixels that are not ignored, plus a soft dice loss."""


class Schedule(Group, frozen=True, kw_only=True):
    """Learning rate schedule.

    Attributes:
        base_lr: highest learning rate.
        warmup_steps: steps during which the learning rate rises to `base_lr`.
        warmup_start: initial learning rate of the warmup, as a share of `base_lr`.
    """

    SWITCHES: ClassVar[dict[str, tuple[str, ...]]] = {"warmup_steps": ("warmup_start",)}

    base_lr: Positive
    warmup_steps: Annotated[int, msgspec.Meta(ge=0)] = 0
    warmup_start: ProperFraction = 0.0


class Cosine(Schedule, frozen=True, kw_only=True, tag="cos"):
    """Decay along half a cosine."""


class Polynomial(Schedule, frozen=True, kw_only=True, tag="poly"):
    """Decay by a power of the share of steps that remain."""


class Exponential(Schedule, frozen=True, kw_only=True, tag="exp"):
    """Decay in stairs.

    Attributes:
        lr_decay_step: steps between two drops.
        lr_decay_rate: factor of each drop.
    """

    lr_decay_step: Count = 40000
    lr_decay_rate: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.1


class Constant(Schedule, frozen=True, kw_only=True, tag="constant"):
    """No decay."""


class Optimizer(Group, frozen=True, kw_only=True):
    """Optimizer.

    Attributes:
        weight_decay: L2 factor.
        weight_decay_filter: parameters to exclude from weight decay. norm: scales and offsets of the normalizations,
            which MindSpore's optimizers exclude by default, and as published; norm_and_bias: all biases too; none: no
            parameter.
    """

    SWITCHES: ClassVar[dict[str, tuple[str, ...]]] = {"weight_decay": ("weight_decay_filter",)}

    weight_decay: ProperFraction = 1e-4
    weight_decay_filter: WeightDecayFilter = "norm"


class Momentum(Optimizer, frozen=True, kw_only=True, tag="momentum"):
    """SGD with momentum.

    Attributes:
        momentum: share of the last update that the next one keeps.
    """

    momentum: ProperFraction = 0.9


class Adam(Optimizer, frozen=True, kw_only=True, tag="adam"):
    """Adam (Kingma and Ba 2015)."""
