"""Settings of networks: what they have in common, and DeepLab."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import msgspec

from segdata.errors import InvalidInputError
from segtrain.config.choices import CrossEntropy, DiceCrossEntropy, Ohem
from segtrain.config.group import Group
from segtrain.config.values import Count, Positive

#: ResNet that a network starts with.
Backbone = Literal["resnet18", "resnet50", "resnet101"]

#: Networks that MindSpore's model zoo has too, with the same parameters.
ZooModel = Literal["DeepLabV3_s16", "DeepLabV3_s8", "DeepLabV3plus_s16", "DeepLabV3plus_s8"]

#: Forms of DeepLabV3 at output stride 8, with different parameters.
Form = Literal["published", "torchvision"]

#: Smallest side of a semantic network's input in pixels.
MIN_CROP = 33


class AnyNetwork(Group, frozen=True, kw_only=True):
    """Settings of a network.

    Attributes:
        FAMILY: networks whose settings have the same meaning.
    """

    FAMILY: ClassVar[str]

    def __post_init__(self) -> None:
        """Check settings that depend on each other."""
        super().__post_init__()
        if getattr(self, "freeze_bn", False) and getattr(self, "sync_bn", False):
            raise InvalidInputError(
                "freeze_bn and sync_bn: with freeze_bn, there are no batch statistics that sync_bn could share between "
                "devices; expected at most one of them"
            )


class SemanticNetwork(AnyNetwork, frozen=True, kw_only=True):
    """Settings of a network that finds the class of each pixel.

    Attributes:
        crop_size: side in pixels of the square that the network sees in training.
        ignore_label: label of pixels to ignore; None: the record set's.
        loss: what training minimizes.
    """

    crop_size: Annotated[int, msgspec.Meta(ge=MIN_CROP)] = 513
    ignore_label: Annotated[int, msgspec.Meta(ge=0, le=255)] | None = None
    loss: CrossEntropy | Ohem | DiceCrossEntropy = CrossEntropy()


class DeepLab(SemanticNetwork, frozen=True, kw_only=True):
    """Settings of DeepLabV3 and DeepLabV3+. The defaults are the values that all published recipes share.

    Attributes:
        backbone: the ResNet that the network is built on.
        atrous_rates: dilations of ASPP's 3x3 branches.
        freeze_bn: normalize with the moving statistics during training too.
        sync_bn: normalize with statistics computed over the batches of all devices, not per device.
        head_lr_factor: learning rate factor for every parameter outside the backbone.
        min_scale: smallest random scale factor of a training image.
        max_scale: largest random scale factor of a training image.
    """

    FAMILY: ClassVar[str] = "deeplab"

    backbone: Backbone
    atrous_rates: Annotated[tuple[Count, ...], msgspec.Meta(min_length=1)] = (6, 12, 18)
    freeze_bn: bool = False
    sync_bn: bool = False
    head_lr_factor: Positive = 1.0
    min_scale: Positive = 0.5
    max_scale: Positive = 2.0

    def __post_init__(self) -> None:
        """Check settings that depend on each other."""
        super().__post_init__()
        if self.min_scale > self.max_scale:
            raise InvalidInputError(
                f"min_scale = {self.min_scale}: above max_scale = {self.max_scale}; expected at most that"
            )


class DeepLabV3S16(DeepLab, frozen=True, kw_only=True, tag="DeepLabV3_s16"):
    """DeepLabV3 at output stride 16."""


class DeepLabV3S8(DeepLab, frozen=True, kw_only=True, tag="DeepLabV3_s8"):
    """DeepLabV3 at output stride 8.

    Attributes:
        form: published, as in MindSpore's model zoo; or torchvision, which dilates the ResNet without multi-grid, has
            another 3x3 convolution before the classifier, drops half of the features in training instead of 0.7 of
            them, and resizes the logits without aligned corners.
    """

    form: Form = "published"


class DeepLabV3PlusS16(DeepLab, frozen=True, kw_only=True, tag="DeepLabV3plus_s16"):
    """DeepLabV3+ at output stride 16."""


class DeepLabV3PlusS8(DeepLab, frozen=True, kw_only=True, tag="DeepLabV3plus_s8"):
    """DeepLabV3+ at output stride 8."""
