"""Checkpoints: parameters in ``NAME.ckpt``, all that is needed to rebuild and judge the network in ``NAME.json``."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import mindspore as ms
import msgspec
import numpy as np
from mindspore import nn

from segdata.errors import FaultsError, InvalidInputError, SegDataError
from segdata.files import file_mode, write_file
from segtrain.checkpoints.naming import BACKBONE, OWN, averaged, backbone_prefix, recognize
from segtrain.checkpoints.weights import Parameters as Parameters
from segtrain.checkpoints.weights import read_parameters as read_parameters
from segtrain.config.config import Config
from segtrain.models import build_network

CHECKPOINT_VERSION = 1

#: Step counter of MindSpore's optimizers; in a checkpoint it is the one truth about how far the training was.
GLOBAL_STEP = "global_step"

#: The list of learning rates in MindSpore's optimizers.
RATES = "learning_rate"

#: What Adam keeps: two moments of each parameter, and the powers of its two decay rates.
ADAM_STATE = ("moment1.", "moment2.", "beta1_power", "beta2_power")

#: What a training checkpoint holds besides the network: the optimizer's state, by MindSpore's names.
TRAINING_STATE = (
    GLOBAL_STEP,
    RATES,
    "momentum",
    "moments.",
    *ADAM_STATE,
    "loss_scale",
    "epoch_num",
    "step_num",
    "rpn_sample.",
    "roi_sample.",
)


def program_versions() -> dict[str, str]:
    """Return the versions that a result depends on."""
    return {name: version(name) for name in ("segdata", "mindspore", "numpy")}


@dataclass(frozen=True, kw_only=True)
class CheckpointInfo:
    """The side file of a checkpoint.

    Attributes:
        config: the resolved settings of the training.
        class_names: names by class id.
        original_ids: the ids of these classes in the source of the training set, in the same order.
        ignore_label: label of the pixels that did not count; None: the task is the instance one.
        record_set: name of the training set, and `inputs`, the fingerprint of its rows.
        rows: how many rows the training set has.
        devices: how many trained together, each with batches of its own.
        epoch: the epoch (from 1) that was being trained.
        step: steps done since the beginning of the training.
        best_score: highest score of an evaluation so far, 0 to 1 (`Task.SCORE` says which); None: none yet.
    """

    format: Literal["segtrain checkpoint"] = "segtrain checkpoint"
    format_version: int = CHECKPOINT_VERSION
    config: Config
    class_names: tuple[str, ...]
    original_ids: tuple[int, ...]
    ignore_label: int | None
    record_set: str
    inputs: str
    rows: int
    devices: int = 1
    epoch: int
    step: int
    best_score: float | None
    program: dict[str, str] = field(default_factory=program_versions)


@dataclass(frozen=True)
class LoadReport:
    """What became of every key when a network was filled from a checkpoint; names in network or file order.

    Attributes:
        loaded: parameters that were set.
        missing: parameters of the network that the file does not have.
        unexpected: keys of the file that the network does not have, the optimizer's state left out.
        mismatched: parameters whose shapes differ, with both shapes; not set.
    """

    loaded: tuple[str, ...]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    mismatched: tuple[str, ...]


def side_file(path: Path) -> Path:
    """Return the side file of the checkpoint at `path`."""
    return path.with_suffix(".json")


def save_checkpoint(path: Path, parameters: Iterable[ms.Parameter], info: CheckpointInfo) -> None:
    """Write side file and checkpoint, each by rename, in this order.

    A process that is killed between the two leaves an older checkpoint with a newer side file. Only `epoch`, `step`
    and `best_score` differ then, and these are told by the checkpoint's own `GLOBAL_STEP`.

    Raises:
        SegDataError: when a parameter is not finite; nothing is written.
    """
    values = {parameter.name: parameter for parameter in parameters}
    broken = [name for name, value in values.items() if not np.isfinite(value.asnumpy()).all()]
    if broken:
        raise SegDataError(
            f"step {info.step}: {len(broken)} parameters are not finite any more (first: {broken[0]}); the training "
            "diverged, the last checkpoint was kept"
        )
    write_file(side_file(path), msgspec.json.format(msgspec.json.encode(info)) + b"\n", overwrite=True)
    write_parameters(path, values)


def write_parameters(path: Path, values: Mapping[str, ms.Tensor]) -> None:
    """Write a checkpoint without its side file, by rename."""
    # MindSpore insists on the suffix.
    staged = path.with_name(f".{path.stem}.staged.ckpt")
    # A killed run may have left it, and MindSpore makes it read-only.
    staged.unlink(missing_ok=True)
    try:
        ms.save_checkpoint([{"name": name, "data": value} for name, value in values.items()], str(staged))
        staged.chmod(file_mode())
        staged.replace(path)
    finally:
        staged.unlink(missing_ok=True)


def link_checkpoint(source: Path, target: Path) -> None:
    """Give the checkpoint at `source` a second name, without a second copy where the file system can do that."""
    for old, new in ((side_file(source), side_file(target)), (source, target)):
        new.unlink(missing_ok=True)
        try:
            os.link(old, new)
        except OSError:
            shutil.copyfile(old, new)


def remove_checkpoint(path: Path) -> None:
    """Remove a checkpoint and its side file, the latter last."""
    for file in (path, side_file(path)):
        with contextlib.suppress(FileNotFoundError):
            file.unlink()


def read_info(path: Path) -> CheckpointInfo:
    """Read the side file of the checkpoint at `path`.

    Raises:
        InvalidInputError: when there is no checkpoint, or its side file is missing, damaged or of a newer format.
    """
    if not path.is_file():
        raise InvalidInputError(f"{path}: no such checkpoint")
    try:
        text = side_file(path).read_bytes()
    except OSError as error:
        raise InvalidInputError(
            f"{path}: its side file {side_file(path).name} is missing; keep the two together, the network is rebuilt "
            "from it"
        ) from error
    try:
        head = msgspec.json.decode(text)
        if isinstance(head, dict) and head.get("format_version", 0) > CHECKPOINT_VERSION:
            raise InvalidInputError(
                f"{side_file(path)}: format version {head['format_version']} is newer than this program "
                f"({CHECKPOINT_VERSION})"
            )
        return msgspec.json.decode(text, type=CheckpointInfo)
    except msgspec.DecodeError as error:
        raise InvalidInputError(f"{side_file(path)}: not the side file of a checkpoint: {error}") from error


def check_expected(path: Path, config: Config, expected: Mapping[str, Any]) -> None:
    """Check that the checkpoint at `path` was trained with the `expected` settings; None expects nothing.

    Raises:
        InvalidInputError: naming the first that differs.
    """
    for key, value in expected.items():
        if value is not None and value != getattr(config, key):
            raise InvalidInputError(f"{path}: was trained with {key} = {getattr(config, key)!r}, not {value!r}")


def read_checkpoint(path: Path) -> tuple[CheckpointInfo, Parameters]:
    """Return side file and parameters of a checkpoint; where they disagree about the step, the checkpoint is right.

    Raises:
        InvalidInputError: when one of the two is missing or damaged.
    """
    info, parameters = read_info(path), read_parameters(path)
    if GLOBAL_STEP in parameters:
        step = int(parameters[GLOBAL_STEP].asnumpy()[0])
        steps_per_epoch = max(info.rows * info.config.repeat // (info.config.batch_size * info.devices), 1)
        info = replace(info, step=step, epoch=-(-step // steps_per_epoch))
    return info, parameters


def fill(cell: nn.Cell, parameters: Parameters) -> LoadReport:
    """Set the parameters of `cell` that are in `parameters` with the same name and shape."""
    loaded, missing, mismatched = [], [], []
    own = {parameter.name: parameter for parameter in cell.get_parameters()}
    for name, parameter in own.items():
        value = parameters.get(name)
        if value is None:
            missing.append(name)
        elif value.shape != parameter.shape:
            mismatched.append(
                f"{name} ({shape_text(value.shape)} in the file, {shape_text(parameter.shape)} in the network)"
            )
        else:
            parameter.set_data(ms.Tensor(value.asnumpy(), parameter.dtype))
            loaded.append(name)
    unexpected = [name for name in parameters if name not in own and not name.startswith(TRAINING_STATE)]
    return LoadReport(tuple(loaded), tuple(missing), tuple(unexpected), tuple(mismatched))


def restore(train_step: nn.Cell, parameters: Parameters) -> None:
    """Bring a training step, network and optimizer, back to the state it was saved in.

    Raises:
        InvalidInputError: when something of that state is missing.
    """
    report = fill(train_step, parameters)
    # The rates follow from the configuration; they are not saved.
    missing = [name for name in (*report.mismatched, *report.missing) if name != RATES]
    if missing:
        raise InvalidInputError(f"the checkpoint lacks {len(missing)} values of the training (first: {missing[0]})")


def load_pretrained(network: nn.Cell, path: Path) -> LoadReport:
    """Start `network` from the parameters in the file at `path`, averages before weights, and report every key.

    The file may be a backbone alone, or the checkpoint of another network: of the other output stride, which has the
    same parameters, or for other classes, whose head is of another shape and is left as it is.

    Raises:
        InvalidInputError: when the backbone gets nothing of it, or another program's names tell that it must be
            converted first.
    """
    parameters = averaged(read_parameters(path))
    naming = recognize(parameters)
    if naming not in (OWN, None):
        raise InvalidInputError(
            f"{path}: its names are those of {naming.title}; convert it first: segtrain convert-checkpoint {path} "
            "backbone.ckpt --to backbone"
        )
    if backbone_prefix(parameters) == "":
        parameters = {f"{BACKBONE}{name}": value for name, value in parameters.items()}
    report = fill(network, parameters)
    wanted = [name for name in (*report.loaded, *report.missing, *report.mismatched) if name.startswith(BACKBONE)]
    if not set(wanted or report.loaded) & set(report.loaded):
        raise InvalidInputError(
            f"{path}: none of its parameters fits {'the backbone' if wanted else 'the network'} (first in the file: "
            f"{', '.join(list(parameters)[:3]) or 'none'}; first wanted: {', '.join((*wanted, *report.missing)[:3])})"
        )
    return report


def load_network(path: Path) -> tuple[nn.Cell, CheckpointInfo, LoadReport]:
    """Rebuild the network of a checkpoint with all its parameters, and report them; the device must be prepared.

    Of weights that the training averaged, the network gets the averages.

    Raises:
        InvalidInputError: when a file is missing or damaged.
        FaultsError: naming the parameters that are missing, superfluous or of another shape.
    """
    info, parameters = read_checkpoint(path)
    network = build_network(info.config, num_classes=len(info.class_names))
    report = fill(network, averaged(parameters))
    faults = [*report.mismatched, *(f"{name} (not in the file)" for name in report.missing)]
    faults += [f"{name} (not in the network)" for name in report.unexpected]
    if faults:
        raise FaultsError(f"{path}: {len(faults)} parameters do not fit its side file", faults)
    return network, info, report


def shape_text(shape: Sequence[int]) -> str:
    """Return a shape as it is written in messages."""
    return " x ".join(map(str, shape)) or "scalar"
