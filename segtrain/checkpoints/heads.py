"""Heads of other programs' DeepLabs: their parameters under segtrain's names, and a side file for the network."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, get_args

import numpy as np

from segdata.errors import FaultsError, InvalidInputError
from segdata.labels.classes import Classes
from segtrain.checkpoints.backbones import TRACKED
from segtrain.checkpoints.checkpoint import shape_text
from segtrain.checkpoints.info import CheckpointInfo
from segtrain.checkpoints.naming import BACKBONE, TORCH, ZOO_DEEPLAB, ParameterNames
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

#: Settings of torchvision's DeepLabV3 that differ from those of the model zoo: torchvision/models/segmentation, and
#: references/segmentation for the sizes; its mean and standard deviation are the defaults.
_TORCH_SETTINGS: dict[str, Any] = {"form": "torchvision", "atrous_rates": (12, 24, 36), "crop_size": 520}

#: Start of the names of the head's parameters, and of no other, in torchvision's DeepLabV3.
_TORCH_ASPP = "classifier.0.convs."

#: Starts of the names in official/cv/DeepLabv3/src/nets/deeplab_v3/deeplab_v3.py and
#: research/cv/deeplabv3plus/src/deeplab_v3plus.py of the model zoo, after ``network.``, and in segtrain.
_ZOO_RENAMES = {
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

#: Starts of the names in torchvision/models/segmentation/deeplabv3.py, and in segtrain.
_TORCH_RENAMES = {
    **{f"{_TORCH_ASPP}{branch}.": f"aspp.branches.{branch}." for branch in range(4)},
    f"{_TORCH_ASPP}4.1.": "aspp.branches.4.conv.",
    f"{_TORCH_ASPP}4.2.": "aspp.branches.4.bn.",
    "classifier.0.project.": "aspp.project.",
    "classifier.1.": "head.0.",
    "classifier.2.": "head.1.",
    "classifier.4.": "classifier.",
}

#: Names of a normalization's parameters in PyTorch, and in segtrain.
_NORM = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}

#: A name in segtrain of a parameter of one of the head's normalizations, up to the last part.
_NORMALIZATION = re.compile(r"(.*\.(1|bn)\.)(\w+)")


def head_names(names: Iterable[str], naming: ParameterNames, prefix: str) -> dict[str, str]:
    """Return the name in the file by segtrain's name, for the parameters of a DeepLab's head; empty if it has none.

    Args:
        names: names in the file.
        naming: naming scheme that they follow.
        prefix: prefix of the backbone's names.
    """
    if naming is ZOO_DEEPLAB:
        return _renamed(names, "network.", _ZOO_RENAMES)
    root = prefix.removesuffix(BACKBONE)
    if naming is not TORCH or root == prefix or not any(name.startswith(root + _TORCH_ASPP) for name in names):
        return {}
    found = _renamed((name for name in names if not name.endswith(TRACKED)), root, _TORCH_RENAMES)
    return {
        match[1] + _NORM.get(match[3], match[3]) if (match := _NORMALIZATION.fullmatch(own)) else own: name
        for own, name in found.items()
    }


def _renamed(names: Iterable[str], prefix: str, renames: Mapping[str, str]) -> dict[str, str]:
    starts = re.compile("|".join(map(re.escape, renames)))
    found = {}
    for name in names:
        rest = name[len(prefix) :]
        if name.startswith(prefix) and (match := starts.match(rest)):
            found[renames[match[0]] + rest[match.end() :]] = name
    return found


def complete(
    source: Path, values: Weights, backbone: Backbone, *, model: ZooModel | None, classes: Classes
) -> tuple[Weights, CheckpointInfo]:
    """Return the parameters of a network with its head, and a side file with which it can be evaluated.

    Args:
        source: file that the values are from, for messages.
        values: parameters of backbone and head under segtrain's names.
        backbone: ResNet of the network.
        model: the network, which the values alone do not tell, except for torchvision's DeepLabV3.
        classes: names by class id, and the label that was ignored.

    Raises:
        InvalidInputError: when the network is not named, or not the one in the file, or has other classes.
        FaultsError: naming the parameters that are missing, unexpected or have another shape.
    """
    torchvision = any(name.startswith("head.") for name in values)
    model = _torchvision(source, model) if torchvision else _named(source, values, model)
    last = values.get("classifier.weight", values.get("decoder.classifier.weight"))
    if last is not None and len(last) != len(classes.names):
        raise InvalidInputError(
            f"{source}: its head has {len(last)} classes, but --class_names has {len(classes.names)}; expected the "
            f"names of all {len(last)}"
        )
    config = _config(model, backbone, classes, _TORCH_SETTINGS if torchvision else {})
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
            f"{source}: not a complete {model}; {len(faults)} parameter{'s do' if len(faults) != 1 else ' does'} "
            "not fit",
            faults,
        )
    return {name: found[name] for name in own}, _info(source, config, classes)


def _named(source: Path, values: Weights, model: ZooModel | None) -> ZooModel:
    """Return the network of the model zoo, which must be one that can have these values."""
    family = "DeepLabV3plus" if any(name.startswith("decoder.") for name in values) else "DeepLabV3"
    if model is None or model.rpartition("_")[0] != family:
        named = " or ".join(each for each in get_args(ZooModel) if each.rpartition("_")[0] == family)
        raise InvalidInputError(
            f"{source}: contains a {family}, and its parameters do not show the output stride; expected --model {named}"
            f"{f', not {model}' if model else ''}"
        )
    return model


def _torchvision(source: Path, model: ZooModel | None) -> ZooModel:
    if model not in (None, "DeepLabV3_s8"):
        raise InvalidInputError(
            f"{source}: contains torchvision's DeepLabV3, which has output stride 8; expected --model DeepLabV3_s8, "
            f"not {model}"
        )
    return "DeepLabV3_s8"


def _config(model: ZooModel, backbone: Backbone, classes: Classes, settings: Mapping[str, Any]) -> Config:
    """Return the published settings, except `settings`, for evaluation on this machine."""
    here = {"device_target": "CPU", "batch_size": 1, "loss_scale": 1.0, "amp": "O0"}
    given = {"backbone": backbone, "num_classes": len(classes.names), "ignore_label": classes.ignore_label}
    return override(recipe(_RECIPES[model]), {**here, **given, **settings})


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
