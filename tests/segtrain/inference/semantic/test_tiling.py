from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, strategies as st

from segtrain.inference.semantic.tiling import cut_tile, spans


@given(st.data())
def test_the_weights_of_all_tiles_add_up_to_one_at_every_pixel(data: st.DataObject) -> None:
    length, side, step = data.draw(st.integers(1, 90)), data.draw(st.integers(2, 40)), data.draw(st.integers(1, 5))
    step = min(step, side)
    overlap, beyond = data.draw(st.integers(0, side - step)), data.draw(st.booleans())
    found = spans(length, side=side, overlap=overlap, step=step, beyond=beyond)
    total = np.zeros(length)
    for span in found:
        assert (span.weights > 0).all()
        assert span.start <= span.first
        assert span.first + len(span.weights) <= min(span.start + side, length)
        total[span.first : span.first + len(span.weights)] += span.weights
    np.testing.assert_allclose(total, 1, atol=1e-6)
    assert {(span.start - found[0].start) % step for span in found} == {0}
    shared = [one.start + side - other.start for one, other in pairwise(found)]
    assert all(pixels >= overlap for pixels in shared)


def test_a_weight_falls_in_the_middle_of_the_overlap_and_not_at_the_image_border() -> None:
    first, second = spans(48, side=32, overlap=16, step=8)
    assert (first.start, first.first, second.start, second.first) == (0, 0, 16, 20)
    falling = 1 - (np.arange(8) + 0.5) / 8
    np.testing.assert_allclose(first.weights, [*np.ones(20), *falling])
    np.testing.assert_allclose(second.weights, [*(1 - falling), *np.ones(20)], atol=1e-6)


def test_beyond_the_image_only_the_middle_of_each_tile_counts() -> None:
    found = spans(20, side=16, overlap=8, beyond=True)
    assert [(span.start, span.first, len(span.weights)) for span in found] == [(-4, 0, 8), (4, 8, 8), (8, 12, 8)]


@pytest.mark.parametrize(("top", "left"), [(-5, -40), (0, 0), (3, 1), (9, 6)])
@pytest.mark.parametrize("shape", [(11, 7), (1, 30), (2, 1)])
def test_a_mirror_image_continues_the_image_as_far_as_a_tile_reaches(
    top: int, left: int, shape: tuple[int, int]
) -> None:
    image = np.random.default_rng(0).integers(0, 255, (*shape, 3), np.uint8)
    padded = np.pad(image, [(60, 60), (60, 60), (0, 0)], mode="reflect")
    pixels, *place = cut_tile(image, top, left, 24, "mirror")
    assert place == [0, 0]
    assert (pixels == padded[60 + top : 84 + top, 60 + left : 84 + left]).all()


def test_without_a_mirror_only_the_pixels_of_the_image_are_in_a_tile() -> None:
    image = np.arange(30, dtype=np.uint8).reshape(5, 6, 1)
    pixels, top, left = cut_tile(image, -2, 3, 4, "zero")
    assert (top, left) == (2, 0)
    assert (pixels == image[:2, 3:]).all()
