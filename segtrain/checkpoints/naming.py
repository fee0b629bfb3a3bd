"""Parameter names of ResNets in other programs, and their names in segtrain."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar

_T = TypeVar("_T")

#: Color order of a network's input.
InputOrder = Literal["rgb", "bgr"]

#: Scope of a conversion: the ResNet only, or everything that a complete network can use.
Goal = Literal["backbone", "model"]

#: Prefix of the backbone's names in a complete network.
BACKBONE = "backbone."

#: Prefix of the names of moving averages; the rest is the name of the averaged parameter.
AVERAGE = "average."

#: A parameter that every ResNet has; its prefix is the prefix of all backbone names.
_LANDMARK = "layer1.0.conv1.weight"


@dataclass(frozen=True)
class ParameterNames:
    """Naming scheme of one family of checkpoints.

    Attributes:
        title: name of the family.
        marker: pattern that matches one of its names, and no name of a family further down the list.
        renames: patterns in its names and their replacements in segtrain.
        input_order: color order that its networks were trained on.
    """

    title: str
    marker: str
    renames: tuple[tuple[str, str], ...] = ()
    input_order: InputOrder = "rgb"

    def rename(self, name: str) -> str:
        """Return segtrain's name for a backbone parameter."""
        for pattern, replacement in self.renames:
            name = re.sub(pattern, replacement, name)
        return name


OWN = ParameterNames("segtrain", r"\bdownsample\.1\.gamma$")

# research/cv/deeplabv3plus/src/dataset.py decodes with OpenCV, which returns BGR.
ZOO_DEEPLAB = ParameterNames("DeepLab of MindSpore's model zoo", r"^network\.aspp\.", input_order="bgr")

# torchvision's networks take RGB (its documentation: "mini-batches of 3-channel RGB images"), and so do timm's
# (`pretrained_cfg` of each has ImageNet's mean in this order).
TORCH = ParameterNames(
    "torchvision or timm",
    r"\brunning_mean$",
    (
        (r"\brunning_mean$", "moving_mean"),
        (r"\brunning_var$", "moving_variance"),
        (r"\b(bn\d|downsample\.1)\.weight$", r"\1.gamma"),
        (r"\b(bn\d|downsample\.1)\.bias$", r"\1.beta"),
    ),
)

KNOWN_NAMES = (
    TORCH,
    # official/cv/resnet/src/resnet.py; trained on the output of MindSpore's Decode, which is RGB (src/dataset.py).
    ParameterNames(
        "ResNet of MindSpore's model zoo",
        r"\bdown_sample_layer\.",
        ((r"\bdown_sample_layer\b", "downsample"), (r"\bbn([12])d\b", r"bn\1")),
    ),
    # mindcv/models/resnet.py; also uses MindSpore's Decode.
    ParameterNames("MindCV", r"\bdown_sample\.", ((r"\bdown_sample\b", "downsample"),)),
    # official/cv/maskrcnn/src/maskrcnn/resnet50.py, and convert_checkpoint.py of the tutorials, which renames the model
    # zoo's ResNet without a change of its input.
    ParameterNames(
        "Mask R-CNN of MindSpore's model zoo and tutorials",
        r"\bconv_down_sample\b",
        ((r"\bconv_down_sample\b", "downsample.0"), (r"\bbn_down_sample\b", "downsample.1")),
    ),
    ZOO_DEEPLAB,
    # research/cv/deeplabv3plus/src/tools/get_pretrained_model.py uses torchvision's weights unchanged, in RGB.
    ParameterNames("backbone for the DeepLab of MindSpore's model zoo", r"^network\.resnet\."),
    OWN,
)


def recognize(names: Collection[str]) -> ParameterNames | None:
    """Return the naming scheme that `names` follow; None if it is unknown."""
    return next((naming for naming in KNOWN_NAMES if any(re.search(naming.marker, name) for name in names)), None)


def backbone_prefix(names: Collection[str]) -> str | None:
    """Return the prefix of the backbone's names among `names`; None if they include no ResNet.

    An optimizer's state repeats names with an extra prefix, which is not that of the backbone.
    """
    landmark = re.compile(rf"(?!moments?[12]?\.)(.*\.)?{re.escape(_LANDMARK)}")
    found = [name.removesuffix(_LANDMARK) for name in names if landmark.fullmatch(name)]
    return min(found, key=len, default=None)


def averaged(parameters: Mapping[str, _T]) -> dict[str, _T]:
    """Return the values of a checkpoint by name, each replaced by its average if it has one."""
    return {
        name: parameters.get(AVERAGE + name, value)
        for name, value in parameters.items()
        if not name.startswith(AVERAGE)
    }
