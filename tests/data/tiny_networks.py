"""Networks that tests build by what matters in them."""

from __future__ import annotations

from typing import Any

from mindspore import nn

from segtrain.config.recipes import override, recipe
from segtrain.models import build_network


def deeplab(model: str, *, num_classes: int, **changes: Any) -> nn.Cell:
    """Return a DeepLab with new weights; `changes` are settings."""
    return build_network(override(recipe("deeplabv3plus_cpu"), {"model": model, **changes}), num_classes=num_classes)
