from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from segtrain.data.arrays import Pixels
from segtrain.inference.semantic.tiling import tiled, with_test_time_augmentation


def _two_planes(tiles: Pixels) -> Pixels:
    """Return each pixel's value as its probability of class 1."""
    return np.concatenate([1 - tiles[:, :1], tiles[:, :1]], 1)


def _neighbors(reach: int) -> object:
    """Return a network that sums the pixels within `reach` of each pixel, without padding, like valid convolutions."""

    def network(tiles: Pixels) -> Pixels:
        size = tiles.shape[2] - 2 * reach
        steps = range(2 * reach + 1)
        total = sum(tiles[:, :, top : top + size, left : left + size] for top in steps for left in steps)
        return np.concatenate([total, -total], 1)

    return network


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 16), st.integers(0, 5), st.booleans())
def test_every_pixel_is_its_own_whatever_the_sizes(
    height: int, width: int, output: int, margin: int, mirror: bool
) -> None:
    image = np.random.default_rng(0).random((1, height, width), np.float32)
    fill = "mirror" if mirror else "zero"
    found = tiled(_two_planes, image, input_size=output + 2 * margin, output_size=output, fill=fill)
    assert found.shape == (height, width, 2)
    np.testing.assert_allclose(found[..., 1], image[0], atol=1e-6)


@given(st.integers(6, 30), st.integers(6, 30), st.integers(2, 12))
def test_tiles_see_the_whole_image_and_its_mirror_beyond_the_border(height: int, width: int, output: int) -> None:
    image = np.random.default_rng(1).random((1, height, width)).astype(np.float32)
    padded = np.pad(image, [(0, 0), (2, 2), (2, 2)], mode="reflect")
    whole = np.stack([sum(padded[0, y : y + height, x : x + width] for y in range(5) for x in range(5))] * 2, -1)
    found = tiled(_neighbors(2), image, input_size=output + 4, output_size=output)
    np.testing.assert_allclose(found, whole * (1, -1), rtol=1e-4)


def test_zeros_beyond_the_border_on_request() -> None:
    image = np.ones((1, 6, 6), np.float32)
    found = tiled(_neighbors(1), image, input_size=8, output_size=6, fill="zero")
    assert found[0, 0, 0] == 4
    assert found[0, 2, 0] == 6
    assert found[2, 2, 0] == 9


def test_of_a_network_that_keeps_the_size_only_the_center_is_taken() -> None:
    def wrong_at_the_border(tiles: Pixels) -> Pixels:
        planes = np.full_like(tiles, np.nan)
        planes[..., 2:-2, 2:-2] = tiles[..., 2:-2, 2:-2]
        return planes

    image = np.random.default_rng(2).random((1, 21, 17)).astype(np.float32)
    found = tiled(wrong_at_the_border, image, input_size=12, output_size=8)
    np.testing.assert_allclose(found[..., 0], image[0], atol=1e-6)


@pytest.mark.parametrize(
    ("flip", "turn", "looks"), [(False, False, 1), (True, False, 2), (False, True, 4), (True, True, 8)]
)
def test_the_mean_over_symmetries_leaves_a_pixelwise_network_as_it_is(flip: bool, turn: bool, looks: int) -> None:
    seen = []

    def network(tiles: Pixels) -> Pixels:
        seen.append(tiles.tobytes())
        return _two_planes(tiles)

    tiles = np.random.default_rng(3).random((2, 1, 5, 5)).astype(np.float32)
    found = with_test_time_augmentation(network, flip=flip, turn=turn)(tiles)
    np.testing.assert_allclose(found, _two_planes(tiles), atol=1e-6)
    assert len(set(seen)) == looks


def test_the_mean_over_all_symmetries_turns_with_its_input() -> None:
    def lopsided(tiles: Pixels) -> Pixels:
        return _two_planes(tiles) * np.linspace(0, 1, tiles.shape[3], dtype=np.float32)

    network = with_test_time_augmentation(lopsided, flip=True, turn=True)
    tiles = np.random.default_rng(4).random((1, 1, 6, 6)).astype(np.float32)
    for quarters in range(4):
        turned = network(np.ascontiguousarray(np.rot90(tiles, quarters, (2, 3))))
        np.testing.assert_allclose(turned, np.rot90(network(tiles), quarters, (2, 3)), atol=1e-6)
