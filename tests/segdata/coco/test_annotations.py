from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, strategies as st

from segdata.coco.annotations import entries, measure, stated_box
from segdata.errors import Fault

HEIGHT, WIDTH = 12, 16
SQUARE = [[1, 1, 5, 1, 5, 5, 1, 5]]


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
