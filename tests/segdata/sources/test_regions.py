"""Outlines of masks: a polygon is exactly the mask, or the mask stays run lengths."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from pycocotools import mask as runs

from segdata.coco.rle import decode_rle, to_rle
from segdata.sources.instance_masks.regions import polygons_of

Pixels = npt.NDArray[np.uint8]


def outline(rows: list[str]) -> list[list[float]] | None:
    """Return the polygons of a mask drawn with ``#``."""
    return polygons_of(runs.encode(np.asfortranarray([[cell == "#" for cell in row] for row in rows], np.uint8)))


def ragged(seed: int, fineness: float, height: int = 60, width: int = 90) -> Pixels:
    """Draw parts with ragged edges that reach the borders of the image, without holes."""
    noise = cv2.GaussianBlur(np.random.default_rng(seed).normal(size=(height, width)), (0, 0), fineness)
    parts, _ = cv2.findContours((noise > 0).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return np.asfortranarray(cv2.drawContours(np.zeros((height, width), np.uint8), parts, -1, 1, cv2.FILLED))


@pytest.mark.parametrize("fineness", [0.1, 0.8, 2.0, 6.0])
def test_ragged_parts_become_exactly_their_polygons(fineness: float) -> None:
    for seed in range(25):
        part = ragged(seed, fineness)
        polygons = polygons_of(runs.encode(part))
        assert polygons
        assert np.array_equal(decode_rle(to_rle(polygons, *part.shape)), part)


@pytest.mark.parametrize("shape", [(3, 3), (2, 4), (1, 6)])
def test_every_small_mask_is_exact_or_has_a_hole(shape: tuple[int, int]) -> None:
    cells = shape[0] * shape[1]
    for number in range(1, 1 << cells):
        part = np.array([number >> cell & 1 for cell in range(cells)], np.uint8).reshape(shape, order="F")
        polygons = polygons_of(runs.encode(np.asfortranarray(part)))
        if polygons is None:
            # Only the middle of 3 x 3 pixels can be a hole, which pixels that touch at corners close.
            assert shape == (3, 3)
            assert part[1, 1] == 0
            assert part[0, 1] & part[1, 0] & part[1, 2] & part[2, 1]
        else:
            assert np.array_equal(decode_rle(to_rle(polygons, *shape)), part)


def test_a_point_is_where_the_direction_changes() -> None:
    (square,) = outline(["......", ".####.", ".####.", ".####.", "......"]) or []
    corners = {(1.0, 1.5), (1.5, 1.0), (4.5, 1.0), (5.0, 1.5), (5.0, 3.5), (4.5, 4.0), (1.5, 4.0), (1.0, 3.5)}
    assert len(square) == 16
    assert set(zip(square[::2], square[1::2], strict=True)) == corners
    (stairs,) = outline(["#....", "##...", "###..", "####.", "#####"]) or []
    assert len(stairs) == 2 * 6


def test_pixels_that_touch_at_a_corner_are_one_polygon() -> None:
    assert len(outline(["#.", ".#"]) or []) == 1
    assert len(outline(["#..", "..#"]) or []) == 2


def test_a_mask_with_a_hole_has_no_polygon() -> None:
    assert outline(["###", "#.#", "###"]) is None
    assert outline([".#.", "#.#", ".#."]) is None
    assert outline(["#####", "#...#", "#.#.#", "#...#", "#####"]) is None
