from __future__ import annotations

import numpy as np
import pytest

from segtrain.evaluation.semantic.log_loss import LogLoss


def test_it_is_the_mean_cross_entropy_of_the_counted_pixels() -> None:
    draw = np.random.default_rng(4)
    scores = np.exp(draw.normal(size=(3, 5, 4)))
    strip = (scores / scores.sum(0)).astype(np.float32)
    labels = draw.integers(0, 3, (5, 4)).astype(np.uint8)
    labels[1, 2:] = 255
    expected = [
        -np.log(strip[labels[row, column], row, column]) for row, column in np.ndindex(5, 4) if labels[row, column] < 3
    ]
    loss = LogLoss(255)
    # In two strips, the first of which is not contiguous.
    loss.update(strip[:, :2], labels[:2])
    loss.update(strip[:, 2:], labels[2:])
    assert loss.mean() == pytest.approx(np.mean(expected), rel=1e-6)


def test_a_class_of_probability_0_is_finitely_wrong_and_no_pixel_has_no_loss() -> None:
    loss = LogLoss(255)
    loss.update(np.zeros((2, 1, 1), np.float32), np.full((1, 1), 255, np.uint8))
    assert loss.mean() is None
    loss.update(np.zeros((2, 1, 1), np.float32), np.zeros((1, 1), np.uint8))
    assert loss.mean() == pytest.approx(87.34, abs=0.01)
