from __future__ import annotations

from typing import get_args

import pytest

from segdata.errors import SegDataError
from segtrain.config.config import Config
from segtrain.config.networks import Backbone
from segtrain.config.recipes import recipe
from segtrain.models import BACKBONES, build_network


def test_every_backbone_that_can_be_configured_is_there() -> None:
    assert set(BACKBONES) == set(get_args(Backbone))


@pytest.mark.parametrize("num_classes", [1, 0, -3])
def test_fewer_than_two_classes_are_refused(num_classes: int) -> None:
    config: Config = recipe("deeplabv3plus_cpu")
    with pytest.raises(SegDataError, match=f"number of classes is {num_classes}; expected at least 2"):
        build_network(config, num_classes=num_classes)
