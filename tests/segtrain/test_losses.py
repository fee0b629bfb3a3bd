from __future__ import annotations

import math

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, nn

from segtrain.losses import PixelCrossEntropy

IGNORE = 255


@pytest.fixture(autouse=True)
def _graph_mode_on_cpu() -> None:
    ms.set_device("CPU")
    ms.set_context(mode=ms.GRAPH_MODE)


class _LossAndGradient(nn.Cell):
    def __init__(self) -> None:
        super().__init__()
        self.both = ms.value_and_grad(PixelCrossEntropy(IGNORE), 0)

    def construct(self, logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        return self.both(logits, labels)


def _run(logits: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    loss, gradient = _LossAndGradient()(Tensor(logits), Tensor(labels.astype(np.int32)))
    return loss.asnumpy(), gradient.asnumpy()


def _case(shape: tuple[int, int, int, int] = (2, 5, 7, 4)) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.RandomState(0)
    images, classes, height, width = shape
    labels = random.randint(0, classes, (images, height, width))
    labels[:, 1, :3] = IGNORE
    return random.randn(*shape).astype(np.float32) * 4, labels


def _expected(logits: np.ndarray, labels: np.ndarray) -> tuple[float, np.ndarray]:
    exact = logits.astype(np.float64)
    counted = labels != IGNORE
    loss, gradient = 0.0, np.zeros_like(exact)
    for image, row, column in np.argwhere(counted):
        scores = exact[image, :, row, column]
        probabilities = np.exp(scores - scores.max()) / np.exp(scores - scores.max()).sum()
        label = labels[image, row, column]
        loss -= math.log(probabilities[label])
        gradient[image, :, row, column] = probabilities
        gradient[image, label, row, column] -= 1
    return loss / counted.sum(), gradient / counted.sum()


def test_loss_and_gradient_are_those_of_the_mean_over_labelled_pixels() -> None:
    logits, labels = _case()
    loss, gradient = _run(logits, labels)
    expected_loss, expected_gradient = _expected(logits, labels)
    assert (loss.shape, loss.dtype) == ((), np.float32)
    np.testing.assert_allclose(loss, expected_loss, rtol=1e-6)
    np.testing.assert_allclose(gradient, expected_gradient, rtol=1e-4, atol=1e-8)


def test_equal_scores_cost_the_logarithm_of_the_number_of_classes() -> None:
    loss, _ = _run(np.zeros((1, 21, 3, 3), np.float32), np.full((1, 3, 3), 20))
    np.testing.assert_allclose(loss, math.log(21), rtol=1e-6)


def test_ignored_pixels_have_exactly_no_gradient_and_no_weight() -> None:
    logits, labels = _case()
    loss, gradient = _run(logits, labels)
    ignored = labels == IGNORE
    assert (gradient.transpose(0, 2, 3, 1)[ignored] == 0).all()
    assert (gradient.transpose(0, 2, 3, 1)[~ignored] != 0).any()
    changed = logits.copy()
    changed.transpose(0, 2, 3, 1)[ignored] = 1e4
    assert _run(changed, labels)[0] == loss


def test_a_batch_without_labelled_pixels_costs_nothing() -> None:
    logits, labels = _case()
    loss, gradient = _run(logits, np.full_like(labels, IGNORE))
    assert loss == 0
    assert (gradient == 0).all()


def test_half_precision_scores_are_summed_in_single_precision() -> None:
    logits, labels = _case((2, 21, 65, 65))
    half = logits.astype(np.float16)
    loss, gradient = _run(half, labels)
    assert loss.dtype == np.float32
    assert gradient.dtype == np.float16
    np.testing.assert_allclose(loss, _expected(half, labels)[0], rtol=1e-5)


def test_large_scores_stay_finite() -> None:
    logits, labels = _case()
    loss, gradient = _run(logits * 1e4, labels)
    assert np.isfinite(loss)
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize("label", [5, 38, 254, -1])
def test_a_label_that_is_no_class_gives_nan_instead_of_a_silent_zero(label: int) -> None:
    logits, labels = _case()
    labels[0, 0, 0] = label
    assert np.isnan(_run(logits, labels)[0])
