"""Networks by their published names."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from mindspore import nn

from segdata.errors import InvalidInputError
from segtrain.config.config import Config, Model
from segtrain.models.deeplabv3 import DeepLabV3
from segtrain.models.deeplabv3plus import DeepLabV3Plus
from segtrain.models.mask_rcnn import MaskRcnnNetwork
from segtrain.models.resnet import BACKBONES, OutputStride
from segtrain.models.unet import UNet

__all__ = ["BACKBONES", "MODELS", "build_network"]


def build_network(config: Config, *, num_classes: int) -> nn.Cell:
    """Build the network that `config` describes, with new weights drawn from the seed of ``mindspore.set_seed``.

    Args:
        config: name of the network and its settings.
        num_classes: number of classes in the record set; semantic sets count the background, instance sets do not.

    Returns:
        A semantic network is a cell that maps float32 ``(N, 3, H, W)``, normalized RGB, to logits ``(N, num_classes, H,
        W)``; for Mask R-CNN see `segtrain.models.mask_rcnn`.

    Raises:
        InvalidInputError: when there are fewer than two classes, or fewer than one for an instance network.
    """
    return MODELS[config.model](config, num_classes)


def _deeplab(network: Callable[..., nn.Cell], output_stride: OutputStride, config: Config, num_classes: int) -> nn.Cell:
    if num_classes < 2:
        raise InvalidInputError(f"number of classes is {num_classes}; expected at least 2, background included")
    return network(
        num_classes=num_classes,
        backbone=config.backbone,
        output_stride=output_stride,
        atrous_rates=config.atrous_rates,
        freeze_bn=config.freeze_bn,
    )


def _mask_rcnn(config: Config, num_classes: int) -> nn.Cell:
    assert config.mask_rcnn is not None and config.backbone is not None
    return MaskRcnnNetwork(
        config.mask_rcnn, num_classes=num_classes, backbone=config.backbone, freeze_bn=config.freeze_bn
    )


def _unet(config: Config, num_classes: int) -> nn.Cell:
    unet = config.unet
    assert unet is not None
    return UNet(
        num_classes=num_classes,
        width=unet.width,
        poolings=unet.poolings,
        in_channels=unet.channels,
        same_padding=config.same_padding,
        patch=unet.patch,
        residual=unet.residual,
        freeze_bn=config.freeze_bn,
    )


#: Builder of each network, which takes a configuration and a number of classes.
MODELS: dict[Model, Callable[[Config, int], nn.Cell]] = {
    "DeepLabV3_s16": partial(_deeplab, DeepLabV3, 16),
    "DeepLabV3_s8": partial(_deeplab, DeepLabV3, 8),
    "DeepLabV3plus_s16": partial(_deeplab, DeepLabV3Plus, 16),
    "DeepLabV3plus_s8": partial(_deeplab, DeepLabV3Plus, 8),
    "mask_rcnn": _mask_rcnn,
    "unet": _unet,
    "unet_simple": _unet,
}
