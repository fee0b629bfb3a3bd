"""Training settings, typed and checked. `segtrain.config.recipes` reads and writes them."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, TypeVar

import msgspec

from segdata.errors import InvalidInputError
from segtrain.config.choices import Adam, Constant, Cosine, Exponential, Momentum, Polynomial
from segtrain.config.group import check_switches
from segtrain.config.mask_rcnn import MaskRcnn
from segtrain.config.networks import AnyNetwork, DeepLabV3PlusS8, DeepLabV3PlusS16, DeepLabV3S8, DeepLabV3S16
from segtrain.config.unet import UNet, UNetSimple
from segtrain.config.values import Channels, Count, Positive, ProperFraction

#: Published name of a network.
Model = Literal[
    "DeepLabV3_s16", "DeepLabV3_s8", "DeepLabV3plus_s16", "DeepLabV3plus_s8", "mask_rcnn", "unet", "unet_simple"
]
#: Device to run a network on.
DeviceTarget = Literal["CPU", "Ascend"]
#: File format of an export.
FileFormat = Literal["mindir", "onnx", "air"]
Amp = Literal["O0", "O2", "O3", "auto"]
StopBy = Literal["score", "eval_loss"]

_N = TypeVar("_N", bound=AnyNetwork)


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All settings of a training run.

    What only some networks, schedules or optimizers read belongs to these, so that every setting has an effect.

    Attributes:
        model: network with its settings.
        schedule: learning rate of each step.
        optimizer: how the weights are updated.
        freeze: parts of the network to keep unchanged, given as prefixes of their parameter names.
        num_classes: number of classes, background included; None: the record set's.
        train_epochs: number of passes over the training set; for U-Net, each one passes `repeat` times over it.
        batch_size: images per step.
        image_mean: mean of red, green and blue on the scale 0 to 255 (default: ImageNet's).
        image_std: standard deviation of red, green and blue on the scale 0 to 255 (default: ImageNet's).
        ema_decay: decay of the moving average of all weights, which training evaluates and saves as its result in place
            of the weights themselves; 0: no moving average.
        amp: MindSpore's mixed precision level. O0: float32; O2: float16, but normalizations in float32; O3: float16, as
            published on Ascend; auto: float16 for operators that benefit from it. Weights and loss are always float32.
        loss_scale: factor on the loss, divided out of the gradients; ``dynamic``: as large as float16 allows.
        ckpt_pre_trained: checkpoint to load weights from; None: start from new weights.
        save_steps: steps between two numbered checkpoints; ``epoch``: one at the end of each epoch.
        keep_checkpoint_max: number of numbered checkpoints to keep.
        early_stopping: number of evaluations without a better score after which training ends; None: training
            always runs to the last epoch.
        early_stopping_by: what has to get better. score: mIoU, or mask AP; eval_loss: the loss on the evaluation set.
        device_target: device to run the network on.
        seed: seed for weights, data order, augmentation and dropout.
        workers: number of parallel image workers, at most one per CPU core; None: one per core.
    """

    SWITCHES: ClassVar[dict[str, tuple[str, ...]]] = {"early_stopping": ("early_stopping_by",)}

    model: DeepLabV3S16 | DeepLabV3S8 | DeepLabV3PlusS16 | DeepLabV3PlusS8 | UNet | UNetSimple | MaskRcnn
    schedule: Cosine | Polynomial | Exponential | Constant
    optimizer: Momentum | Adam = Momentum()
    freeze: tuple[str, ...] = ()
    num_classes: Annotated[int, msgspec.Meta(ge=2, le=256)] | None = None
    train_epochs: Count
    batch_size: Count
    image_mean: Channels = (123.675, 116.28, 103.53)
    image_std: tuple[Positive, Positive, Positive] = (58.395, 57.12, 57.375)
    ema_decay: ProperFraction = 0.0
    amp: Amp = "O0"
    loss_scale: Positive | Literal["dynamic"] = 1.0
    ckpt_pre_trained: str | None = None
    save_steps: Count | Literal["epoch"]
    keep_checkpoint_max: Count
    early_stopping: Count | None = None
    early_stopping_by: StopBy = "score"
    device_target: DeviceTarget = "CPU"
    seed: Annotated[int, msgspec.Meta(ge=0, lt=2**31)] = 1
    workers: Count | None = None

    def __post_init__(self) -> None:
        """Check that every setting with a value of its own has an effect."""
        check_switches(self, self.SWITCHES)
        if isinstance(self.model, UNet) and self.model.low_memory and self.device_target != "CPU":
            raise InvalidInputError(
                f"low_memory has no effect on {self.device_target}: it concerns convolution buffers on a CPU. "
                "Leave it out, or use --device_target CPU."
            )

    @property
    def repeat(self) -> int:
        """Number of times an epoch uses each row of the training set."""
        return self.model.repeat if isinstance(self.model, UNet) else 1

    def model_as(self, kind: type[_N]) -> _N:
        """Return the settings of the network, which must be of `kind`."""
        assert isinstance(self.model, kind), f"{self.model.name} is not a {kind.__name__}"
        return self.model
