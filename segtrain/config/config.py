"""The settings of a training: typed and checked. `segtrain.config.recipes` reads and writes them."""

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
    """Every setting of a training. The defaults are what all published DeepLab recipes share.

    What is said of crops, scales, losses and ignored pixels is for semantic networks.

    Attributes:
        model: network by its published name.
        backbone: the ResNet it is built on; None: it has none.
        atrous_rates: dilations of ASPP's 3x3 branches.
        freeze_bn: normalize by the moving statistics in training too.
        sync_bn: normalize by the statistics of all devices' batches together, not of each one's.
        freeze: parts of the network that stay as they are, by what their parameters' names begin with.
        num_classes: classes, background included; None: as many as the record set has.
        ignore_label: label of pixels that do not count; None: the record set's.
        train_epochs: passes over the training set, each as often as `repeat` says.
        repeat: how often an epoch has each row of the training set; for U-Net, whose sets are small.
        batch_size: images in a step.
        crop_size: side of the square training crop in pixels; of U-Net, of the network's input.
        min_scale: smallest factor of the random scaling.
        max_scale: largest factor of the random scaling.
        image_mean: mean of red, green, blue, 0 to 255 (ImageNet's).
        image_std: their standard deviation, 0 to 255 (ImageNet's).
        loss: mean cross entropy over all pixels that count, over the hardest (online hard example mining), or
            over all with the soft dice loss of the classes on top.
        ohem_share: which share of the pixels that count are the hardest.
        class_weights: how much a pixel of each class counts, by class id; None: all count the same.
        lr_type: form of the learning rate's decay.
        base_lr: highest learning rate.
        lr_decay_step: steps on one stair of ``exp``.
        lr_decay_rate: factor from one stair of ``exp`` to the next.
        warmup_steps: steps in which the learning rate rises to `base_lr`.
        warmup_start: the share of `base_lr` from which it rises.
        optimizer: SGD with momentum, or Adam.
        momentum: of SGD.
        head_lr_factor: factor on the learning rate of all that is not in the backbone.
        weight_decay: L2 factor.
        weight_decay_filter: parameters it leaves out: scales and offsets of the normalizations, as MindSpore's
            optimizers do on their own and as published; these and all biases; or none.
        ema_decay: of the moving average of all weights, which is what a training evaluates and hands on instead of the
            weights themselves; 0: there is none.
        amp: MindSpore's level of mixed precision. O0: float32; O2: float16, but normalizations float32; O3: float16, as
            published on Ascend; auto: float16 for the operators that gain by it. Weights and loss are float32 in all.
        loss_scale: factor on the loss, taken out of the gradients again; ``dynamic``: as large as float16 allows.
        ckpt_pre_trained: checkpoint to take weights from; None: train from new weights.
        save_steps: steps between two numbered checkpoints.
        keep_checkpoint_max: how many numbered checkpoints are kept.
        mask_rcnn: what only Mask R-CNN has.
        unet: what only U-Net has.
        device_target: where the network runs.
        seed: of weights, data order, augmentation and dropout.
        workers: parallel image workers, never more than the machine has processors; None: all of them.
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
        """Check what no single value shows."""
        if self.min_scale > self.max_scale:
            raise InvalidInputError(f"min_scale = {self.min_scale} is above max_scale = {self.max_scale}")
        if (self.model == "mask_rcnn") != (self.mask_rcnn is not None):
            raise InvalidInputError(f"model = {self.model}: the settings of mask_rcnn belong to the model mask_rcnn")
        if self.model.startswith("unet") != (self.unet is not None):
            raise InvalidInputError(f"model = {self.model}: the settings of unet belong to unet and unet_simple")
        if self.unet is not None:
            output_size(self.crop_size, self.unet.halvings, same_padding=self.same_padding)
            if self.model == "unet":
                for name in ("patch", "residual"):
                    if (given := getattr(self.unet, name)) != getattr(UNetSettings, name):
                        raise InvalidInputError(f"unet.{name} = {given} is for unet_simple; unet is as published")
        elif self.repeat > 1:
            raise InvalidInputError(f"repeat = {self.repeat} is for U-Net alone; use more train_epochs")
        if self.model.startswith(("DeepLab", "mask_rcnn")) and self.backbone is None:
            raise InvalidInputError(f"{self.model} needs a backbone: one of {', '.join(get_args(Backbone))}")
        if self.freeze_bn and self.sync_bn:
            raise InvalidInputError("freeze_bn uses no statistics of batches that sync_bn could share; choose one")
