"""Regions are filled with transparency, their edges are opaque, and the rest of the image stays unchanged."""

from __future__ import annotations

from colorsys import rgb_to_hsv

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as arrays

from segdata.draw.overlay import (
    HATCH,
    Box,
    blend,
    draw_boxes,
    edge_width,
    edges,
    ink_on,
    instance_colors,
    instance_overlay,
    label_overlay,
)
from segdata.labels.colormap import voc_palette

Pixels = npt.NDArray[np.uint8]
RED = tuple(voc_palette()[1].tolist())

labels = arrays.arrays(np.uint8, arrays.array_shapes(min_dims=2, max_dims=2, max_side=12), elements=st.integers(0, 3))


def gray(height: int, width: int) -> Pixels:
    return np.full((height, width, 3), 100, np.uint8)


def block(height: int, width: int, rows: slice, columns: slice) -> npt.NDArray[np.bool_]:
    mask = np.zeros((height, width), bool)
    mask[rows, columns] = True
    return mask


def test_a_region_is_filled_at_the_strength_and_its_edge_drawn_in_full() -> None:
    label = np.zeros((7, 7), np.uint8)
    label[1:6, 1:6] = 1
    shown = blend(gray(7, 7), label_overlay(label), 0.25)
    assert shown[3, 3].tolist() == [round(100 * 0.75 + channel * 0.25) for channel in RED]
    assert shown[1, 3].tolist() == shown[3, 5].tolist() == list(RED)
    assert (shown[label == 0] == 100).all()


@given(label=labels, alpha=st.floats(0, 1), ignore=st.sampled_from([None, 0, 2, 255]))
def test_only_the_lines_are_seen_where_nothing_is_filled(label: Pixels, alpha: float, ignore: int | None) -> None:
    overlay = label_overlay(label, ignore)
    image = gray(*label.shape)
    assert (image == 100).all()
    shown = blend(image, overlay, alpha)
    untouched = (overlay.fill == 0) & (overlay.lines == 0)
    assert (shown[untouched] == 100).all()
    assert (shown[overlay.lines > 0] == overlay.colors[overlay.lines[overlay.lines > 0]]).all()
    assert not overlay.fill[label == 0].any()
    assert (overlay.fill == label)[(label != ignore)].all()


@given(labels, st.integers(1, 4))
def test_a_wide_edge_is_where_an_edge_of_one_pixel_is_near(label: Pixels, width: int) -> None:
    expected = np.zeros(label.shape, bool)
    for shift in range(1, width + 1):
        across, down = label[:, shift:] != label[:, :-shift], label[shift:] != label[:-shift]
        expected[:, shift:] |= across
        expected[:, :-shift] |= across
        expected[shift:] |= down
        expected[:-shift] |= down
    assert np.array_equal(edges(label, width), expected)


def test_edges_are_wider_in_large_pictures() -> None:
    label = np.zeros((600, 800), np.uint8)
    label[100:500, 100:700] = 1
    overlay = label_overlay(label)
    assert edge_width(600, 800) == 3
    assert (overlay.lines[300, 97:110] == [0] * 3 + [1] * 3 + [0] * 7).all()
    assert edge_width(600, 799) == 2


@given(labels)
def test_an_edge_is_where_a_neighbor_differs(label: Pixels) -> None:
    padded = np.pad(label.astype(int), 1, constant_values=-1)
    middle = padded[1:-1, 1:-1]
    around = (padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:])
    assert np.array_equal(edges(label), np.any([(other != middle) & (other >= 0) for other in around], axis=0))


def test_pixels_of_no_class_are_hatched_and_not_filled() -> None:
    label = np.full((24, 24), 255, np.uint8)
    overlay = label_overlay(label, 255)
    assert not overlay.fill.any()
    assert set(np.unique(overlay.lines).tolist()) == {0, HATCH}
    assert 0.1 < (overlay.lines == HATCH).mean() < 0.3
    assert (blend(gray(24, 24), overlay, 1.0)[overlay.lines == HATCH] == 255).all()


def test_a_value_of_no_class_is_seen_when_it_is_not_the_ignore_label() -> None:
    overlay = label_overlay(np.full((4, 4), 40, np.uint8), 255)
    assert (blend(gray(4, 4), overlay, 1.0) == voc_palette()[40]).all()


