"""What other programs call the parameters of a ResNet, and what these are called here."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar

_T = TypeVar("_T")

#: Order of the colors in a network's input.
InputOrder = Literal["rgb", "bgr"]

#: What a conversion writes: the ResNet alone, or all that a whole network has use for.
Goal = Literal["backbone", "model"]

#: What the names of a backbone begin with in a whole network.
BACKBONE = "backbone."

#: What the names of moving averages begin with; the rest is the name of what is averaged.
AVERAGE = "average."

#: Every ResNet has it; what stands before it stands before all names of the backbone.
_LANDMARK = "layer1.0.conv1.weight"


@dataclass(frozen=True)
class ParameterNames:
    """The names of one family of checkpoints.

    Attributes:
        title: what the family is called.
        marker: pattern that one of its names has, and no name of a family further down.
        renames: patterns in its names and what stands in their place here.
        input_order: order of the colors that its networks were trained on.
    """

    title: str
    marker: str
    renames: tuple[tuple[str, str], ...] = ()
    input_order: InputOrder = "rgb"

    def rename(self, name: str) -> str:
        """Return the name that a parameter of the backbone has here."""
        for pattern, replacement in self.renames:
            name = re.sub(pattern, replacement, name)
        return name


OWN = ParameterNames("segtrain", r"\bdownsample\.1\.gamma$")

KNOWN_NAMES = (
    # torchvision's networks take RGB (its documentation: "mini-batches of 3-channel RGB images"), and so do timm's
    # (`pretrained_cfg` of each has ImageNet's mean in this order).
    ParameterNames(
        "torchvision or timm",
        r"\brunning_mean$",
        (
            (r"\brunning_mean$", "moving_mean"),
            (r"\brunning_var$", "moving_variance"),
            (r"\b(bn\d|downsample\.1)\.weight$", r"\1.gamma"),
            (r"\b(bn\d|downsample\.1)\.bias$", r"\1.beta"),
        ),
    ),
    # official/cv/resnet/src/resnet.py; trained on what MindSpore's Decode gives, which is RGB (src/dataset.py).
    ParameterNames(
        "ResNet of MindSpore's model zoo",
        r"\bdown_sample_layer\.",
        ((r"\bdown_sample_layer\b", "downsample"), (r"\bbn([12])d\b", r"bn\1")),
    ),
    # mindcv/models/resnet.py; MindSpore's Decode too.
    ParameterNames("MindCV", r"\bdown_sample\.", ((r"\bdown_sample\b", "downsample"),)),
    # research/cv/deeplabv3plus/src/dataset.py decodes by OpenCV, which gives BGR.
    ParameterNames("DeepLab of MindSpore's model zoo", r"^network\.aspp\.", input_order="bgr"),
    # research/cv/deeplabv3plus/src/tools/get_pretrained_model.py takes torchvision's weights as they are, in RGB.
    ParameterNames("backbone for the DeepLab of MindSpore's model zoo", r"^network\.resnet\."),
    OWN,
)


def recognize(names: Collection[str]) -> ParameterNames | None:
    """Return the naming that `names` follow; None when it is none of those known."""
    return next((naming for naming in KNOWN_NAMES if any(re.search(naming.marker, name) for name in names)), None)


def backbone_prefix(names: Collection[str]) -> str | None:
    """Return what the names of the backbone begin with among `names`; None when there is no ResNet among them.

    An optimizer's state repeats all names behind one more prefix, so the shortest is taken.
    """
    found = [name.removesuffix(_LANDMARK) for name in names if re.search(rf"(^|\.){re.escape(_LANDMARK)}$", name)]
    return min(found, key=len, default=None)


def averaged(parameters: Mapping[str, _T]) -> dict[str, _T]:
    """Return the values of a checkpoint by name, with each average in the place of what it is of."""
    return {
        name: parameters.get(AVERAGE + name, value)
        for name, value in parameters.items()
        if not name.startswith(AVERAGE)
    }
