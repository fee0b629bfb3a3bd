"""Heads of the model zoo's DeepLabs: their parameters under segtrain's names, and a side file for the network."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import get_args

import numpy as np

from segdata.errors import FaultsError, InvalidInputError
from segdata.labels.classes import Classes
from segdata.text import plural
from segtrain.checkpoints.checkpoint import CheckpointInfo, shape_text
from segtrain.checkpoints.weights import Weights
from segtrain.config.config import Config
from segtrain.config.networks import Backbone, ZooModel
from segtrain.config.recipes import override, recipe
from segtrain.models import build_network

#: Recipe with the published settings of each network.
_RECIPES: dict[ZooModel, str] = {
    "DeepLabV3_s16": "deeplabv3_s16",
    "DeepLabV3_s8": "deeplabv3_s8",
    "DeepLabV3plus_s16": "deeplabv3plus_s16_r1",
    "DeepLabV3plus_s8": "deeplabv3plus_s8_r1",
}

_PREFIX = "network."

#: Starts of the names in official/cv/DeepLabv3/src/nets/deeplab_v3/deeplab_v3.py and
#: research/cv/deeplabv3plus/src/deeplab_v3plus.py of the model zoo, after `_PREFIX`, and in segtrain.
_RENAMES = {
    **{f"aspp.aspp{branch}.aspp_conv.": f"aspp.branches.{branch - 1}." for branch in range(1, 5)},
    "aspp.aspp_pooling.conv.0.": "aspp.branches.4.conv.",
    "aspp.aspp_pooling.conv.1.": "aspp.branches.4.bn.",
    "aspp.conv1.": "aspp.project.0.",
    "aspp.bn1.": "aspp.project.1.",
    "aspp.conv2.": "classifier.",
    "conv2.": "decoder.reduce.0.",
    "bn2.": "decoder.reduce.1.",
    "last_conv.0.": "decoder.fuse.0.0.",
    "last_conv.1.": "decoder.fuse.0.1.",
    "last_conv.3.": "decoder.fuse.1.0.",
    "last_conv.4.": "decoder.fuse.1.1.",
    "last_conv.6.": "decoder.classifier.",
}


def zoo_head(names: Iterable[str]) -> dict[str, str]:
    """Return the name in the file by segtrain's name, for the parameters of a DeepLab's head."""
    starts = re.compile("|".join(map(re.escape, _RENAMES)))
    found = {}
    for name in names:
        rest = name.removeprefix(_PREFIX)
        if rest != name and (match := starts.match(rest)):
            found[_RENAMES[match[0]] + rest[match.end() :]] = name
    return found


def complete(
    source: Path, values: Weights, backbone: Backbone, *, model: ZooModel | None, classes: Classes
) -> tuple[Weights, CheckpointInfo]:
    """Return the parameters of a network with its head, and a side file with which it can be evaluated.

    Args:
        source: file that the values are from, for messages.
        values: parameters of backbone and head under segtrain's names.
        backbone: ResNet of the network.
        model: the network, which the values alone do not tell.
        classes: names by class id, and the label that was ignored.

    Raises:
        InvalidInputError: when the network is not named, or not the one in the file, or has other classes.
        FaultsError: naming the parameters that are missing, unexpected or have another shape.
    """
    family = "DeepLabV3plus" if any(name.startswith("decoder.") for name in values) else "DeepLabV3"
    if model is None or model.rpartition("_")[0] != family:
        named = " or ".join(each for each in get_args(ZooModel) if each.rpartition("_")[0] == family)
        raise InvalidInputError(
            f"{source}: holds a {family}, whose output stride its parameters do not tell; expected --model {named}"
            f"{f', not {model}' if model else ''}"
        )
    last = values.get("classifier.weight", values.get("decoder.classifier.weight"))
    if last is not None and len(last) != len(classes.names):
        raise InvalidInputError(
            f"{source}: its head has {len(last)} classes, and {plural(len(classes.names), 'class name')} "
            f"{'were' if len(classes.names) != 1 else 'was'} given; expected {len(last)} (--class_names)"
        )
    config = _config(model, backbone, classes)
    network = build_network(config, num_classes=len(classes.names))
    own = {each.name: each.asnumpy() for each in network.get_parameters()}
    # Dropout's counter is not a weight, and no other program has it.
    counters = {name: value for name, value in own.items() if value.dtype != np.float32}
    found = {**{name: value.astype(np.float32) for name, value in values.items()}, **counters}
    faults = [f"{name}: missing" for name in own if name not in found]
    faults += [f"{name}: not in a {model}" for name in found if name not in own]
    faults += [
        f"{name}: {shape_text(found[name].shape)} in the file; expected {shape_text(value.shape)}"
        for name, value in own.items()
        if name in found and found[name].shape != value.shape
    ]
    if faults:
        raise FaultsError(
            f"{source}: not a complete {model}; {plural(len(faults), 'parameter')} not as expected", faults
        )
    return {name: found[name] for name in own}, _info(source, config, classes)


def _config(model: ZooModel, backbone: Backbone, classes: Classes) -> Config:
    """Return the published settings, for evaluation on this machine."""
    here = {"device_target": "CPU", "batch_size": 1, "loss_scale": 1.0, "amp": "O0"}
    given = {"backbone": backbone, "num_classes": len(classes.names), "ignore_label": classes.ignore_label}
    return override(recipe(_RECIPES[model]), {**here, **given})


def _info(source: Path, config: Config, classes: Classes) -> CheckpointInfo:
    return CheckpointInfo(
        config=config,
        class_names=classes.names,
        original_ids=tuple(range(len(classes.names))),
        ignore_label=classes.ignore_label,
        record_set=f"unknown, of {source.name}",
        inputs="",
        rows=1,
        epoch=0,
        step=0,
        best_score=None,
    )