def test_a_later_mask_covers_an_earlier_one() -> None:
    boxes = [Box((0, 0, 9, 9), "below", (200, 0, 0)), Box((3, 3, 6, 6), "above", (0, 200, 0))]
    large, small = block(9, 9, slice(0, 9), slice(0, 9)), block(9, 9, slice(3, 6), slice(3, 6))
    shown = blend(gray(9, 9), instance_overlay([(0, large), (1, small)], boxes, 9, 9), 1.0)
    assert (shown[small] == (0, 200, 0)).all()
    assert (shown[large & ~small] == (200, 0, 0)).all()


def test_hundreds_of_instances_share_colors() -> None:
    boxes = [Box((0, 0, 1, 1), "", (number % 256, 0, 9)) for number in range(600)]
    masks = ((number, block(20, 30, slice(number // 30, number // 30 + 1), slice(0, 30))) for number in range(600))
    overlay = instance_overlay(masks, boxes, 20, 30)
    assert overlay.fill.max() < HATCH
    assert (overlay.colors[overlay.fill][..., 2] == 9).all()


def test_neighbors_of_one_class_differ_and_the_first_has_its_class_color() -> None:
    labels = [1, 2, 1, 1, 2, 1, 1, 1]
    colors, fills = zip(*instance_colors(labels), strict=True)
    assert list(colors) == [tuple(voc_palette()[label].tolist()) for label in labels]
    assert fills[:2] == colors[:2]
    assert len(set(fills)) == len(fills)


def test_a_shade_keeps_the_hue_of_its_class() -> None:
    hues = {}
    for label in range(1, 21):
        shades = [fill for _, fill in instance_colors([label] * 6)]
        # Gray has no hue; dark colors have it only roughly.
        hues[label] = [rgb_to_hsv(*shade)[0] for shade in shades if max(shade) - min(shade) > 30]
        assert all(abs((hue - hues[label][0] + 0.5) % 1 - 0.5) < 0.02 for hue in hues[label])


def test_edges_and_boxes_have_the_color_of_the_class_and_the_fill_its_shade() -> None:
    box = Box((2, 2, 18, 18), "", (200, 0, 0), (255, 120, 120))
    overlay = instance_overlay([(0, block(20, 20, slice(4, 16), slice(4, 16)))], [box], 20, 20)
    shown = draw_boxes(blend(gray(20, 20), overlay, 1.0), overlay.boxes, 9)
    assert (shown[10, 10] == (255, 120, 120)).all()
    assert (shown[4, 4:16] == (200, 0, 0)).all()
    assert (shown[2, 2:18] == (200, 0, 0)).all()


def test_every_instance_of_every_class_has_a_color() -> None:
    colors = instance_colors([*range(256)] * 7)
    assert {channel for pair in colors for color in pair for channel in color} <= set(range(256))


def test_a_box_is_drawn_with_its_text_inside() -> None:
    image = gray(60, 120)
    shown = draw_boxes(image, [Box((10, 10, 110, 50), "cat", (0, 0, 200))], 12)
    assert (image == 100).all()
    assert (shown[10, 10:110] == (0, 0, 200)).all()
    assert (shown[49, 10:110] == (0, 0, 200)).all()
    assert (shown[12:24, 12:40].max(axis=2) > 250).any()
    assert (shown[35:45, 50:100] == 100).all()


def test_a_box_has_its_plain_text_where_no_font_has_the_letters_of_its_name() -> None:
    # No font has letters in a plane for private use.
    boxes = [Box((10, 10, 110, 50), name, (0, 0, 200), None, "id 1") for name in ("\U0010abcd", "id 1")]
    assert (draw_boxes(gray(60, 120), boxes[:1], 12) == draw_boxes(gray(60, 120), boxes[1:], 12)).all()


def test_a_box_too_small_for_its_text_is_drawn_without() -> None:
    shown = draw_boxes(gray(60, 120), [Box((10, 10, 20, 50), "hippopotamus", (0, 0, 200))], 12)
    assert (shown[11:49, 11:19] == 100).all()
    assert (shown[:, 20:] == 100).all()


@pytest.mark.parametrize("corners", [(-5, -5, 500, 500), (3, 3, 3, 3), (9.6, 9.6, 9.7, 9.7), (40, 40, 50, 50)])
def test_a_box_at_or_beyond_the_border_is_drawn_within(corners: tuple[float, float, float, float]) -> None:
    shown = draw_boxes(gray(10, 10), [Box(corners, "", (0, 0, 200))], 12)
    assert shown.shape == (10, 10, 3)
    assert (shown == (0, 0, 200)).all(axis=2).any()


def test_writing_is_black_on_light_and_white_on_dark() -> None:
    assert ink_on((255, 255, 0)) == (0, 0, 0)
    assert ink_on((0, 0, 128)) == (255, 255, 255)
