from __future__ import annotations

import numpy as np
import pytest
from drawn_instances import rectangle

from segtrain.inference.instance.detections import Detections
from segtrain.inference.instance.paste import encode_mask
from segtrain.inference.instance.pictures import cut_out, draw_instances

SHAPE = (120, 200)
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


def test_small_instances_are_seen_on_large_ones(gray: np.ndarray) -> None:
    large, small = (1, 0.2, (10, 20, 190, 110)), (2, 0.9, (80, 50, 110, 80))
    pictures = [draw_instances(gray, _found(*order), NAMES) for order in ((large, small), (small, large))]
    assert (pictures[0] == pictures[1]).all()
    assert tuple(pictures[0][65, 95]) != tuple(pictures[0][65, 40])


@pytest.mark.parametrize("box", [(0, 0, 12, 12), (188, 108, 200, 120), (-5, -5, 300, 300), (50, 50, 50.2, 50.1)])
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
