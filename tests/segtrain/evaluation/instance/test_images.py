from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from drawn_instances import rectangle

from segtrain.evaluation.instance.images import image_table, match_images
from segtrain.inference.instance.detections import rle_text
from segtrain.inference.instance.paste import encode_mask


def _item(image: int, category: int, start: int, end: int, **more: Any) -> Any:
    """Return an annotation or a detection that covers the columns `start` to `end` of an image of 40 columns."""
    pixels = rectangle((10, 40), start, 0, end, 10).astype(np.uint8)
    box = [start, 0, end - start, 10]
    return {
        "image_id": image,
        "category_id": category,
        "bbox": box,
        "segmentation": rle_text(encode_mask(pixels)),
        **more,
    }


TRUTH: Any = {
    "images": [{"id": id_, "file_name": f"{id_}.jpg", "height": 10, "width": 40} for id_ in (1, 2, 3)],
    "categories": [{"id": 5, "name": "cat"}, {"id": 7, "name": "dog"}],
    "annotations": [
        _item(1, 5, 0, 10, iscrowd=0),
        _item(1, 5, 10, 20, iscrowd=0),
        _item(1, 7, 30, 40, iscrowd=0),
        _item(2, 5, 0, 30, iscrowd=1),
    ],
}


def test_instances_are_matched_or_missed_or_false() -> None:
    found = [
        _item(1, 5, 0, 9, score=0.7),
        _item(1, 5, 0, 10, score=0.9),  # takes the instance, so that the one above is a duplicate
        _item(1, 7, 10, 20, score=0.8),  # another class
        _item(1, 5, 10, 20, score=0.4),  # not sure enough to be compared
    ]
    one, two, three = match_images(TRUTH, found)
    assert (one.matched, one.missed, [one.found[at]["score"] for at in one.false]) == (1, (1, 2), [0.8, 0.7])
    assert one.f1 == pytest.approx(2 / 6)
    assert (two.matched, two.missed, two.false, two.crowds, two.f1) == (0, (), (), 1, None)
    assert (three.name, three.f1) == ("3.jpg", None)


def test_a_detection_in_a_crowd_region_is_not_false() -> None:
    _, two, _ = match_images(TRUTH, [_item(2, 5, 20, 34, score=0.9), _item(2, 7, 0, 10, score=0.9)])
    assert [two.found[at]["category_id"] for at in two.false] == [7]


def test_the_table_has_a_row_for_each_image() -> None:
    titles, rows = image_table(match_images(TRUTH, [_item(1, 5, 0, 10, score=0.9)]))
    assert titles == ["image", "instances", "crowds", "detections", "matched", "missed", "false", "f1"]
    assert rows == [
        ["1.jpg", 3, 0, 1, 1, 2, 0, 0.5],
        ["2.jpg", 0, 1, 0, 0, 0, 0, None],
        ["3.jpg", 0, 0, 0, 0, 0, 0, None],
    ]
