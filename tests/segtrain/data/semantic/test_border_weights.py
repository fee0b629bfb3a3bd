from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy import ndimage

from segtrain.data.semantic.border_weights import border_weights


def _plainly(background: np.ndarray, w0: float, sigma: float) -> np.ndarray:
    cells, number = ndimage.label(~background)
    if number < 2:
        return np.ones(background.shape)
    distances = np.sort([ndimage.distance_transform_edt(cells != id_) for id_ in range(1, number + 1)], axis=0)
    return 1 + w0 * np.exp(-((distances[0] + distances[1]) ** 2) / (2 * sigma**2)) * background


@given(st.integers(0, 1000), st.sampled_from([2.0, 5.0]))
def test_the_weights_are_those_of_the_paper(seed: int, sigma: float) -> None:
    coarse = np.random.default_rng(seed).random((6, 8)) < 0.4
    background = coarse.repeat(7, 0).repeat(7, 1)
    found = border_weights(background, w0=10, sigma=sigma)
    assert found.dtype == np.float32
    # Pixels farther away than the reach are left out.
    np.testing.assert_allclose(found, _plainly(background, 10, sigma), atol=10 * np.exp(-8))


def test_the_narrower_the_border_the_heavier() -> None:
    background = np.zeros((20, 40), bool)
    background[:, 9:11] = background[:, 25:31] = True
    weights = border_weights(background)
    assert (weights[:, :9] == 1).all()
    assert weights[5, 9] > weights[5, 27] > 1
    # Two pixels wide: one is 1 from the one cell and 2 from the other.
    assert weights[5, 9] == pytest.approx(1 + 10 * np.exp(-(3**2) / 50), rel=1e-5)


@pytest.mark.parametrize("background", [np.zeros((5, 6), bool), np.ones((5, 6), bool)])
def test_without_two_cells_all_weights_are_one(background: np.ndarray) -> None:
    assert (border_weights(background) == 1).all()
