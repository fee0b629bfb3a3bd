from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import Any

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, nn

from segtrain.config.config import Config
from segtrain.config.networks import DeepLab
from segtrain.config.recipes import override
from segtrain.losses import CrossEntropyDice, HardPixelCrossEntropy, PixelCrossEntropy, build_loss

IGNORE = 255


@pytest.fixture(autouse=True)
def _graph_mode_on_cpu() -> None:
    ms.set_device("CPU")
    ms.set_context(mode=ms.GRAPH_MODE)


class _LossAndGradient(nn.Cell):
    def __init__(self, loss: nn.Cell) -> None:
        super().__init__()
        self.both = ms.value_and_grad(loss, 0)

    def construct(self, logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        return self.both(logits, labels)


# Compiling one takes a second, and computing it no time.
_made = cache(lambda kind, *settings: _LossAndGradient(kind(IGNORE, *settings)))


def _run(
    logits: np.ndarray, labels: np.ndarray, kind: type[nn.Cell] = PixelCrossEntropy, *settings: object
) -> tuple[np.ndarray, np.ndarray]:
    return _values(_made(kind, *settings), logits, labels)


def _values(both: _LossAndGradient, logits: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    value, gradient = both(Tensor(logits), Tensor(labels.astype(np.int32)))
    return value.asnumpy(), gradient.asnumpy()


def _case(shape: tuple[int, int, int, int] = (2, 5, 7, 4)) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.RandomState(0)
    images, classes, height, width = shape
    labels = random.randint(0, classes, (images, height, width))
    labels[:, 1, :3] = IGNORE
    return random.randn(*shape).astype(np.float32) * 4, labels


def _pixels(logits: np.ndarray, labels: np.ndarray) -> dict[tuple[int, ...], tuple[float, np.ndarray]]:
    """Return cross entropy and its gradient by scores, for each pixel that has a label."""
    found = {}
    for image, row, column in np.argwhere(labels != IGNORE):
        scores = logits[image, :, row, column].astype(np.float64)
        probabilities = np.exp(scores - scores.max()) / np.exp(scores - scores.max()).sum()
        label = labels[image, row, column]
        loss = -math.log(probabilities[label])
        probabilities[label] -= 1
        found[image, row, column] = loss, probabilities
    return found


def _expected(
    logits: np.ndarray, labels: np.ndarray, weights: Sequence[float] | None = None, share: float = 1.0
) -> tuple[float, np.ndarray]:
    """Return weighted mean and gradient over the hardest share of the pixels whose weight is not 0."""
    weights = weights or [1.0] * logits.shape[1]
    pixels = {place: each for place, each in _pixels(logits, labels).items() if weights[labels[place]]}
    hardest = sorted(pixels, key=lambda place: -pixels[place][0])[: math.ceil(share * len(pixels))]
    total = sum(weights[labels[place]] for place in hardest)
    gradient = np.zeros(logits.shape)
    for place in hardest:
        image, row, column = place
        gradient[image, :, row, column] = pixels[place][1] * weights[labels[place]] / total
    return sum(pixels[place][0] * weights[labels[place]] for place in hardest) / total, gradient


def test_loss_and_gradient_are_those_of_the_mean_over_labeled_pixels() -> None:
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


def test_a_batch_without_labeled_pixels_costs_nothing() -> None:
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
def test_a_label_that_is_not_a_class_gives_nan_instead_of_a_silent_zero(label: int) -> None:
    logits, labels = _case()
    labels[0, 0, 0] = label
    assert np.isnan(_run(logits, labels)[0])


WEIGHTS = (0.5, 2.0, 0.0, 1.5, 10.0)


def test_class_weights_weigh_the_mean_as_in_pytorch() -> None:
    logits, labels = _case()
    loss, gradient = _run(logits, labels, PixelCrossEntropy, WEIGHTS)
    expected_loss, expected_gradient = _expected(logits, labels, WEIGHTS)
    np.testing.assert_allclose(loss, expected_loss, rtol=1e-6)
    np.testing.assert_allclose(gradient, expected_gradient, rtol=1e-4, atol=1e-8)


def test_the_scale_of_class_weights_does_not_matter() -> None:
    logits, labels = _case()
    for scale in (1.0, 1e-3):
        loss, _ = _run(logits, labels, PixelCrossEntropy, (scale,) * 5)
        np.testing.assert_allclose(loss, _run(logits, labels)[0], rtol=1e-6)


@pytest.mark.parametrize("share", [1.0, 0.5, 0.2, 0.01])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_ohem_is_the_mean_over_the_hardest_of_the_pixels_that_count(
    weights: tuple[float, ...] | None, share: float
) -> None:
    logits, labels = _case()
    labels[0, 3:] = IGNORE
    loss, gradient = _run(logits, labels, HardPixelCrossEntropy, share, weights)
    expected_loss, expected_gradient = _expected(logits, labels, weights, share)
    np.testing.assert_allclose(loss, expected_loss, rtol=1e-6)
    np.testing.assert_allclose(gradient, expected_gradient, rtol=1e-4, atol=1e-8)


def test_easy_and_ignored_pixels_have_exactly_no_gradient_in_ohem() -> None:
    logits, labels = _case()
    _, gradient = _run(logits, labels, HardPixelCrossEntropy, 0.25)
    touched = (gradient != 0).any(1)
    assert touched.sum() == math.ceil(0.25 * (labels != IGNORE).sum())
    assert not touched[labels == IGNORE].any()


@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("share", [None, 0.2])
def test_pixels_that_are_all_ignored_or_weightless_cost_nothing(
    weights: tuple[float, ...] | None, share: float | None
) -> None:
    logits, labels = _case()
    loss_of: tuple[Any, ...] = (HardPixelCrossEntropy, share, weights) if share else (PixelCrossEntropy, weights)
    for label in (IGNORE, 2) if weights else (IGNORE,):
        loss, gradient = _run(logits, np.full_like(labels, label), *loss_of)
        assert loss == 0
        assert (gradient == 0).all()


@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("label", [5, 254, -1])
def test_a_label_that_is_not_a_class_is_never_too_easy_for_ohem(weights: tuple[float, ...] | None, label: int) -> None:
    logits, labels = _case()
    labels[0, 0, 0] = label
    assert np.isnan(_run(logits, labels, HardPixelCrossEntropy, 0.01, weights)[0])
    assert np.isnan(_run(logits, labels, PixelCrossEntropy, weights)[0])


def test_the_configuration_chooses_the_loss(small: Config) -> None:
    logits, labels = _case()
    for settings, expected in (
        ({}, _expected(logits, labels)),
        ({"class_weights": list(WEIGHTS)}, _expected(logits, labels, WEIGHTS)),
        ({"loss": "ohem", "ohem_share": 0.1}, _expected(logits, labels, None, 0.1)),
        ({"loss": "ohem", "class_weights": list(WEIGHTS)}, _expected(logits, labels, WEIGHTS, 0.2)),
    ):
        chosen = override(small, settings).model_as(DeepLab).loss
        loss, _ = _values(_LossAndGradient(build_loss(chosen, IGNORE)), logits, labels)
        np.testing.assert_allclose(loss, expected[0], rtol=1e-6)


class _WeighedLossAndGradient(nn.Cell):
    def __init__(self, loss: nn.Cell) -> None:
        super().__init__()
        self.both = ms.value_and_grad(loss, 0)

    def construct(self, logits: Tensor, labels: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        return self.both(logits, labels, weights)


def test_weights_of_pixels_multiply_those_of_their_classes() -> None:
    logits, labels = _case()
    weights = np.random.RandomState(1).rand(*labels.shape).astype(np.float32) * 10
    both = _WeighedLossAndGradient(PixelCrossEntropy(IGNORE, WEIGHTS))
    loss, gradient = (each.asnumpy() for each in both(*map(Tensor, (logits, labels.astype(np.int32), weights))))
    each = {place: (pixel, weights[place] * WEIGHTS[labels[place]]) for place, pixel in _pixels(logits, labels).items()}
    total = sum(weight for _, weight in each.values())
    expected = np.zeros(logits.shape)
    for (image, row, column), (pixel, weight) in each.items():
        expected[image, :, row, column] = pixel[1] * weight / total
    np.testing.assert_allclose(loss, sum(pixel[0] * weight for pixel, weight in each.values()) / total, rtol=1e-5)
    np.testing.assert_allclose(gradient, expected, rtol=1e-4, atol=1e-8)


def test_the_dice_loss_is_added_to_the_cross_entropy() -> None:
    logits, labels = _case()
    labels[labels == 3] = 4  # a class that the batch does not have takes no part
    loss, gradient = _run(logits, labels, CrossEntropyDice)
    scores = np.exp(logits.astype(np.float64)).transpose(0, 2, 3, 1)
    labeled = labels != IGNORE
    probabilities, truth = (scores / scores.sum(-1, keepdims=True))[labeled], labels[labeled]
    dice = []
    for number in (0, 1, 2, 4):
        common = probabilities[truth == number, number].sum()
        dice.append(2 * common / (probabilities[:, number].sum() + (truth == number).sum()))
    np.testing.assert_allclose(loss, _expected(logits, labels)[0] + 1 - np.mean(dice), rtol=1e-5)
    assert (gradient.transpose(0, 2, 3, 1)[~labeled] == 0).all()
    # A step against the gradient makes the loss smaller.
    assert _run(logits - 0.5 * gradient, labels, CrossEntropyDice)[0] < loss


def test_a_batch_without_labels_costs_nothing_with_the_dice_loss_either() -> None:
    logits, labels = _case()
    loss, gradient = _run(logits, np.full_like(labels, IGNORE), CrossEntropyDice)
    assert loss == 0
    assert (gradient == 0).all()


def test_in_the_dice_loss_a_rare_class_counts_as_much_as_a_common_one() -> None:
    labels = np.zeros((1, 32, 32), np.int64)
    labels[0, 0, :2] = 1
    sure = np.where(np.stack([labels == 0, labels == 1], 1), 40.0, -40.0).astype(np.float32)
    missed = sure.copy()
    missed[0, :, 0, 1] *= -1  # one of the two pixels of the rare class
    dice = _run(missed, labels, CrossEntropyDice)[0] - _run(missed, labels)[0]
    np.testing.assert_allclose(dice, 1 - (2 / 3 + 2 * 1022 / (1023 + 1022)) / 2, rtol=1e-4)
