"""VOC's palette, lookup of colors, and the gray values that colors become."""

from __future__ import annotations

import cv2
import numpy as np
from hypothesis import given, strategies as st

from segdata.labels.colormap import (
    as_color,
    look_up,
    luminances,
    pack_colors,
    unpack_color,
    voc_palette,
)

#: Gray values that OpenCV reads from a VOC palette PNG, by class id; 255 is the void border.
READ_AS_GRAY = {
    0: 0, 1: 38, 2: 75, 3: 113, 4: 14, 5: 52, 6: 89, 7: 128, 8: 19, 9: 57, 10: 94, 11: 132, 12: 33, 13: 72, 14: 108,
    15: 147, 16: 37, 17: 75, 18: 112, 19: 150, 20: 52, 255: 220,
}  # fmt: skip

COLORS = st.tuples(*[st.integers(0, 255)] * 3)


def test_the_palette_is_vocs() -> None:
    palette = voc_palette()
    assert palette.shape == (256, 3)
    assert len(np.unique(palette, axis=0)) == 256
    expected = {0: (0, 0, 0), 1: (128, 0, 0), 15: (192, 128, 128), 20: (0, 64, 128), 255: (224, 224, 192)}
    assert {index: as_color(palette[index]) for index in expected} == expected


def test_the_gray_values_hold_what_opencv_makes_of_the_colors() -> None:
    palette = voc_palette()
    for id_, gray in READ_AS_GRAY.items():
        assert gray in luminances(as_color(palette[id_]))
    converted = cv2.cvtColor(palette[None], cv2.COLOR_RGB2GRAY)[0].tolist()
    assert all(gray in luminances(as_color(color)) for gray, color in zip(converted, palette, strict=True))


@given(COLORS)
def test_a_packed_color_is_unpacked(color: tuple[int, int, int]) -> None:
    assert unpack_color(int(pack_colors(np.array(color, np.uint8)))) == color


@given(
    st.dictionaries(COLORS, st.integers(0, 255), min_size=1, max_size=6),
    st.lists(COLORS, min_size=1, max_size=6),
    st.none() | st.integers(0, 300) | st.floats(0, 500) | st.sampled_from([46341, 99999, 1e9, float("inf")]),
)
def test_colors_are_looked_up_exactly_or_by_distance(
    ids: dict[tuple[int, int, int], int], wanted: list[tuple[int, int, int]], nearest: float | None
) -> None:
    expected = []
    for color in wanted:
        best = min(ids, key=lambda known: sum((a - b) ** 2 for a, b in zip(known, color, strict=True)))
        distance = sum((a - b) ** 2 for a, b in zip(best, color, strict=True))
        expected.append(ids[best] if distance <= (nearest or 0) ** 2 else -1)
    assert look_up(ids, pack_colors(np.array(wanted, np.uint8)), nearest).tolist() == expected
