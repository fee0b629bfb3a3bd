"""Conversion of other programs' checkpoints, and of segtrain's own, to weights that training can start from."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import mindspore as ms
import numpy as np

from segdata.arguments import FilePath, check_choice, local_path
from segdata.errors import FaultsError, InvalidInputError, OptionError
from segdata.files.ownership import check_target_file
from segdata.labels.classes import Classes
from segdata.text import plural
from segtrain.checkpoints.backbones import TRACKED, Shapes, backbone_shapes, nearest_backbone
from segtrain.checkpoints.checkpoint import (
    GLOBAL_STEP,
    TRAINING_STATE,
    check_beside,
    check_digest,
    shape_text,
    write_parameters,
)
from segtrain.checkpoints.heads import complete, head_names
from segtrain.checkpoints.info import CheckpointInfo, read_info, side_file
from segtrain.checkpoints.naming import (
    BACKBONE,
    OWN,
    ZOO_DEEPLAB,
    Goal,
    InputOrder,
    ParameterNames,
    averaged,
    backbone_prefix,
    recognize,
)
from segtrain.checkpoints.weights import Weights, read_weights
from segtrain.config.networks import Backbone, ZooModel


@dataclass(frozen=True, kw_only=True)
class ConversionReport:
    """Result of `convert_checkpoint`.

    Attributes:
        path: checkpoint that was written.
        source: file that was read.
        naming: program whose parameter names the source uses.
        backbone: ResNet that was found.
        to: scope of the conversion, ``backbone`` or ``model``.
        input_order: color order of the source's input; for ``bgr``, the first convolution was flipped to RGB.
        mapped: number of backbone parameters written, always all of them.
        head: number of other values written, step counter included; 0 if the source has none or none were requested.
        left_out: number of the source's names that were not written, by the part of the network they belong to.
    """

    path: str
    source: str
    naming: str
    backbone: Backbone
    to: Goal
    input_order: InputOrder
    mapped: int
    head: int
    left_out: dict[str, int]


def convert_checkpoint(
    source: FilePath,
    target: FilePath,
    *,
    to: Goal = "backbone",
    backbone: Backbone | None = None,
    input_order: InputOrder | None = None,
    model: ZooModel | None = None,
    classes: Classes | None = None,
    overwrite: bool = False,
) -> ConversionReport:
    """Convert the weights in `source` to a checkpoint with segtrain's parameter names.

    The backbone must be complete; it is written as float32.

    Args:
        source: weights in a format that `read_weights` supports, named in one of the ways in `KNOWN_NAMES`.
        target: checkpoint to write; its name ends in ``.ckpt``.
        to: ``backbone`` writes the ResNet only. ``model`` uses the names of a complete network; from a segtrain
            checkpoint it also keeps the head and the side file, and drops only the optimizer's state.
        backbone: ResNet that `source` must hold; None accepts any.
        input_order: color order of the source's input; None takes that of its family. Networks here take RGB.
        model: network in `source`, if it is a DeepLab and `classes` are given; that of torchvision needs no name.
        classes: classes of this DeepLab: its head is kept, and a side file written, so that it can be evaluated.
        overwrite: replace `target` if it exists.

    Raises:
        InvalidInputError: when `source` cannot be read, is `target`, does not match its side file, or its names follow
            no known scheme.
        OptionError: when `classes` are given for a file whose head is not kept, or that has them beside it.
        FaultsError: naming the parameters that are missing, unexpected or have another shape.
        TargetExistsError: when `target` exists and `overwrite` is false.
    """
    source, target = local_path(source), local_path(target)
    check_choice("to", to, Goal)
    check_choice("backbone", backbone, Backbone, optional=True)
    check_choice("input_order", input_order, InputOrder, optional=True)
    check_choice("model", model, ZooModel, optional=True)
    if target.suffix != ".ckpt":
        raise InvalidInputError(f"{target}: not a checkpoint name; expected one that ends in .ckpt")
    check_target_file(target, overwrite=overwrite, inputs=[source])
    check_beside(source)
    weights = averaged(read_weights(source))
    naming, prefix = _recognize(source, weights)
    names = {naming.rename(name.removeprefix(prefix)): name for name in weights if name.startswith(prefix)}
    found = _check_backbone(source, {name: weights[original].shape for name, original in names.items()}, backbone)
    body = {name: weights[names[name]].astype(np.float32) for name in backbone_shapes(found)}
    order = input_order or naming.input_order
    if order == "bgr":
        body["conv1.weight"] = np.ascontiguousarray(body["conv1.weight"][:, ::-1])
    before = BACKBONE if to == "model" else ""
    values = {f"{before}{name}": value for name, value in body.items()}
    head = _head(source, weights, naming, to=to, prefix=prefix, classes=classes)
    values |= {name: weights[original] for name, original in head.items()}
    info = read_info(source) if head and side_file(source).is_file() and not classes else None
    if classes:
        values, info = complete(source, values, found, model=model, classes=classes)
    _write(source, target, values, info, overwrite=overwrite)
    return ConversionReport(
        path=str(target),
        source=str(source),
        naming=naming.title,
        backbone=found,
        to=to,
        input_order=order,
        mapped=len(body),
        head=len(head),
        left_out=_by_kind(set(weights) - {names[name] for name in body} - set(head.values()), prefix),
    )


def _recognize(source: Path, weights: Weights) -> tuple[ParameterNames, str]:
    """Return the naming scheme of the weights and the prefix of the backbone's names."""
    naming, prefix = recognize(weights), backbone_prefix(weights)
    if naming is None or prefix is None:
        raise InvalidInputError(
            f"{source}: not a ResNet with known parameter names (first: {', '.join(list(weights)[:3])}); expected "
            "those of torchvision, timm, MindSpore's model zoo, MindCV or segtrain"
        )
    if stem := next((name for name in weights if name.startswith(f"{prefix}conv1.0.")), None):
        raise InvalidInputError(
            f"{source}: contains a ResNet-C or -D, whose conv1 consists of several convolutions ({stem}: "
            f"{shape_text(weights[stem].shape)}); expected a single one, conv1.weight: 64 x 3 x 7 x 7"
        )
    return naming, prefix


