from __future__ import annotations

from typing import Any

import pytest

from segdata.errors import SegDataError
from segtrain.models import BACKBONES, MODELS, build


def _build(model: str = "DeepLabV3plus_s16", **changes: Any) -> None:
    build(model, **{"num_classes": 21, "backbone": "resnet18", "atrous_rates": (6, 12, 18)} | changes)


def test_published_names_are_known() -> None:
    assert set(MODELS) == {"DeepLabV3_s16", "DeepLabV3_s8", "DeepLabV3plus_s16", "DeepLabV3plus_s8"}
    assert set(BACKBONES) == {"resnet18", "resnet50", "resnet101"}


@pytest.mark.parametrize("model", ["deeplabv3plus_s16", "DeepLabV3plus-s16", "DeepLabV3plus_s61"])
def test_a_misspelt_model_is_met_by_its_near_name_and_the_list(model: str) -> None:
    with pytest.raises(SegDataError, match=r"did you mean DeepLabV3plus_s16.*known are .*DeepLabV3plus_s8") as error:
        _build(model)
    assert repr(model) in str(error.value)


def test_a_misspelt_backbone_is_met_by_its_near_name_and_the_list() -> None:
    with pytest.raises(SegDataError, match=r"backbone.*'ResNet-50'.*did you mean resnet50.*known are resnet101, "):
        _build(backbone="ResNet-50")


def test_a_name_like_no_other_gets_the_list_only() -> None:
    with pytest.raises(SegDataError, match=r"no model is called 'vgg'; known are DeepLabV3_s16, DeepLabV3_s8, "):
        _build("vgg")


@pytest.mark.parametrize("num_classes", [1, 0, -3])
def test_fewer_than_two_classes_are_refused(num_classes: int) -> None:
    with pytest.raises(SegDataError, match=f"number of classes is {num_classes}: expected at least 2"):
        _build(num_classes=num_classes)


@pytest.mark.parametrize("rates", [(), (6, 0), (-1,)])
def test_atrous_rates_below_one_are_refused(rates: tuple[int, ...]) -> None:
    with pytest.raises(SegDataError, match="atrous rates"):
        _build(atrous_rates=rates)
