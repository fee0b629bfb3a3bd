"""Training settings, typed and checked. `segtrain.config.recipes` reads and writes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, get_args

import msgspec

from segdata.errors import InvalidInputError
from segtrain.config.mask_rcnn import MaskRcnn
from segtrain.config.unet import UNetSettings, output_size
from segtrain.config.values import Count, Positive, ProperFraction

Model = Literal[
    "DeepLabV3_s16", "DeepLabV3_s8", "DeepLabV3plus_s16", "DeepLabV3plus_s8", "mask_rcnn", "unet", "unet_simple"
]
Backbone = Literal["resnet18", "resnet50", "resnet101"]
DeviceTarget = Literal["CPU", "Ascend"]
FileFormat = Literal["mindir", "onnx", "air"]
Loss = Literal["cross_entropy", "ohem", "cross_entropy_dice"]
LrType = Literal["cos", "poly", "exp", "constant"]
Optimizer = Literal["momentum", "adam"]
WeightDecayFilter = Literal["norm", "norm_and_bias", "none"]
Amp = Literal["O0", "O2", "O3", "auto"]

Channels = tuple[float, float, float]

#: Smallest side of a network's input in pixels.
MIN_CROP = 33


@dataclass(frozen=True, kw_only=True)
class Config:
    """All settings of a training run. The defaults are the values that all published DeepLab recipes share.

    The settings for crops, scales, losses and ignored pixels apply to semantic networks.

    Attributes:
        model: published name of the network.
        backbone: the ResNet that the network is built on; None: the network has no backbone.
        atrous_rates: dilations of ASPP's 3x3 branches.
        freeze_bn: normalize with the moving statistics during training too.
        sync_bn: normalize with statistics computed over the batches of all devices, not per device.
        freeze: parts of the network to keep unchanged, given as prefixes of their parameter names.
        num_classes: number of classes, background included; None: the record set's.
        ignore_label: label of pixels to ignore; None: the record set's.
        train_epochs: number of epochs; each one passes `repeat` times over the training set.
        repeat: how often an epoch uses each row of the training set; for U-Net, whose sets are small.
        batch_size: images per step.
        crop_size: side of the square training crop in pixels; for U-Net, side of the network's input.
        min_scale: smallest random scale factor.
        max_scale: largest random scale factor.
        image_mean: mean of red, green and blue on the scale 0 to 255 (default: ImageNet's).
        image_std: standard deviation of red, green and blue on the scale 0 to 255 (default: ImageNet's).
        loss: mean cross entropy over all pixels that are not ignored (`cross_entropy`), over the hardest of them
            (`ohem`, online hard example mining), or over all of them plus a soft dice loss (`cross_entropy_dice`).
        ohem_share: share of the pixels, ignored ones excluded, that `ohem` takes as the hardest.
        class_weights: weight of a pixel of each class, by class id; None: all classes have the same weight.
        lr_type: learning rate schedule.
        base_lr: highest learning rate.
        lr_decay_step: steps between two drops of the ``exp`` schedule.
        lr_decay_rate: factor of each drop of the ``exp`` schedule.
        warmup_steps: steps during which the learning rate rises to `base_lr`.
        warmup_start: initial learning rate of the warmup, as a share of `base_lr`.
        optimizer: SGD with momentum, or Adam.
        momentum: momentum of SGD.
        head_lr_factor: learning rate factor for every parameter outside the backbone.
        weight_decay: L2 factor.
        weight_decay_filter: parameters to exclude from weight decay. norm: scales and offsets of the normalizations,
            which MindSpore's optimizers exclude by default, and as published; norm_and_bias: all biases too; none: no
            parameter.
        ema_decay: decay of the moving average of all weights, which training evaluates and saves as its result in place
            of the weights themselves; 0: no moving average.
        amp: MindSpore's mixed precision level. O0: float32; O2: float16, but normalizations in float32; O3: float16, as
            published on Ascend; auto: float16 for operators that benefit from it. Weights and loss are always float32.
        loss_scale: factor on the loss, divided out of the gradients; ``dynamic``: as large as float16 allows.
        ckpt_pre_trained: checkpoint to load weights from; None: start from new weights.
        save_steps: steps between two numbered checkpoints.
        keep_checkpoint_max: number of numbered checkpoints to keep.
        mask_rcnn: settings for Mask R-CNN only.
        unet: settings for U-Net only.
        device_target: device to run the network on.
        seed: seed for weights, data order, augmentation and dropout.
        workers: number of parallel image workers, at most one per processor; None: one per processor.
    """

    model: Model
    backbone: Backbone | None = None
    atrous_rates: Annotated[tuple[Count, ...], msgspec.Meta(min_length=1)] = (6, 12, 18)
    freeze_bn: bool = False
    sync_bn: bool = False
    freeze: tuple[str, ...] = ()
    num_classes: Annotated[int, msgspec.Meta(ge=2, le=256)] | None = None
    ignore_label: Annotated[int, msgspec.Meta(ge=0, le=255)] | None = None
    train_epochs: Count
    repeat: Count = 1
    batch_size: Count
    crop_size: Annotated[int, msgspec.Meta(ge=MIN_CROP)] = 513
    min_scale: Positive = 0.5
    max_scale: Positive = 2.0
    image_mean: Channels = (123.675, 116.28, 103.53)
    image_std: tuple[Positive, Positive, Positive] = (58.395, 57.12, 57.375)
    loss: Loss = "cross_entropy"
    ohem_share: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.2
    class_weights: tuple[Annotated[float, msgspec.Meta(ge=0)], ...] | None = None
    lr_type: LrType = "cos"
    base_lr: Positive
    lr_decay_step: Count = 40000
    lr_decay_rate: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.1
    warmup_steps: Annotated[int, msgspec.Meta(ge=0)] = 0
    warmup_start: ProperFraction = 0.0
    optimizer: Optimizer = "momentum"
    momentum: ProperFraction = 0.9
    head_lr_factor: Positive = 1.0
    weight_decay: ProperFraction = 1e-4
    weight_decay_filter: WeightDecayFilter = "norm"
    ema_decay: ProperFraction = 0.0
    amp: Amp = "O0"
    loss_scale: Positive | Literal["dynamic"] = 1.0
    ckpt_pre_trained: str | None = None
    save_steps: Count
    keep_checkpoint_max: Count
    mask_rcnn: MaskRcnn | None = None
    unet: UNetSettings | None = None
    device_target: DeviceTarget = "CPU"
    seed: Annotated[int, msgspec.Meta(ge=0, lt=2**31)] = 1
    workers: Count | None = None

    @property
    def same_padding(self) -> bool:
        """Whether U-Net pads its convolutions, so that its logits have the size of its input."""
        return self.model == "unet_simple"

    def __post_init__(self) -> None:
        """Check settings that depend on each other."""
        if self.min_scale > self.max_scale:
            raise InvalidInputError(f"min_scale = {self.min_scale} is above max_scale = {self.max_scale}")
        if (self.model == "mask_rcnn") != (self.mask_rcnn is not None):
            raise InvalidInputError(f"model = {self.model}: mask_rcnn settings go with the model mask_rcnn")
        if self.model.startswith("unet") != (self.unet is not None):
            raise InvalidInputError(f"model = {self.model}: unet settings go with the models unet and unet_simple")
        if self.unet is not None:
            output_size(self.crop_size, self.unet.halvings, same_padding=self.same_padding)
            if self.model == "unet":
                for name in ("patch", "residual"):
                    if (given := getattr(self.unet, name)) != getattr(UNetSettings, name):
                        raise InvalidInputError(
                            f"unet.{name} = {given} is for unet_simple only; unet is the published network"
                        )
        elif self.repeat > 1:
            raise InvalidInputError(f"repeat = {self.repeat} is for U-Net only; increase train_epochs instead")
        if self.model.startswith(("DeepLab", "mask_rcnn")) and self.backbone is None:
            raise InvalidInputError(f"{self.model} needs a backbone: one of {', '.join(get_args(Backbone))}")
        if self.freeze_bn and self.sync_bn:
            raise InvalidInputError(
                "freeze_bn ignores the batch statistics that sync_bn shares between devices; choose one of the two"
            )
