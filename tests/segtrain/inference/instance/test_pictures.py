from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from drawn_instances import rectangle

from segdata.labels.colormap import voc_palette
from segtrain.inference.instance.detections import Detections
from segtrain.inference.instance.paste import encode_mask
from segtrain.inference.instance.pictures import MOST_COVERED, cut_out, draw_instances

SHAPE = (300, 500)
NAMES = ("square", "bar")


def _found(*objects: tuple[int, float, tuple[int, int, int, int]]) -> Detections:
    """Return instances with label, score and box; each mask fills its box except for a margin of 4 pixels."""
    masks = [rectangle(SHAPE, x1 + 4, y1 + 4, x2 - 4, y2 - 4) for _, _, (x1, y1, x2, y2) in objects]
    return Detections(
        np.array([box for _, _, box in objects], np.float32).reshape(-1, 4),
        np.array([score for _, score, _ in objects], np.float32),
        np.array([label for label, _, _ in objects], np.int32),
        tuple(encode_mask(mask.astype(np.uint8)) for mask in masks),
    )


@pytest.fixture
def gray() -> np.ndarray:
    return np.full((*SHAPE, 3), 128, np.uint8)


def test_instances_of_a_class_have_colors_of_their_own(gray: np.ndarray) -> None:
    picture = draw_instances(gray, _found((1, 0.9, (10, 40, 60, 90)), (1, 0.8, (110, 40, 160, 90))), NAMES)
    assert picture.shape == gray.shape
    first, second = (tuple(picture[65, column]) for column in (35, 135))
    assert len({first, second, (128, 128, 128)}) == 3
    # The outline is opaque, the fill translucent and the rest unchanged except for box and name.
    assert tuple(picture[65, 14]) == tuple(picture[65, 10]) != first
    assert (picture[100:] == 128).all()


def test_outline_box_and_name_have_the_color_of_the_class(gray: np.ndarray) -> None:
    found = _found((2, 0.9, (10, 40, 110, 90)), (2, 0.8, (210, 40, 310, 90)))
    picture = draw_instances(gray, found, NAMES)
    color = voc_palette()[2]
    for left in (10, 210):
        assert (picture[40, left + 3 : left + 97] == color).all()
        assert (picture[44, left + 4 : left + 96] == color).all()
        # The name above the box: its background is the color, its letters are white.
        name = picture[40 - 13 : 40, left : left + 40].reshape(-1, 3)
        assert (name == color).all(axis=1).mean() > 0.5
        assert (name == 255).all(axis=1).any()


def _scattered(height: int, width: int, count: int, side: int) -> Detections:
    """Return `count` instances of a square of `side` pixels, at random places of an image."""
    draw = np.random.default_rng(count)
    corners = np.stack([draw.integers(0, width - side, count), draw.integers(0, height - side, count)], axis=1)
    masks = tuple(
        encode_mask(rectangle((height, width), x, y, x + side, y + side).astype(np.uint8)) for x, y in corners.tolist()
    )
    boxes = np.concatenate([corners, corners + side], axis=1).astype(np.float32)
    return Detections(boxes, np.linspace(1, 0.5, count, dtype=np.float32), np.ones(count, np.int32), masks)


@pytest.mark.parametrize(
    ("height", "width", "count", "times"),
    [(24, 24, 4, 20), (48, 64, 6, 7), (300, 500, 3, 1), (300, 500, 100, 2), (1500, 2000, 40, 1)],
)
def test_names_cover_little_of_a_picture_of_any_size(height: int, width: int, count: int, times: int) -> None:
    image = np.full((height, width, 3), 128, np.uint8)
    found = _scattered(height, width, count, 8)
    # Without masks, only boxes and names cover the image.
    found = replace(found, masks=(encode_mask(np.zeros((height, width), np.uint8)),) * count)
    picture = draw_instances(image, found, ["triangle"])
    assert picture.shape == (times * height, times * width, 3)
    covered = (picture != 128).any(axis=2).mean()
    assert 0 < covered < MOST_COVERED + 0.05


def test_of_too_many_names_those_of_the_highest_scores_are_drawn() -> None:
    found, image = _scattered(700, 1100, 60, 4), np.full((700, 1100, 3), 128, np.uint8)
    picture = draw_instances(image, found, ["a name of many letters " * 3])
    assert picture.shape == image.shape
    x, y = found.boxes[0, :2].astype(int).tolist()
    # The letters of the highest score; those of the lowest have no place.
    left, top = min(x, 1100 - 400), max(y - 13, 0)
    assert (picture[top : top + 10, left : left + 100] == 255).all(axis=2).any()
    assert (picture != 128).any(axis=2).mean() < MOST_COVERED + 0.01


def test_a_name_without_a_font_is_drawn_as_its_id(gray: np.ndarray) -> None:
    # No font has letters in a plane for private use.
    found = _found((2, 0.9, (10, 40, 110, 90)))
    pictures = [draw_instances(gray, found, ("a", name)) for name in ("\U0010abcd", "id 2")]
    assert (pictures[0] == pictures[1]).all()


def test_small_instances_are_seen_on_large_ones(gray: np.ndarray) -> None:
    large, small = (1, 0.2, (10, 20, 190, 110)), (2, 0.9, (80, 50, 110, 80))
    pictures = [draw_instances(gray, _found(*order), NAMES) for order in ((large, small), (small, large))]
    assert (pictures[0] == pictures[1]).all()
    assert tuple(pictures[0][65, 95]) != tuple(pictures[0][65, 40])


@pytest.mark.parametrize("box", [(0, 0, 12, 12), (488, 288, 500, 300), (-5, -5, 600, 600), (50, 50, 50.2, 50.1)])
def test_every_box_has_its_name_within_the_picture(gray: np.ndarray, box: tuple[float, ...]) -> None:
    empty = encode_mask(np.zeros(SHAPE, np.uint8))
    found = Detections(np.array([box], np.float32), np.array([0.5], np.float32), np.array([2], np.int32), (empty,))
    picture = draw_instances(gray, found, NAMES)
    # The background of a name covers many pixels; the lines of a box are one pixel wide.
    assert (picture[1:-1, 1:-1] != 128).any(axis=2).sum() > 150


def test_without_instances_the_picture_is_the_image_and_nothing_is_cut_out(gray: np.ndarray) -> None:
    assert (draw_instances(gray, _found(), NAMES) == gray).all()
    assert not cut_out(gray, _found()).any()


def test_objects_are_cut_out_with_their_own_colors() -> None:
    image = np.random.default_rng(0).integers(0, 256, (*SHAPE, 3), np.uint8)
    cut = cut_out(image, _found((1, 0.9, (10, 40, 60, 90)), (2, 0.8, (40, 40, 160, 90))))
    inside = rectangle(SHAPE, 14, 44, 56, 86) | rectangle(SHAPE, 44, 44, 156, 86)
    assert (cut.shape, cut.dtype) == ((*SHAPE, 4), np.uint8)
    assert (cut[..., 3] == np.where(inside, 255, 0)).all()
    assert (cut[inside][:, :3] == image[inside]).all()
    assert not cut[~inside].any()
