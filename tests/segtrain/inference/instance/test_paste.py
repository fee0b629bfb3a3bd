from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy.ndimage import map_coordinates

from segdata.coco.rle import decode_rle
from segtrain.data.instance.transforms import crop_mask
from segtrain.inference.instance.paste import encode_mask, paste_mask

SIZES = st.floats(0.05, 60)
CORNERS = st.floats(-30, 60)


def _sampled(probabilities: np.ndarray, box: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return the probability at every pixel center by SciPy's interpolation, with zeros around and 0 beyond the box."""
    x1, y1, x2, y2 = box.tolist()
    side = len(probabilities)
    y, x = np.meshgrid(np.arange(height) + 0.5, np.arange(width) + 0.5, indexing="ij")
    places = ((y - y1) / (y2 - y1) * side - 0.5, (x - x1) / (x2 - x1) * side - 0.5)
    values = map_coordinates(probabilities.astype(float), places, order=1, mode="grid-constant")
    return np.where((x >= x1) & (x < x2) & (y >= y1) & (y < y2), values, 0)


@given(CORNERS, CORNERS, SIZES, SIZES, st.integers(2, 28), st.integers(0, 99))
def test_pixels_are_sampled_where_they_are(x: float, y: float, w: float, h: float, side: int, seed: int) -> None:
    probabilities = np.random.default_rng(seed).random((side, side), np.float32)
    box = np.array((x, y, x + w, y + h), np.float32)
    mask, expected = paste_mask(probabilities, box, 40, 50), _sampled(probabilities, box, 40, 50)
    clear = np.abs(expected - 0.5) > 1e-4
    assert (mask.shape, mask.dtype) == ((40, 50), np.uint8)
    assert ((mask == 1) == (expected >= 0.5))[clear].all()


@given(st.integers(-4, 30), st.integers(-4, 30), st.integers(0, 99))
def test_cells_of_one_pixel_are_the_mask_itself(left: int, top: int, seed: int) -> None:
    cells = np.random.default_rng(seed).integers(0, 2, (10, 10)).astype(np.float32)
    expected = np.zeros((60, 60))
    expected[top + 10 : top + 20, left + 10 : left + 20] = cells
    box = np.array((left, top, left + 10, top + 10), np.float32)
    assert (paste_mask(cells, box, 40, 40) == expected[10:50, 10:50]).all()


def test_a_shift_by_less_than_a_pixel_is_seen() -> None:
    ones = np.ones((28, 28), np.float32)
    columns = [paste_mask(ones, np.array((x, 4, x + 8, 12), np.float32), 16, 16)[8] for x in (3.4, 3.6)]
    assert [np.flatnonzero(column).tolist() for column in columns] == [[3, 4, 5, 6, 7, 8, 9, 10], [*range(4, 12)]]


@pytest.mark.parametrize("box", [(-9, -9, -1, -1), (20, 3, 30, 9), (3.6, 3.6, 4.4, 4.4), (5, 5, 5, 9)])
def test_a_box_beyond_the_image_or_without_a_pixel_center_gives_an_empty_mask(box: tuple[float, ...]) -> None:
    assert not paste_mask(np.ones((28, 28), np.float32), np.array(box, np.float32), 16, 16).any()


def test_a_mask_that_was_cropped_to_its_box_comes_back() -> None:
    y, x = np.mgrid[:90, :120]
    disc = (((x - 61.3) / 41) ** 2 + ((y - 44.8) / 29) ** 2 <= 1).astype(np.uint8)
    box = np.array((20.1, 15.7, 102.4, 74), np.float32)
    pasted = paste_mask(crop_mask(disc, box, 28), box, 90, 120)
    assert (disc & pasted).sum() / (disc | pasted).sum() > 0.98


def test_run_lengths_are_those_of_the_mask() -> None:
    mask = np.random.default_rng(0).integers(0, 2, (7, 5), np.uint8)
    assert (decode_rle(encode_mask(mask)) == mask).all()
