from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
import pytest

from segdata.coco.annotations import entries, measure
from segdata.coco.malformed import malformed
from segdata.errors import Fault

HEIGHT, WIDTH = 12, 16
SQUARE = [[1, 1, 5, 1, 5, 5, 1, 5]]


@pytest.mark.parametrize(
    ("segmentation", "code"),
    [
        (None, "no_segmentation"),
        ([], "no_segmentation"),
        ([1, 1, 5, 1, 5, 5], "bad_polygon"),
        ([None], "bad_polygon"),
        ({}, "bad_rle"),
        ({"size": [1, 1]}, "bad_rle"),
    ],
)
def test_masks_without_polygons_or_run_lengths_are_faults_as_for_measure(read, segmentation, code):
    coco = read({"segmentation": SQUARE}, {"segmentation": segmentation}, {"segmentation": segmentation})
    faults: list[Fault] = []
    assert malformed(coco, np.array([0, 1]), faults) == [1]
    assert [(fault.code, fault.where) for fault in faults] == [(code, "annotation 2 (a.jpg)")]
    measured: list[Fault] = []
    assert [one.shape is None for one in measure(next(entries(coco)), HEIGHT, WIDTH, measured)] == [False, True, True]
    assert (measured[0].code, measured[0].where) == (code, faults[0].where)


@pytest.mark.parametrize("segmentation", [[1, 1, 5, 1, 5, 5], [], None])
@pytest.mark.parametrize("more", [{}, {"extra": {"segmentation": SQUARE}}])
def test_the_order_of_members_does_not_matter(read, segmentation, more):
    one = {"image_id": 1, "category_id": 1}
    for member in ({"segmentation": segmentation, **more}, {**more, "segmentation": segmentation}):
        coco = read({**member, **one, "id": 1}, {**one, "id": 2, "segmentation": SQUARE})
        assert malformed(coco, np.array([0, 1]), []) == [0]


def test_polygons_that_come_first_as_in_the_files_of_coco_have_their_form(read):
    coco = read()
    raw = msgspec.Raw(b'{ "segmentation" :\n[ [1, 1, 5, 1, 5, 5]], "id": 1}')
    coco = replace(
        coco, annotations=replace(coco.annotations, raw=[raw], image=np.zeros(1, np.int64), box=np.full((1, 4), np.nan))
    )
    assert malformed(coco, np.array([0]), []) == []


@pytest.mark.parametrize("segmentation", [SQUARE, [[1, 2]], {"counts": []}, {"size": [1, 1], "counts": "11"}])
def test_the_form_says_nothing_about_the_contents(read, segmentation):
    assert malformed(read({"segmentation": segmentation}), np.array([0]), []) == []
