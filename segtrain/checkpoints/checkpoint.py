"""Checkpoints: parameters in ``NAME.ckpt``, everything needed to rebuild and judge the network in ``NAME.json``."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import mindspore as ms
import msgspec
import numpy as np
from mindspore import nn

from segdata.errors import FaultsError, InvalidInputError, SegDataError
from segdata.files.paths import file_digest
from segdata.files.publishing import file_mode, naming, staged_file, write_file
from segdata.text import plural
from segtrain.checkpoints.info import CheckpointInfo, read_info, side_file
from segtrain.checkpoints.naming import averaged
from segtrain.checkpoints.weights import Parameters, read_parameters
from segtrain.models import build_network

_log = logging.getLogger(__name__)


#: Step counter of MindSpore's optimizers. In a checkpoint, it is the only authority on how far training had come.
GLOBAL_STEP = "global_step"

#: List of learning rates in MindSpore's optimizers.
RATES = "learning_rate"

#: Adam's state: two moments of each parameter, and the powers of its two decay rates.
ADAM_STATE = ("moment1.", "moment2.", "beta1_power", "beta2_power")

#: Contents of a training checkpoint besides the network: the optimizer's state, under MindSpore's names.
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


@dataclass(frozen=True)
class LoadReport:
    """Outcome for every key when a checkpoint is loaded into a network; names in network or file order.

    Attributes:
        loaded: parameters that were set.
        missing: parameters of the network that are not in the file.
        unexpected: keys in the file that are not in the network, except the optimizer's state.
        mismatched: parameters whose shapes differ, with both shapes; they are not set.
    """

    loaded: tuple[str, ...]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    mismatched: tuple[str, ...]


def save_checkpoint(path: Path, parameters: Iterable[ms.Parameter], info: CheckpointInfo) -> None:
    """Write the side file and then the checkpoint, each by rename.

    A process that is killed between the two leaves an older checkpoint with a newer side file, which therefore has the
    digests of both. Only `epoch`, `step` and `best_score` differ then, and the checkpoint's own `GLOBAL_STEP` settles
    them.

    Raises:
        SegDataError: when a parameter is not finite; nothing is written.
    """
    values = {parameter.name: parameter for parameter in parameters}
    broken = [name for name, value in values.items() if not np.isfinite(value.asnumpy()).all()]
    if broken:
        raise SegDataError(
            f"step {info.step}: found {plural(len(broken), 'non-finite parameter')} (first: {broken[0]}); the training "
            "diverged. Lower base_lr. The last checkpoint, if there is one, was kept."
        )
    write_parameters(path, values, info)


def write_parameters(path: Path, values: Mapping[str, ms.Tensor], info: CheckpointInfo | None) -> None:
    """Write a checkpoint by rename, after its side file if there is `info` for one."""
    clear_staged(path)
    staged = _staged(path)
    try:
        with naming(path):
            ms.save_checkpoint([{"name": name, "data": value} for name, value in values.items()], str(staged))
        staged.chmod(file_mode())
        if info:
            info = replace(info, sha256=tuple(file_digest(each) for each in (staged, path) if each.is_file()))
            write_file(side_file(path), msgspec.json.format(msgspec.json.encode(info)) + b"\n", overwrite=True)
        staged.replace(path)
        _log.debug("wrote %s", path)
    finally:
        clear_staged(path)


def _staged(path: Path) -> Path:
    # MindSpore requires the suffix.
    return path.with_name(f".{path.stem}.staged.ckpt")


def clear_staged(path: Path) -> None:
    """Remove what a killed run left while it wrote the checkpoint at `path`, or its side file."""
    # MindSpore itself writes to a file that ends in .tmp first, and makes its file read-only.
    for left in (_staged(path), _staged(path).with_suffix(".tmp"), staged_file(side_file(path))):
        left.unlink(missing_ok=True)


def link_checkpoint(source: Path, target: Path) -> None:
    """Give the checkpoint at `source` a second name, as a hard link if the file system supports it, else as a copy."""
    for old, new in ((side_file(source), side_file(target)), (source, target)):
        new.unlink(missing_ok=True)
        try:
            os.link(old, new)
        except OSError:
            shutil.copyfile(old, new)


def remove_checkpoint(path: Path) -> None:
    """Remove a checkpoint, then its side file."""
    for file in (path, side_file(path)):
        with contextlib.suppress(FileNotFoundError):
            file.unlink()


def read_checkpoint(path: Path) -> tuple[CheckpointInfo, Parameters]:
    """Return the side file and the parameters of a checkpoint; if their steps disagree, the checkpoint wins.

    Raises:
        InvalidInputError: when either is missing or damaged.
    """
    _log.info("read %s", path)
    info = read_info(path)
    check_digest(path, info)
    parameters = read_parameters(path)
    if GLOBAL_STEP in parameters:
        step = int(parameters[GLOBAL_STEP].asnumpy()[0])
        steps_per_epoch = max(info.rows * info.config.repeat // (info.config.batch_size * info.devices), 1)
        info = replace(info, step=step, epoch=-(-step // steps_per_epoch))
    return info, parameters


def check_digest(path: Path, info: CheckpointInfo) -> None:
    """Raise `InvalidInputError` unless the checkpoint at `path` is the one that its side file describes."""
    if info.sha256 and file_digest(path) not in info.sha256:
        raise InvalidInputError(
            f"{path}: does not match {side_file(path).name}: its SHA-256 is not {info.sha256[0]}. Copy both "
            "files again, or use another checkpoint, such as a numbered one."
        )


def check_beside(path: Path) -> None:
    """Check the weights at `path` against their side file, if they have one: a file from elsewhere has none.

    Raises:
        InvalidInputError: when the weights are not those that the side file describes.
    """
    try:
        info = read_info(path)
    except InvalidInputError:
        return
    check_digest(path, info)


def fill(cell: nn.Cell, parameters: Parameters) -> LoadReport:
    """Set the parameters of `cell` that appear in `parameters` with the same name and shape."""
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
    """Restore the saved state of a training step: its network and its optimizer.

    Raises:
        InvalidInputError: when part of that state is missing.
    """
    report = fill(train_step, parameters)
    # The learning rates follow from the configuration, so they are not saved.
    missing = [name for name in (*report.mismatched, *report.missing) if name != RATES]
    if missing:
        raise InvalidInputError(
            f"the checkpoint lacks {plural(len(missing), 'value')} of the training state (first: {missing[0]}), so "
            "training cannot resume. Start another run from its weights with --ckpt_pre_trained."
        )


def load_network(path: Path) -> tuple[nn.Cell, CheckpointInfo, LoadReport]:
    """Rebuild the network of a checkpoint with all its parameters, and report them; call `prepare_device` first.

    If training averaged the weights, the network gets the averages.

    Raises:
        InvalidInputError: when a file is missing or damaged.
        FaultsError: naming the parameters that are missing, unexpected or have another shape.
    """
    info, parameters = read_checkpoint(path)
    network = build_network(info.config, num_classes=len(info.class_names))
    report = fill(network, averaged(parameters))
    faults = [*report.mismatched, *(f"{name} (not in the file)" for name in report.missing)]
    faults += [f"{name} (not in the network)" for name in report.unexpected]
    if faults:
        raise FaultsError(
            f"{path}: {len(faults)} parameter{'s do' if len(faults) != 1 else ' does'} not match its side file", faults
        )
    return network, info, report


def shape_text(shape: Sequence[int]) -> str:
    """Return a shape as messages show it."""
    return " x ".join(map(str, shape)) or "scalar"