def _check_backbone(source: Path, shapes: Shapes, wanted: Backbone | None) -> Backbone:
    """Return the ResNet that has exactly these parameters."""
    nearest, faults = nearest_backbone(shapes, (wanted,) if wanted else get_args(Backbone))
    if faults:
        raise FaultsError(
            f"{source}: not a complete {nearest}; {len(faults)} parameter{'s do' if len(faults) != 1 else ' does'} "
            "not fit",
            faults,
        )
    return nearest


def _head(
    source: Path, weights: Weights, naming: ParameterNames, *, to: Goal, prefix: str, classes: Classes | None
) -> dict[str, str]:
    """Return the names in the file of all values to keep besides the backbone, by segtrain's names."""
    if classes:
        head = head_names(weights, naming, prefix)
        if to != "model" or not head:
            found = "" if head else ", without a DeepLab head that can be converted"
            raise OptionError(
                f"{source}: has the parameter names of {naming.title}{found}; with --class_names, expected --to model "
                f"and a {ZOO_DEEPLAB.title} or torchvision's DeepLabV3. Leave --class_names out."
            )
        return head
    if to == "model" and naming is OWN and prefix == BACKBONE:
        others = (BACKBONE, *TRAINING_STATE)
        return {name: name for name in weights if name == GLOBAL_STEP or not name.startswith(others)}
    return {}


def _write(source: Path, target: Path, values: Weights, info: CheckpointInfo | None, *, overwrite: bool) -> None:
    if broken := [name for name, value in values.items() if not np.isfinite(value).all()]:
        raise InvalidInputError(
            f"{source}: contains {plural(len(broken), 'non-finite parameter')} (first: {broken[0]})"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    if info:
        check_target_file(side_file(target), overwrite=overwrite)
    stale = not info and _is_described(target)
    write_parameters(target, {name: ms.Tensor(value) for name, value in values.items()}, info)
    if stale:
        side_file(target).unlink()


def _is_described(path: Path) -> bool:
    """Return whether the checkpoint at `path` exists and has a side file that belongs to it."""
    try:
        check_digest(path, read_info(path))
    except InvalidInputError:
        return False
    return True


def _by_kind(names: set[str], prefix: str) -> dict[str, int]:
    """Count `names` by the part of the network they belong to."""

    def kind(name: str) -> str:
        if name.endswith(TRACKED):
            return TRACKED
        parts = name.split(".")
        # The prefix that a name shares with the backbone says nothing about its part.
        return ".".join(parts[: 2 if prefix.startswith(f"{parts[0]}.") else 1])

    return dict(sorted(Counter(map(kind, names)).items()))
