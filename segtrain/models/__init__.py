"""The networks by their published names."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import partial

from mindspore import nn

from segdata.errors import InvalidInputError, near
from segtrain.models.deeplabv3 import DeepLabV3
from segtrain.models.deeplabv3plus import DeepLabV3Plus
from segtrain.models.resnet import BACKBONES

__all__ = ["BACKBONES", "MODELS", "build"]

#: Constructors by published name; each takes the keywords of :func:`build`.
MODELS: dict[str, Callable[..., nn.Cell]] = {
    "DeepLabV3_s16": partial(DeepLabV3, output_stride=16),
    "DeepLabV3_s8": partial(DeepLabV3, output_stride=8),
    "DeepLabV3plus_s16": partial(DeepLabV3Plus, output_stride=16),
    "DeepLabV3plus_s8": partial(DeepLabV3Plus, output_stride=8),
}


def build(
    model: str, *, num_classes: int, backbone: str, atrous_rates: Sequence[int], freeze_bn: bool = False
) -> nn.Cell:
    """Return a network with new weights, drawn from the seed of ``mindspore.set_seed``.

    Args:
        model: a key of :data:`MODELS`.
        num_classes: channels of the logits, background included; at least 2.
        backbone: a key of :data:`BACKBONES`.
        atrous_rates: dilations of ASPP's 3x3 branches, each at least 1; published: 6, 12, 18.
        freeze_bn: normalise by the moving statistics in training too.

    Returns:
        A cell from float32 ``(N, 3, H, W)``, normalised RGB, to logits ``(N, num_classes, H, W)``.

    Raises:
        InvalidInputError: an unknown name, fewer than two classes, or a rate below 1.
    """
    _check_name("model", model, MODELS)
    _check_name("backbone", backbone, BACKBONES)
    if num_classes < 2:
        raise InvalidInputError(f"number of classes is {num_classes}: expected at least 2, background included")
    if not atrous_rates or min(atrous_rates) < 1:
        raise InvalidInputError(f"atrous rates are {list(atrous_rates)}: expected one or more integers from 1 on")
    return MODELS[model](num_classes=num_classes, backbone=backbone, atrous_rates=atrous_rates, freeze_bn=freeze_bn)


def _check_name(what: str, name: str, known: Collection[str]) -> None:
    if name not in known:
        raise InvalidInputError(f"no {what} is called {name!r}; {near(name, known)}")
