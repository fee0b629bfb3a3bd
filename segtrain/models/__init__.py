"""The networks by their published names."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from mindspore import nn

from segdata.errors import InvalidInputError
from segtrain.config import Config, Model
from segtrain.models.deeplabv3 import DeepLabV3
from segtrain.models.deeplabv3plus import DeepLabV3Plus
from segtrain.models.resnet import BACKBONES, OutputStride

__all__ = ["BACKBONES", "MODELS", "build_network"]


def build_network(config: Config, *, num_classes: int) -> nn.Cell:
    """Return the network that `config` describes with new weights, drawn from the seed of ``mindspore.set_seed``.

    Args:
        config: the network's name and what belongs to it.
        num_classes: background included; at least 2.

    Returns:
        A cell from float32 ``(N, 3, H, W)``, normalised RGB, to logits ``(N, num_classes, H, W)``.

    Raises:
        InvalidInputError: fewer than two classes.
    """
    if num_classes < 2:
        raise InvalidInputError(f"number of classes is {num_classes}: expected at least 2, background included")
    return MODELS[config.model](config, num_classes)


def _deeplab(network: Callable[..., nn.Cell], output_stride: OutputStride, config: Config, num_classes: int) -> nn.Cell:
    return network(
        num_classes=num_classes,
        backbone=config.backbone,
        output_stride=output_stride,
        atrous_rates=config.atrous_rates,
        freeze_bn=config.freeze_bn,
    )


#: How each is built from a configuration and a number of classes.
MODELS: dict[Model, Callable[[Config, int], nn.Cell]] = {
    "DeepLabV3_s16": partial(_deeplab, DeepLabV3, 16),
    "DeepLabV3_s8": partial(_deeplab, DeepLabV3, 8),
    "DeepLabV3plus_s16": partial(_deeplab, DeepLabV3Plus, 16),
    "DeepLabV3plus_s8": partial(_deeplab, DeepLabV3Plus, 8),
}
