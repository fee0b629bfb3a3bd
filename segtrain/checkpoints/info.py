"""The side file of a checkpoint: what the network is, and how it was trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from segdata.errors import InvalidInputError
from segdata.images.values import ValueRange
from segdata.regular import DESCRIPTION_BYTES, read_regular
from segtrain.config.config import Config
from segtrain.config.recipes import config_of
from segtrain.config.settings import setting
from segtrain.config.values import Count, Fraction

#: Version 2: the settings are in groups.
CHECKPOINT_VERSION = 2


def program_versions() -> dict[str, str]:
    """Return the package versions that a result depends on."""
    return {name: version(name) for name in ("segdata", "mindspore", "numpy")}


@dataclass(frozen=True, kw_only=True)
class CheckpointInfo:
    """Side file of a checkpoint.

    Attributes:
        config: resolved settings of the training run.
        class_names: names by class id.
        original_ids: ids of these classes in the source of the training set, in the same order.
        ignore_label: label of the pixels that were not counted; None for instance segmentation.
        value_range: samples of deep images that mean black and white; None if all images have 8 bits.
        record_set: name of the training set; `inputs` is the fingerprint of its rows.
        evaluation: fingerprint of the rows of the record set that training is evaluated on; None without one, and in
            files of earlier versions.
        rows: number of rows in the training set.
        devices: number of devices that trained together, each on its own batches.
        epoch: epoch in progress, from 1.
        step: steps completed since training began.
        best_score: highest evaluation score so far, 0 to 1 (`Task.SCORE` names the metric); None before the first.
        sha256: SHA-256 of the checkpoint in hex, and of the one that it replaced; empty in files of earlier versions.
    """

    format: Literal["segtrain checkpoint"] = "segtrain checkpoint"
    format_version: Count = CHECKPOINT_VERSION
    config: Config
    class_names: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    original_ids: tuple[int, ...]
    ignore_label: Annotated[int, msgspec.Meta(ge=0, le=255)] | None
    value_range: tuple[float, float] | None = None
    record_set: str
    inputs: str
    evaluation: str | None = None
    rows: Count
    devices: Count = 1
    epoch: Annotated[int, msgspec.Meta(ge=0)]
    step: Annotated[int, msgspec.Meta(ge=0)]
    best_score: Fraction | None
    sha256: tuple[str, ...] = ()
    program: dict[str, str] = field(default_factory=program_versions)

    def __post_init__(self) -> None:
        """Check values that depend on each other."""
        # As in a manifest, classes of instances may share a name; they have no ignore label.
        repeated = self.ignore_label is not None and len(set(self.class_names)) < len(self.class_names)
        if repeated or len(self.class_names) != len(self.original_ids):
            raise InvalidInputError("class_names and original_ids: expected one name and one id for each class")
        if self.value_range and not self.value_range[0] < self.value_range[1]:
            raise InvalidInputError(f"value_range: {list(self.value_range)}; expected the lower value first")

    @property
    def image_range(self) -> ValueRange | None:
        """Value range to read images with."""
        return ValueRange(*self.value_range) if self.value_range else None


def side_file(path: Path) -> Path:
    """Return the side file of the checkpoint at `path`."""
    return path.with_suffix(".json")


def read_info(path: Path) -> CheckpointInfo:
    """Read the side file of the checkpoint at `path`.

    Raises:
        InvalidInputError: when there is no checkpoint, or its side file is missing, damaged or of a newer format.
    """
    if not path.is_file():
        raise InvalidInputError(f"{path}: no such checkpoint")
    if path.suffix != ".ckpt":
        raise InvalidInputError(f"{path}: not a checkpoint; expected a file that ends in .ckpt")
    return read_side_file(path)


def read_side_file(path: Path) -> CheckpointInfo:
    """Read the side file of the checkpoint at `path`, which need not be here itself; see `read_info`."""
    side = side_file(path)
    try:
        return _decode(read_regular(side, at_most=DESCRIPTION_BYTES))
    except OSError as error:
        raise InvalidInputError(
            f"{path}: no side file {side.name}, which describes the network; expected it next to the checkpoint. Copy "
            "it there too."
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, InvalidInputError) as error:
        raise InvalidInputError(f"{side}: not a checkpoint side file: {error}") from error


def _decode(text: bytes) -> CheckpointInfo:
    values = msgspec.json.decode(text, type=dict[str, Any])
    found = msgspec.convert(values.get("format_version", CHECKPOINT_VERSION), int)
    if found > CHECKPOINT_VERSION:
        raise InvalidInputError(
            f"format version {found} is newer than this program; expected {CHECKPOINT_VERSION} or lower"
        )
    current = {"format_version": CHECKPOINT_VERSION, "config": config_of(values.get("config"), "config")}
    info = msgspec.convert(values | current, CheckpointInfo)
    if unknown := values.keys() - vars(info):
        raise InvalidInputError(f"unknown key {min(unknown)}")
    return info


def check_expected(path: Path, config: Config, expected: Mapping[str, Any]) -> None:
    """Check that the checkpoint at `path` was trained with the `expected` settings; None matches any value.

    Raises:
        InvalidInputError: naming the first setting that differs.
    """
    for key, value in expected.items():
        if value is not None and value != (found := setting(config, key)):
            raise InvalidInputError(f"{path}: was trained with {key} = {found!r}; expected {value!r}")
