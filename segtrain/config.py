"""The settings of a training: typed, checked, and put together from a recipe, flags and ``key=value`` settings."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec
import yaml

from segdata.errors import InvalidInputError, near
from segdata.records.manifest import Manifest
from segtrain.schedules import LrType

Model = Literal["DeepLabV3_s16", "DeepLabV3_s8", "DeepLabV3plus_s16", "DeepLabV3plus_s8"]
Backbone = Literal["resnet18", "resnet50", "resnet101"]
DeviceTarget = Literal["CPU", "Ascend"]
FileFormat = Literal["mindir", "onnx", "air"]
Loss = Literal["cross_entropy", "ohem"]
WeightDecayFilter = Literal["norm", "norm_and_bias", "none"]
Amp = Literal["O0", "O2", "O3", "auto"]

Positive = Annotated[float, msgspec.Meta(gt=0)]
Count = Annotated[int, msgspec.Meta(ge=1)]
Share = Annotated[float, msgspec.Meta(ge=0, lt=1)]
Channels = tuple[float, float, float]

#: Smallest side of a network's input in pixels.
MIN_CROP = 33

_RECIPES = Path(__file__).with_name("recipes")


@dataclass(frozen=True, kw_only=True)
class Config:
    """Every setting of a training. The defaults are what all published DeepLab recipes share.

    Attributes:
        model: network by its published name.
        backbone: the ResNet it is built on.
        atrous_rates: dilations of ASPP's 3x3 branches.
        freeze_bn: normalise by the moving statistics in training too.
        sync_bn: normalise by the statistics of all devices' batches together, not of each one's.
        freeze: parts of the network that stay as they are, by what their parameters' names begin with.
        num_classes: classes, background included; None: as many as the record set has.
        ignore_label: label of pixels that do not count; None: the record set's.
        train_epochs: passes over the training set.
        batch_size: images in a step.
        crop_size: side of the square training crop in pixels.
        min_scale: smallest factor of the random scaling.
        max_scale: largest factor of the random scaling.
        image_mean: mean of red, green, blue, 0 to 255 (ImageNet's).
        image_std: their standard deviation, 0 to 255 (ImageNet's).
        loss: mean cross entropy over all pixels that count, or over the hardest (online hard example mining).
        ohem_share: which share of the pixels that count are the hardest.
        class_weights: how much a pixel of each class counts, by class id; None: all count the same.
        lr_type: form of the learning rate's decay.
        base_lr: highest learning rate.
        lr_decay_step: steps on one stair of ``exp``.
        lr_decay_rate: factor from one stair of ``exp`` to the next.
        warmup_steps: steps in which the learning rate rises to `base_lr`.
        momentum: of the optimizer.
        head_lr_factor: factor on the learning rate of all that is not in the backbone.
        weight_decay: L2 factor.
        weight_decay_filter: parameters it leaves out: scales and offsets of the normalisations, as MindSpore's
            optimizers do on their own and as published; these and all biases; or none.
        amp: MindSpore's level of mixed precision. O0: float32; O2: float16, but normalisations float32; O3: float16, as
            published on Ascend; auto: float16 for the operators that gain by it. Weights and loss are float32 in all.
        loss_scale: factor on the loss, taken out of the gradients again; ``dynamic``: as large as float16 allows.
        ckpt_pre_trained: checkpoint to take weights from; None: train from new weights.
        save_steps: steps between two numbered checkpoints.
        keep_checkpoint_max: how many numbered checkpoints are kept.
        device_target: where the network runs.
        seed: of weights, data order, augmentation and dropout.
        workers: parallel image workers, never more than the machine has processors; None: all of them.
    """

    model: Model
    backbone: Backbone
    atrous_rates: tuple[Count, ...] = (6, 12, 18)
    freeze_bn: bool = False
    sync_bn: bool = False
    freeze: tuple[str, ...] = ()
    num_classes: Annotated[int, msgspec.Meta(ge=2, le=256)] | None = None
    ignore_label: Annotated[int, msgspec.Meta(ge=0, le=255)] | None = None
    train_epochs: Count
    batch_size: Count
    crop_size: Annotated[int, msgspec.Meta(ge=MIN_CROP)]
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
    momentum: Share = 0.9
    head_lr_factor: Positive = 1.0
    weight_decay: Share = 1e-4
    weight_decay_filter: WeightDecayFilter = "norm"
    amp: Amp = "O0"
    loss_scale: Positive | Literal["dynamic"] = 1.0
    ckpt_pre_trained: str | None = None
    save_steps: Count
    keep_checkpoint_max: Count
    device_target: DeviceTarget = "CPU"
    seed: Annotated[int, msgspec.Meta(ge=0, lt=2**31)] = 1
    workers: Count | None = None

    def __post_init__(self) -> None:
        """Check what no single value shows."""
        if self.min_scale > self.max_scale:
            raise InvalidInputError(f"min_scale = {self.min_scale} is above max_scale = {self.max_scale}")
        if self.freeze_bn and self.sync_bn:
            raise InvalidInputError("freeze_bn uses no statistics of batches that sync_bn could share; choose one")


@dataclass(frozen=True)
class RecipeSummary:
    """A recipe in a few words.

    Attributes:
        name: what `recipe` finds it by.
        model: network by its published name.
        summary: the sentence that its file begins with.
    """

    name: str
    model: Model
    summary: str


def recipe_names() -> list[str]:
    """Return the names of the recipes that come with the program."""
    return sorted(path.stem for path in _RECIPES.glob("*.yaml"))


def recipe_summaries() -> list[RecipeSummary]:
    """Return what each recipe is, by name."""
    return [
        RecipeSummary(name, recipe(name).model, recipe_text(name).partition("\n")[0].removeprefix("# "))
        for name in recipe_names()
    ]


def recipe_text(name: str) -> str:
    """Return the YAML of the recipe called `name`, comments included.

    Raises:
        InvalidInputError: when there is no such recipe; near names are given.
    """
    if name not in recipe_names():
        raise InvalidInputError(f"no recipe is called {name!r}; {near(name, recipe_names())}")
    return (_RECIPES / f"{name}.yaml").read_text("utf-8")


def recipe(name: str) -> Config:
    """Return the published settings called `name`.

    Raises:
        InvalidInputError: when there is no such recipe; near names are given.
    """
    return parse_config(recipe_text(name), f"recipe {name}")


def read_config(path: Path) -> Config:
    """Read a configuration file as `write_config` writes it.

    Raises:
        InvalidInputError: when it cannot be read or holds anything but a complete configuration.
    """
    try:
        return parse_config(path.read_text("utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"{path}: cannot be read: {error}") from error


def parse_config(text: str, where: str) -> Config:
    """Return the configuration that a YAML mapping gives; `where` names it in errors."""
    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InvalidInputError(f"{where}: not YAML: {error}") from error
    if not isinstance(values, dict):
        raise InvalidInputError(f"{where}: expected a mapping of settings")
    converted = _convert(values)
    required = {field.name for field in dataclasses.fields(Config) if field.default is dataclasses.MISSING}
    if missing := sorted(required - set(converted)):
        raise InvalidInputError(f"{where}: lacks {', '.join(missing)}")
    return Config(**converted)


def write_config(config: Config) -> str:
    """Return `config` as YAML, in the order of the fields; `parse_config` reads it back."""
    return yaml.safe_dump(msgspec.to_builtins(config), sort_keys=False, default_flow_style=None)


def override(config: Config, flags: Mapping[str, Any], settings: Sequence[str] = ()) -> Config:
    """Return `config` with `flags` on top (None: not given) and with ``key=value`` `settings`.

    Raises:
        InvalidInputError: for an unknown key, a value of the wrong type or out of range, a setting without ``=``,
            and a key that is given twice with different values.
    """
    given = _convert({key: value for key, value in flags.items() if value is not None})
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals:
            raise InvalidInputError(f"setting {setting!r}: expected key=value")
        value = _convert({key: _scalar(key, text)})[key]
        if key in given and given[key] != value:
            raise InvalidInputError(f"{key} is given twice: {given[key]!r} and {value!r}")
        given[key] = value
    return dataclasses.replace(config, **given)


def resolve(config: Config, manifest: Manifest) -> Config:
    """Return `config` with class count and ignore label of the record set.

    Raises:
        InvalidInputError: when the configuration gives another value than the manifest, or the set is not semantic.
    """
    given = {"num_classes": manifest.num_classes, "ignore_label": ignore_label_of(manifest)}
    for key, found in given.items():
        wanted = getattr(config, key)
        if wanted not in (None, found):
            raise InvalidInputError(f"{key} = {wanted} is configured, but record set {manifest.name} has {found}")
    _check_weights(config.class_weights, manifest)
    return override(config, given)


def _check_weights(weights: tuple[float, ...] | None, manifest: Manifest) -> None:
    if weights is not None and len(weights) != manifest.num_classes:
        raise InvalidInputError(
            f"class_weights has {len(weights)} numbers, but record set {manifest.name} has {manifest.num_classes} "
            "classes: expected one number for each"
        )
    if weights is not None and not any(weights):
        raise InvalidInputError("class_weights are all 0: no pixel would count")


def ignore_label_of(manifest: Manifest) -> int:
    """Return the ignore label of a semantic record set.

    Raises:
        InvalidInputError: when the set is for another task.
    """
    if manifest.task != "semantic" or manifest.ignore_label is None:
        raise InvalidInputError(f"record set {manifest.name} is for the {manifest.task} task; expected semantic")
    return manifest.ignore_label


def _scalar(key: str, text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InvalidInputError(f"{key} = {text!r}: cannot be read as a YAML value") from error


def _convert(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return `values` with the types of `Config`; YAML 1.1 takes ``1e-4`` for a string, so strings may be numbers."""
    types = get_type_hints(Config, include_extras=True)
    converted = {}
    for key, value in values.items():
        if key not in types:
            raise InvalidInputError(f"no setting is called {key!r}; {near(str(key), types)}")
        try:
            converted[key] = msgspec.convert(value, types[key], strict=False)
        except msgspec.ValidationError as error:
            raise InvalidInputError(f"{key} = {value!r}: {_expected(types[key], error)}") from error
    return converted


def _expected(kind: Any, error: msgspec.ValidationError) -> str:
    if get_origin(kind) is Literal:
        return f"expected one of {', '.join(get_args(kind))}"
    words = [word for part in get_args(kind) if get_origin(part) is Literal for word in get_args(part)]
    if words and "enum" in str(error):
        return f"expected a number or {' or '.join(words)}"
    text = str(error).replace("`", "")
    return text[0].lower() + text[1:]
