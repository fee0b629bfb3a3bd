"""Checkpoints of other programs, and whole checkpoints of this one, to what a training here starts from."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import get_args

import mindspore as ms
import numpy as np

from segdata.errors import FaultsError, InvalidInputError
from segdata.files import check_target_file, write_file
from segtrain.checkpoints.checkpoint import (
    GLOBAL_STEP,
    TRAINING_STATE,
    read_info,
    shape_text,
    side_file,
    write_parameters,
)
from segtrain.checkpoints.naming import (
    BACKBONE,
    OWN,
    Goal,
    InputOrder,
    ParameterNames,
    averaged,
    backbone_prefix,
    recognize,
)
from segtrain.checkpoints.weights import Weights, read_weights
from segtrain.config.config import Backbone
from segtrain.models.resnet import BACKBONES, ResNet

#: Names of a ResNet's feature extractor; what else stands beside them is a classifier's.
_BODY = re.compile(r"(conv1|bn1|layer\d+)\.")
_TRACKED = "num_batches_tracked"


@dataclass(frozen=True, kw_only=True)
class ConversionReport:
    """What `convert_checkpoint` did.

    Attributes:
        source: the file that was read.
        target: the checkpoint that was written.
        naming: whose names the source has.
        backbone: the ResNet that was found.
        to: what was written.
        input_order: order of the colors in the source's input; of ``bgr`` the first convolution was turned round.
        mapped: parameters of the backbone that were written, which is all it has.
        head: what else was written, the step counter too; 0: the source has nothing else, or it was not asked for.
        left_out: how many of the source's names were not written, by what they belong to.
    """

    source: str
    target: str
    naming: str
    backbone: Backbone
    to: Goal
    input_order: InputOrder
    mapped: int
    head: int
    left_out: dict[str, int]


def convert_checkpoint(
    source: Path,
    target: Path,
    *,
    to: Goal = "backbone",
    backbone: Backbone | None = None,
    input_order: InputOrder | None = None,
    overwrite: bool = False,
) -> ConversionReport:
    """Write what `source` holds of a network here as a checkpoint with the names that parameters have here.

    The backbone is written as float32 and must be complete.

    Args:
        source: weights in one of the formats of `read_weights`, by one of the names of `NAMINGS`.
        target: the checkpoint to write, ending in ``.ckpt``.
        to: ``backbone``: the ResNet alone. ``model``: by the names of a whole network; from a checkpoint of this
            program head and side file too, so that only the optimizer's state is left out.
        backbone: the ResNet that `source` must hold; None: the one that it holds.
        input_order: order of the colors in the source's input; None: that of its family. The networks here take RGB.
        overwrite: replace `target`.

    Raises:
        InvalidInputError: when `source` cannot be read or its names follow no known rule.
        FaultsError: naming what is missing, superfluous or of another shape in its backbone.
        TargetExistsError: when `target` exists and `overwrite` is false.
    """
    if target.suffix != ".ckpt":
        raise InvalidInputError(f"{target}: the name of a checkpoint must end in .ckpt")
    check_target_file(target, overwrite=overwrite)
    weights = averaged(read_weights(source))
    naming, prefix = _recognize(source, weights)
    names = {naming.rename(name.removeprefix(prefix)): name for name in weights if name.startswith(prefix)}
    found = _check_backbone(source, {name: weights[original].shape for name, original in names.items()}, backbone)
    body = {name: weights[names[name]].astype(np.float32) for name in _shapes(found)}
    order = input_order or naming.input_order
    if order == "bgr":
        body["conv1.weight"] = np.ascontiguousarray(body["conv1.weight"][:, ::-1])
    head = _head(weights) if to == "model" and naming is OWN and prefix == BACKBONE else {}
    before = BACKBONE if to == "model" else ""
    values = {**{f"{before}{name}": value for name, value in body.items()}, **head}
    _write(source, target, values, with_side_file=bool(head) and side_file(source).is_file(), overwrite=overwrite)
    return ConversionReport(
        source=str(source),
        target=str(target),
        naming=naming.title,
        backbone=found,
        to=to,
        input_order=order,
        mapped=len(body),
        head=len(head),
        left_out=_by_kind(set(weights) - {names[name] for name in body} - set(head), prefix),
    )


def _recognize(source: Path, weights: Weights) -> tuple[ParameterNames, str]:
    """Return whose names these are, and what those of the backbone begin with."""
    naming, prefix = recognize(weights), backbone_prefix(weights)
    if naming is None or prefix is None:
        raise InvalidInputError(
            f"{source}: its names are not those of a ResNet of torchvision, timm, MindSpore's model zoo, MindCV or "
            f"segtrain; the first are {', '.join(list(weights)[:3])}"
        )
    if stem := next((name for name in weights if name.startswith(f"{prefix}conv1.0.")), None):
        raise InvalidInputError(
            f"{source}: a ResNet-C or -D, whose conv1 is several convolutions ({stem}: "
            f"{shape_text(weights[stem].shape)}); the networks here begin with one, conv1.weight: 64 x 3 x 7 x 7"
        )
    return naming, prefix


def _check_backbone(source: Path, shapes: dict[str, tuple[int, ...]], wanted: Backbone | None) -> Backbone:
    """Return the ResNet whose parameters these are, all of them and no others."""
    body = {name: shape for name, shape in shapes.items() if _BODY.match(name) and not name.endswith(_TRACKED)}
    candidates: tuple[Backbone, ...] = (wanted,) if wanted else get_args(Backbone)
    differences = {candidate: body.keys() ^ _shapes(candidate).keys() for candidate in candidates}
    nearest = min(candidates, key=lambda candidate: len(differences[candidate]))
    expected = _shapes(nearest)
    faults = [f"{name}: missing" for name in expected if name not in body]
    faults += [f"{name}: not in a {nearest}" for name in body if name not in expected]
    faults += [
        f"{name}: {shape_text(body[name])} in the file, {shape_text(shape)} expected"
        for name, shape in expected.items()
        if name in body and body[name] != shape
    ]
    if faults:
        raise FaultsError(f"{source}: no whole {nearest}, {len(faults)} parameters do not fit", faults)
    return nearest


@cache
def _shapes(backbone: Backbone) -> dict[str, tuple[int, ...]]:
    """Return the shapes of a backbone's parameters by name; the output stride does not change them."""
    return {parameter.name: parameter.shape for parameter in ResNet(BACKBONES[backbone], 16).get_parameters()}


