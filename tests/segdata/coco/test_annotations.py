from __future__ import annotations

import json
from dataclasses import replace

import msgspec
import numpy as np
import pytest
from hypothesis import example, given, strategies as st

from segdata.coco.annotations import duplicate_images, entries, measure, orphans, stated_box
from segdata.coco.file import read_coco
from segdata.coco.malformed import malformed
from segdata.errors import Fault

HEIGHT, WIDTH = 12, 16
SQUARE = [[1, 1, 5, 1, 5, 5, 1, 5]]


@pytest.fixture(scope="module")
def read(tmp_path_factory):
    """Read a COCO file with these annotations of one image, or with these images."""
    path = tmp_path_factory.mktemp("coco") / "a.json"

    def reading(*annotations, names=("a.jpg",)):
        images = [{"id": id_, "file_name": name} for id_, name in enumerate(names, start=1)]
        known = {"image_id": 1, "category_id": 1}
        full = [{**one, "id": id_, **known, **one} for id_, one in enumerate(annotations, start=1)]
        path.write_text(json.dumps({"images": images, "annotations": full, "categories": [{"id": 1, "name": "cat"}]}))
        return read_coco(path)

    return reading


def shape_of(coco, height=HEIGHT, width=WIDTH):
    """Return the annotation with its faults."""
    faults: list[Fault] = []
    (annotation,) = measure(next(entries(coco)), height, width, faults)
    return annotation, faults


# Boxes

number = st.floats(-40, 40) | st.floats(0, 1e-5) | st.floats(allow_nan=False, allow_infinity=False)


@given(st.tuples(number, number, number, number))
@example((5.0, 2.0, 1e-7, 5.0))
@example((2.0, 5.0, 5.0, 1e-7))
@example((1e308, 0.0, 1e308, 5.0))
@example((-1e308, 0.0, -1e308, 5.0))
def test_every_accepted_box_has_an_area_in_the_image_as_float32(read, bbox):
    annotation, faults = shape_of(read({"segmentation": SQUARE, "bbox": bbox}))
    shape = annotation.shape
    assert (shape is None) == bool(faults)
    if faults:
        assert [fault.code for fault in faults] == ["bad_box"]
        assert stated_box(annotation, HEIGHT, WIDTH) is None
        return
    x1, y1, x2, y2 = np.array(shape.box, np.float32)
    assert 0 <= x1 < x2 <= WIDTH
    assert 0 <= y1 < y2 <= HEIGHT
    assert np.array_equal(np.array(shape.box, np.float32), np.array(shape.box))
    # Fractions of the image's size tell no place in pixels.
    assert stated_box(annotation, HEIGHT, WIDTH) == (shape.box if max(x2, y2) > 1 else None)


@pytest.mark.parametrize("bbox", [[5, 2, 1e-7, 5], [2, 5, 5, 1e-7]])
def test_a_box_too_thin_for_float32_is_a_fault(read, bbox):
    _, (fault,) = shape_of(read({"segmentation": SQUARE, "bbox": bbox}))
    assert fault.code == "bad_box"
    assert fault.what.endswith("has no area inside the image (16 x 12 pixels), computed in float32")


def test_a_missing_box_is_that_of_the_mask_but_is_not_stated(read):
    annotation, faults = shape_of(read({"segmentation": SQUARE}))
    assert faults == []
    assert annotation.shape.box == [1, 1, 5, 5]
    assert stated_box(annotation, HEIGHT, WIDTH) is None


# Files with several image objects


def test_files_with_several_image_objects_are_named_however_they_are_spelled(read):
    coco = read(names=("a.jpg", "b.jpg", "./a.jpg", "x//c.jpg", "a.jpg", "x/c.jpg"))
    assert [str(fault) for fault in duplicate_images(coco)] == [
        "a.jpg: named by the image ids 1, 3, 5",
        "x/c.jpg: named by the image ids 4, 6",
    ]
    assert {fault.code for fault in duplicate_images(coco)} == {"duplicate_image"}


def test_the_files_of_some_images_are_compared_with_those_of_all(read):
    coco = read(names=("a.jpg", "b.jpg", "a.jpg"))
    assert duplicate_images(coco, np.array([1])) == []
    assert [fault.where for fault in duplicate_images(coco, np.array([1, 2]))] == ["a.jpg"]


# The form of masks


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


def test_orphans_are_named_in_the_order_of_the_file(read):
    coco = read({"category_id": 9}, {"segmentation": SQUARE}, {"image_id": 9})
    assert [str(fault) for fault in orphans(coco)] == [
        "annotation 1: refers to a category that the file does not contain",
        "annotation 3: refers to an image that the file does not contain",
    ]
