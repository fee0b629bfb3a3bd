from __future__ import annotations

import numpy as np
import pytest

from segtrain.data.arrays import Pixels
from segtrain.inference.semantic.symmetries import with_test_time_augmentation


def _two_planes(tiles: Pixels) -> Pixels:
    """Return each pixel's value as its probability of class 1."""
    return np.concatenate([1 - tiles[:, :1], tiles[:, :1]], 1)


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