def _head(weights: Weights) -> Weights:
    """Return what a whole network has beside its backbone, and the count of the steps it was trained."""
    others = (BACKBONE, *TRAINING_STATE)
    return {name: value for name, value in weights.items() if name == GLOBAL_STEP or not name.startswith(others)}


def _write(source: Path, target: Path, values: Weights, *, with_side_file: bool, overwrite: bool) -> None:
    if broken := [name for name, value in values.items() if not np.isfinite(value).all()]:
        raise InvalidInputError(f"{source}: {len(broken)} parameters are not finite (first: {broken[0]})")
    target.parent.mkdir(parents=True, exist_ok=True)
    if with_side_file:
        read_info(source)
        write_file(side_file(target), side_file(source).read_bytes(), overwrite=overwrite)
    write_parameters(target, {name: ms.Tensor(value) for name, value in values.items()})


def _by_kind(names: set[str], prefix: str) -> dict[str, int]:
    """Count `names` by the part of the network that they belong to."""

    def kind(name: str) -> str:
        if name.endswith(_TRACKED):
            return _TRACKED
        parts = name.split(".")
        # Of names that stand in the same whole as the backbone, the whole says nothing.
        return ".".join(parts[: 2 if prefix.startswith(f"{parts[0]}.") else 1])

    return dict(sorted(Counter(map(kind, names)).items()))
