from __future__ import annotations

import numpy as np
import pytest
from mindspore import Tensor

from segtrain.distributed.ranks import ALONE
from segtrain.models.mask_rcnn.losses import SampleCount, binary_loss, box_loss, class_loss, of_class

RANDOM = np.random.RandomState(2)

count = SampleCount(ALONE)


def test_binary_loss_is_the_mean_cross_entropy_of_what_counts() -> None:
    logits, targets = RANDOM.normal(0, 3, (2, 6)).astype(np.float32), RANDOM.randint(0, 2, (2, 6)).astype(np.float32)
    counted = RANDOM.randint(0, 2, (2, 6)).astype(bool)
    share = 1 / (1 + np.exp(-logits.astype(np.float64)))
    expected = -np.log(np.where(targets == 1, share, 1 - share))[counted].mean()
    found = binary_loss(Tensor(logits), Tensor(targets), Tensor(counted), count(Tensor(counted)))
    assert float(found.asnumpy()) == pytest.approx(expected, rel=1e-5)


def test_binary_loss_of_extreme_logits_is_finite() -> None:
    found = binary_loss(Tensor([200.0, -200.0]), Tensor([0.0, 0.0]), Tensor([True, True]), Tensor(2.0))
    assert float(found.asnumpy()) == 100


def test_class_loss_is_the_mean_cross_entropy_of_what_counts() -> None:
    logits, labels = RANDOM.normal(0, 3, (5, 4)).astype(np.float32), np.array([0, 3, 1, 2, 0], np.int32)
    counted = np.array([True, True, False, True, False])
    shares = np.exp(logits.astype(np.float64))
    shares /= shares.sum(1, keepdims=True)
    expected = -np.log(shares[range(5), labels])[counted].mean()
    found = class_loss(Tensor(logits), Tensor(labels), Tensor(counted), count(Tensor(counted)))
    assert float(found.asnumpy()) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("beta", [1 / 9, 1.0])
def test_box_loss_is_smooth_l1_of_positives_over_all_samples(beta: float) -> None:
    offsets, targets = RANDOM.normal(0, 1, (2, 2, 3, 4)).astype(np.float32)
    positives = np.array([[True, False, True], [True, False, False]])
    sampled = np.concatenate([positives, np.ones((2, 2), bool)], 1)
    distance = np.abs(offsets - targets)
    smooth = np.where(distance < beta, distance**2 / (2 * beta), distance - beta / 2)
    found = box_loss(*map(Tensor, (offsets, targets, positives)), count(Tensor(sampled)), beta)
    assert float(found.asnumpy()) == pytest.approx(smooth[positives].sum() / 7, rel=1e-5)


def test_where_nothing_was_sampled_every_part_is_zero() -> None:
    none, numbers = Tensor([False]), Tensor(np.ones((1, 1, 4), np.float32))
    parts = (
        binary_loss(Tensor([3.0]), Tensor([1.0]), none, count(none)),
        class_loss(Tensor([[1.0, 2.0]]), Tensor(np.array([1], np.int32)), none, count(none)),
        box_loss(numbers, 2 * numbers, none.reshape(1, 1), count(none), 1.0),
    )
    assert [float(part.asnumpy()) for part in parts] == [0, 0, 0]


def test_values_of_a_class_are_taken_row_by_row() -> None:
    values = np.arange(24, dtype=np.float32).reshape(3, 4, 2)
    found = of_class(Tensor(values), Tensor(np.array([4, 1, 0], np.int32))).asnumpy()
    assert (found == [values[0, 3], values[1, 0], values[2, 0]]).all()
