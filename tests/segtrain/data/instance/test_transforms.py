from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, strategies as st

from segtrain.data.instance.transforms import (
    MAX_EXPANSION,
    crop_mask,
    fill_input,
    fit_at_random,
    move_boxes,
    place_image,
)

SIDES = st.integers(1, 900)


def _at_random(seed: int, *, expand: bool) -> list[object]:
    return [fit_at_random(60, 90, 64, 64, np.random.default_rng((seed, n)), expand=expand) for n in range(50)]


@given(SIDES, SIDES, st.integers(1, 40), st.integers(1, 40))
def test_an_image_is_as_large_as_the_input_takes_it(height: int, width: int, rows: int, columns: int) -> None:
    input_height, input_width = 32 * rows, 32 * columns
    place = place_image(height, width, input_height, input_width)
    assert place.height <= input_height and place.width <= input_width
    assert place.height == input_height or place.width == input_width
    assert (place.content_height, place.content_width) == (place.height, place.width)
    # In its own proportions, but for full pixels, of which a side has one at least.
    scale = min(input_height / height, input_width / width)
    assert abs(place.height - height * scale) <= 0.5 or place.height == 1
    assert abs(place.width - width * scale) <= 0.5 or place.width == 1


def test_half_of_the_images_are_mirrored_and_nothing_else_changes() -> None:
    places = _at_random(0, expand=False)
    assert 10 < sum(place.mirrored for place in places) < 40
    assert {(place.height, place.width, place.top, place.left) for place in places} == {(43, 64, 0, 0)}


def test_half_of_the_images_are_expanded_within_the_same_content() -> None:
    places = _at_random(0, expand=True)
    smaller = [place for place in places if place.height < place.content_height]
    assert 10 < len(smaller) < 40
    for place in places:
        assert (place.content_height, place.content_width) == (43, 64)
        assert place.top + place.height <= 43 and place.left + place.width <= 64
        assert place.height >= int(43 / MAX_EXPANSION)
    assert len({(place.height, place.top, place.left) for place in smaller}) > 5


@pytest.mark.parametrize("seed", range(12))
def test_boxes_stay_on_their_objects_through_every_placement(seed: int) -> None:
    rng = np.random.default_rng(seed)
    image = np.zeros((60, 90, 3), np.uint8)
    image[10:40, 20:70] = 255
    place = fit_at_random(60, 90, 64, 128, rng, expand=True)
    planes = np.full((3, 64, 128), np.nan, np.float32)
    fill_input(image, place, (0, 0, 0), (255, 255, 255), planes)
    ((x1, y1, x2, y2),) = move_boxes(np.array([[20, 10, 70, 40]], np.float32), 60, 90, place).tolist()
    rows, columns = np.nonzero(planes[0] >= 0.5)
    # Half a pixel of the input for where the object begins, half a one for what is resized to full pixels.
    assert np.allclose((columns.min(), columns.max() + 1, rows.min(), rows.max() + 1), (x1, x2, y1, y2), atol=1)


def test_padding_and_surroundings_are_zero_and_the_padding_is_right_and_below() -> None:
    image = np.full((60, 90, 3), 255, np.uint8)
    for place in _at_random(3, expand=True):
        planes = np.full((3, 64, 64), np.nan, np.float32)
        fill_input(image, place, (100, 100, 100), (1, 1, 1), planes)
        assert set(np.unique(planes)) == {0, 155}
        assert (planes[0] > 0).sum() == place.height * place.width
        assert not planes[:, place.content_height :].any()
        assert not planes[..., place.content_width :].any()


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_a_mirrored_input_is_the_mirror_image_of_the_content_to_the_bit(dtype: type) -> None:
    image = np.random.default_rng(0).integers(0, 256, (60, 90, 3)).astype(dtype)
    for place in _at_random(0, expand=True):
        plain, mirrored = (np.full((3, 64, 64), np.nan, np.float32) for _ in range(2))
        fill_input(image, replace(place, mirrored=False), (123.675, 116.28, 103.53), (58.395, 57.12, 57.375), plain)
        fill_input(image, replace(place, mirrored=True), (123.675, 116.28, 103.53), (58.395, 57.12, 57.375), mirrored)
        plain[..., : place.content_width] = plain[..., : place.content_width][..., ::-1].copy()
        assert mirrored.tobytes() == plain.tobytes()


BOXES = st.tuples(*[st.floats(0, 38)] * 2, *[st.floats(0.5, 40)] * 2).map(
    lambda box: np.array((box[0], box[1], min(box[0] + box[2], 40), min(box[1] + box[3], 40)), np.float32)
)


@given(BOXES, st.integers(1, 30), st.integers(0, 99))
def test_a_cropped_mask_keeps_the_area_within_its_box(box: np.ndarray, side: int, seed: int) -> None:
    mask = np.random.default_rng(seed).integers(0, 2, (40, 40), np.uint8)
    cells = crop_mask(mask, box, side)
    x1, y1, x2, y2 = box.tolist()
    pixel = np.arange(40)
    rows, columns = (
        np.clip(np.minimum(end, pixel + 1) - np.maximum(start, pixel), 0, 1) for start, end in ((y1, y2), (x1, x2))
    )
    assert (cells.shape, cells.dtype) == ((side, side), np.float32)
    assert cells.min() >= 0 and cells.max() <= 1
    assert cells.mean() * (x2 - x1) * (y2 - y1) == pytest.approx(rows @ mask @ columns, rel=1e-4, abs=1e-4)


def test_a_box_of_as_many_pixels_as_cells_gives_the_mask_itself() -> None:
    mask = np.random.default_rng(0).integers(0, 2, (20, 30), np.uint8)
    assert np.allclose(crop_mask(mask, np.array((5, 3, 17, 15), np.float32), 12), mask[3:15, 5:17], atol=1e-5)
