from __future__ import annotations

from typing import Any

import msgspec
import pytest

from segdata.errors import InvalidInputError
from segtrain.config.mask_rcnn import MaskRcnn


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"image_height": 100}, "image_height = 100"),
        ({"image_width": 16}, "image_width = 16"),
        ({"anchor_scales": ()}, "anchor_scales"),
        ({"rpn_negative_iou": 0.8}, "rpn_negative_iou"),
        ({"rpn_positives": 300}, "rpn_samples"),
    ],
)
def test_settings_that_do_not_fit_together_are_told(values: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidInputError, match=words):
        MaskRcnn(**values)


def test_settings_are_written_as_plain_values_and_read_back() -> None:
    settings = MaskRcnn(image_height=256, image_width=320, anchor_scales=(4.0, 8.0))
    assert msgspec.convert(msgspec.to_builtins(settings), MaskRcnn, strict=False) == settings


def test_a_value_of_the_wrong_type_is_told() -> None:
    with pytest.raises(msgspec.ValidationError, match="max_detections"):
        msgspec.convert({"max_detections": 0}, MaskRcnn)
