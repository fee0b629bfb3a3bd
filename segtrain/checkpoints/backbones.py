"""ResNets in weight files: which one a file holds, and what keeps it from being complete."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import get_args

from segtrain.checkpoints.checkpoint import shape_text
from segtrain.config.networks import Backbone
from segtrain.models.resnet import BACKBONES, ResNet

#: Shapes of parameters by name.
Shapes = Mapping[str, tuple[int, ...]]

#: End of the names of counters that PyTorch's normalizations have and no other.
TRACKED = "num_batches_tracked"

#: Names of a ResNet's feature extractor; all names next to them belong to a classifier.
_BODY = re.compile(r"(conv1|bn1|layer\d+)\.")


@cache
def backbone_shapes(backbone: Backbone) -> Shapes:
    """Return the shapes of a backbone's parameters by name; they do not depend on the output stride."""
    return {parameter.name: parameter.shape for parameter in ResNet(BACKBONES[backbone], 16).get_parameters()}


def nearest_backbone(shapes: Shapes, wanted: Iterable[Backbone] = get_args(Backbone)) -> tuple[Backbone, list[str]]:
    """Return the ResNet among those `wanted` that has most of these names, and a text for each parameter not fitting.

    Args:
        shapes: shapes by segtrain's names without a prefix; those of a classifier and of counters do not matter.
        wanted: ResNets to choose from.
    """
    body = {name: shape for name, shape in shapes.items() if _BODY.match(name) and not name.endswith(TRACKED)}
    nearest = min(wanted, key=lambda backbone: len(body.keys() ^ backbone_shapes(backbone).keys()))
    expected = backbone_shapes(nearest)
    faults = [f"{name}: missing" for name in expected if name not in body]
    faults += [f"{name}: not in a {nearest}" for name in body if name not in expected]
    faults += [
        f"{name}: {shape_text(body[name])} in the file; expected {shape_text(shape)}"
        for name, shape in expected.items()
        if name in body and body[name] != shape
    ]
    return nearest, faults
