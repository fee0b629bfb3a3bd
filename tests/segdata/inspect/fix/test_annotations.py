"""Masks are read in another way only if the box or the area confirms it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from segdata.coco.rle import decode_rle, to_rle
from segdata.inspect.fix.annotations import ANNOTATION_CURES, clip_polygon
from segdata.inspect.fix.upright import turned, turned_annotation

HEIGHT, WIDTH = 30, 40
MASK = np.zeros((HEIGHT, WIDTH), np.uint8)
MASK[3:9, 10:30] = 1
BOX, AREA = [10, 3, 20, 6], 120
SQUARE = [5, 5, 15, 5, 15, 15, 5, 15]


def runs(pixels: np.ndarray) -> list[int]:
    """Return the lengths of the runs of an array in memory order, zeros first."""
    flat = pixels.ravel()
    lengths: list[int] = np.diff([0, *(np.flatnonzero(np.diff(flat)) + 1), flat.size]).tolist()
    return [0, *lengths] if flat[0] else lengths


def cured(code: str, **annotation: Any) -> Any:
    return ANNOTATION_CURES[code](annotation, HEIGHT, WIDTH)  # type: ignore[index]


def pixels(segmentation: object) -> np.ndarray:
    return decode_rle(to_rle(segmentation, HEIGHT, WIDTH))


@pytest.mark.parametrize(
    ("segmentation", "expected"),
    [
        ([[1, 1, 5, 5], SQUARE], [SQUARE]),
        (SQUARE, [SQUARE]),
        ([[[5, 5], [15, 5], [15, 15], [5, 15]]], [SQUARE]),
        ([[5, 5], [15, 5], [15, 15], [5, 15]], [SQUARE]),
        ([[1, 1, 5, 5]], None),
        ([[5, 5, 15, 5, 15, 15, 5]], None),
        ([["a", "b", 1, 2, 3, 4]], None),
        ([SQUARE, [1, None, 3, 4, 5, 6]], None),
        ("text", None),
    ],
)
def test_of_polygons_only_certain_parts_are_changed(segmentation: object, expected: object) -> None:
    found = cured("bad_polygon", segmentation=segmentation, bbox=[5, 5, 10, 10])
    assert found == ({} if expected is None else {"segmentation": expected})


def test_what_is_far_outside_is_cut_off_if_the_box_confirms_it() -> None:
    far = [[20, 10, 1e9, 10, 1e9, 20, 20, 20]]
    assert cured("bad_polygon", segmentation=far, bbox=[20, 10, 20, 10]) == {
        "segmentation": [[20.0, 10.0, 40.0, 10.0, 40.0, 20.0, 20.0, 20.0]]
    }
    assert cured("bad_polygon", segmentation=far, bbox=[0, 0, 5, 5]) == {}
    assert clip_polygon([50, 50, 60, 50, 60, 60], 10, 10) == []


@pytest.mark.parametrize(
    ("size", "counts"),
    [
        ([HEIGHT, WIDTH], list(map(float, runs(MASK.T)))),
        # The last run of zeros is missing.
        ([HEIGHT, WIDTH], runs(MASK.T)[:-1]),
        # Height and width are swapped; runs along columns, and along rows.
        ([WIDTH, HEIGHT], runs(MASK.T)),
        ([WIDTH, HEIGHT], runs(MASK)),
    ],
)
def test_run_lengths_are_read_as_the_box_confirms(size: list[int], counts: list[float]) -> None:
    found = cured("bad_rle", segmentation={"size": size, "counts": counts}, bbox=BOX, area=AREA)
    assert np.array_equal(pixels(found["segmentation"]), MASK)
    if isinstance(counts[0], int):
        assert cured("bad_rle", segmentation={"size": size, "counts": counts}, bbox=[0, 20, 5, 5]) == {}


@pytest.mark.parametrize("code", ["empty_mask", "area_mismatch", "box_mismatch"])
@pytest.mark.parametrize("stated", [{"bbox": BOX}, {"bbox": [0.25, 0.1, 0.5, 0.2]}, {"area": AREA}])
def test_shares_of_the_size_are_scaled_if_box_or_area_confirm_it(code: str, stated: dict[str, Any]) -> None:
    found = cured(code, segmentation=[[0.25, 0.1, 0.75, 0.1, 0.75, 0.3, 0.25, 0.3]], **stated)
    assert np.array_equal(pixels(found["segmentation"]), MASK)


@pytest.mark.parametrize(
    "segmentation",
    [[[3, 10, 3, 30, 9, 30, 9, 10]], {"size": [HEIGHT, WIDTH], "counts": runs(MASK)}],
    ids=["polygon of y, x", "runs along rows"],
)
def test_masks_with_x_and_y_exchanged_are_corrected_if_the_box_confirms_it(segmentation: Any) -> None:
    found = cured("box_mismatch", segmentation=segmentation, bbox=BOX)
    assert np.array_equal(pixels(found["segmentation"]), MASK)
    assert "bbox" not in found
    assert "segmentation" not in cured("box_mismatch", segmentation=segmentation, bbox=[0, 0, 3, 3])
    assert "segmentation" not in cured("bad_box", segmentation=segmentation, bbox=["x"])


def test_shares_that_nothing_confirms_are_a_question_and_empty_masks_are_dropped() -> None:
    assert cured("empty_mask", segmentation=[[0.25, 0.1, 0.75, 0.1, 0.75, 0.3]], bbox=[1, 1, 5, 5]) == {}
    assert cured("empty_mask", segmentation={"size": [HEIGHT, WIDTH], "counts": [HEIGHT * WIDTH]}, bbox=BOX) is None


def test_a_mask_under_another_name_is_taken_and_nothing_at_all_is_dropped() -> None:
    rle = {"size": [HEIGHT, WIDTH], "counts": runs(MASK.T)}
    assert cured("no_segmentation", rle=rle, bbox=BOX) == {"segmentation": rle}
    assert cured("no_segmentation", segmentation=[], bbox=[0, 0, 0, 0], area=0) is None
    assert cured("no_segmentation", segmentation=[], bbox=BOX) == {}


def test_box_area_and_crowd_are_made_from_the_mask() -> None:
    rle = {"size": [HEIGHT, WIDTH], "counts": runs(MASK.T)}
    assert cured("bad_box", segmentation=rle, bbox=["x"]) == {"bbox": BOX}
    assert cured("no_area", segmentation=rle) == {"area": AREA}
    assert np.array_equal(pixels(cured("crowd_polygon", segmentation=[SQUARE])["segmentation"]), pixels([SQUARE]))
    assert cured("area_mismatch", segmentation="?", area=5) == {}


@pytest.mark.parametrize("orientation", range(1, 9))
def test_masks_and_boxes_turn_as_pixels_do(orientation: int) -> None:
    upright = turned(MASK, orientation)
    for segmentation in ([[10, 3, 30, 3, 30, 9, 10, 9]], {"size": [HEIGHT, WIDTH], "counts": runs(MASK.T)}):
        values = turned_annotation({"segmentation": segmentation, "bbox": BOX}, orientation, HEIGHT, WIDTH)
        assert np.array_equal(decode_rle(to_rle(values["segmentation"], *upright.shape)), upright)
        y, x = (np.flatnonzero(upright.any(axis)) for axis in (1, 0))
        assert values["bbox"] == [x[0], y[0], len(x), len(y)]
