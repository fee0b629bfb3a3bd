"""Networks by their published names."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from mindspore import nn

from segdata.errors import InvalidInputError
from segtrain.config.config import Config
from segtrain.config.networks import DeepLab, DeepLabV3S8
from segtrain.config.unet import UNet, UNetSimple
from segtrain.models.deeplabv3 import DeepLabV3
from segtrain.models.deeplabv3plus import DeepLabV3Plus
from segtrain.models.mask_rcnn import MaskRcnnNetwork
from segtrain.models.resnet import BACKBONES, OutputStride
from segtrain.models.unet import UNetNetwork

__all__ = ["BACKBONES", "MODELS", "build_network"]


def build_network(config: Config, *, num_classes: int) -> nn.Cell:
    """Build the network that `config` describes, with new weights drawn from the seed of ``mindspore.set_seed``.

    Args:
        config: the network with its settings.
        num_classes: number of classes in the record set; semantic sets count the background, instance sets do not.

    Returns:
        A semantic network is a cell that maps float32 ``(N, 3, H, W)``, normalized RGB, to logits ``(N, num_classes, H,
        W)``; for Mask R-CNN see `segtrain.models.mask_rcnn`.

    Raises:
        InvalidInputError: when there are fewer than two classes, or fewer than one for an instance network.
    """
    return MODELS[config.model.name](config.model, num_classes)


def _deeplab(
    network: Callable[..., nn.Cell], output_stride: OutputStride, settings: DeepLab, num_classes: int, **options: Any
) -> nn.Cell:
    if num_classes < 2:
        raise InvalidInputError(f"number of classes is {num_classes}; expected at least 2, background included")
    return network(
        num_classes=num_classes,
        backbone=settings.backbone,
        output_stride=output_stride,
        atrous_rates=settings.atrous_rates,
        freeze_bn=settings.freeze_bn,
        **options,
    )


def _deeplabv3_s8(settings: DeepLabV3S8, num_classes: int) -> nn.Cell:
    return _deeplab(DeepLabV3, 8, settings, num_classes, form=settings.form)


def _unet(settings: UNet, num_classes: int, **options: Any) -> nn.Cell:
    return UNetNetwork(
        num_classes=num_classes,
        width=settings.width,
        poolings=settings.poolings,
        in_channels=settings.channels,
        same_padding=settings.same_padding,
        low_memory=settings.low_memory,
        **options,
    )


def _unet_simple(settings: UNetSimple, num_classes: int) -> nn.Cell:
    options = {"patch": settings.patch, "residual": settings.residual, "freeze_bn": settings.freeze_bn}
    return _unet(settings, num_classes, **options)


#: Builder of each network by its published name, which takes the network's settings and a number of classes.
MODELS: dict[str, Callable[[Any, int], nn.Cell]] = {
    "DeepLabV3_s16": partial(_deeplab, DeepLabV3, 16),
    "DeepLabV3_s8": _deeplabv3_s8,
    "DeepLabV3plus_s16": partial(_deeplab, DeepLabV3Plus, 16),
    "DeepLabV3plus_s8": partial(_deeplab, DeepLabV3Plus, 8),
    "mask_rcnn": MaskRcnnNetwork,
    "unet": _unet,
    "unet_simple": _unet_simple,
}
