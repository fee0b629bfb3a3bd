"""Weights to start a training from: a backbone, or the checkpoint of another network."""

from __future__ import annotations

from pathlib import Path

from mindspore import nn

from segdata.errors import FaultsError, InvalidInputError
from segdata.text import plural
from segtrain.checkpoints.backbones import Shapes, nearest_backbone
from segtrain.checkpoints.checkpoint import LoadReport, check_beside, fill
from segtrain.checkpoints.info import read_info
from segtrain.checkpoints.naming import BACKBONE, OWN, averaged, backbone_prefix, recognize
from segtrain.checkpoints.weights import Parameters, read_parameters


def load_pretrained(network: nn.Cell, path: Path) -> LoadReport:
    """Initialize `network` from the file at `path`, preferring averages to weights, and report every key.

    The file may hold only a backbone, or be the checkpoint of another network: one with a different output stride,
    which has the same parameters, or one for different classes, whose head has another shape and is not loaded. The
    backbone is loaded completely or not at all: with some random weights in it, a network learns, but badly.

    Raises:
        InvalidInputError: when nothing in the file fits the backbone, it holds another ResNet, its names show that it
            comes from another program and must be converted first, or it is damaged.
        FaultsError: naming the parameters that keep the file from having the complete backbone.
    """
    check_beside(path)
    parameters = averaged(read_parameters(path))
    naming = recognize(parameters)
    if naming not in (OWN, None):
        raise InvalidInputError(f"{path}: uses the parameter names of {naming.title}. {_convert_first(path)}")
    if backbone_prefix(parameters) == "":
        parameters = {f"{BACKBONE}{name}": value for name, value in parameters.items()}
    _check_backbone(network, path, parameters)
    report = fill(network, parameters)
    if not report.loaded:
        raise _nothing_fits(path, "the network", parameters, [*report.missing, *report.mismatched])
    return report


def other_classes(path: Path, names: tuple[str, ...]) -> tuple[str, ...]:
    """Return a sentence if the checkpoint at `path` was trained for other classes, as many as `names`.

    Its head has the shape of the network's, so `load_pretrained` takes it as it is.
    """
    try:
        found = read_info(path).class_names
    except InvalidInputError:
        # A file from elsewhere does not say what its classes are.
        return ()
    if len(found) != len(names) or found == names:
        return ()
    theirs, ours = next(pair for pair in zip(found, names, strict=True) if pair[0] != pair[1])
    return (
        f"{path.name} was trained for other classes ({theirs!r} where this record set has {ours!r}); the head starts "
        "with their weights",
    )


def _check_backbone(network: nn.Cell, path: Path, parameters: Parameters) -> None:
    """Check that the file has the network's backbone, if the network has one."""
    wanted = _backbone({parameter.name: parameter.shape for parameter in network.get_parameters()})
    found = _backbone({name: value.shape for name, value in parameters.items()})
    if not wanted:
        return
    if not found:
        raise _nothing_fits(path, "the backbone", parameters, [f"{BACKBONE}{name}" for name in wanted])
    own, _ = nearest_backbone(wanted)
    theirs, others = nearest_backbone(found)
    if theirs != own and not others:
        raise InvalidInputError(
            f"{path}: contains a {theirs}; expected a {own}, the backbone of this network. Start from weights of a "
            f"{own}, or train with --set backbone={theirs}."
        )
    _, faults = nearest_backbone(found, [own])
    if faults:
        raise FaultsError(
            f"{path}: {plural(len(faults), 'parameter')} of its backbone "
            f"{'do' if len(faults) != 1 else 'does'} not fit a {own} with segtrain's names. {_convert_first(path)} "
            "What differs",
            faults,
        )


def _backbone(shapes: Shapes) -> Shapes:
    return {name.removeprefix(BACKBONE): shape for name, shape in shapes.items() if name.startswith(BACKBONE)}


def _convert_first(path: Path) -> str:
    return f"Convert it first: segtrain convert-checkpoint {path} backbone.ckpt --to backbone."


def _nothing_fits(path: Path, what: str, parameters: Parameters, expected: list[str]) -> InvalidInputError:
    return InvalidInputError(
        f"{path}: no parameter fits {what} (first in the file: {', '.join(list(parameters)[:3]) or 'none'}; first "
        f"expected: {', '.join(expected[:3])})"
    )
