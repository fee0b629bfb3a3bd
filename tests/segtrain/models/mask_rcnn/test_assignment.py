from __future__ import annotations

import mask_rcnn_cases as cases
import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor

from segtrain.models.mask_rcnn.assignment import AnchorMatcher, BalancedSampler

POSITIVE, NEGATIVE, RESCUE, CROWD = 0.6, 0.3, 0.2, 0.5
ROWS = 6


@pytest.fixture(scope="module")
def batch() -> tuple[np.ndarray, ...]:
    """Return boxes, usable, objects, labels, crowd of an image with objects, one with a crowd, one with nothing."""
    random = np.random.RandomState(5)
    objects = np.stack([cases.random_boxes(random, ROWS, 60, 80) for _ in range(3)])
    labels = np.array([[1, 2, 1, 3, 0, 0], [2, 1, 1, 0, 0, 0], [0] * ROWS], np.int32)
    crowd = np.array([[0] * ROWS, [0, 1, 0, 0, 0, 0], [0] * ROWS], np.int32)
    objects *= (labels > 0)[:, :, None]
    near = objects[:, :4] + random.uniform(-6, 6, (3, 4, 4)).astype(np.float32)
    near[..., 2:] = np.maximum(near[..., 2:], near[..., :2] + 1)
    boxes = np.concatenate([np.stack([cases.random_boxes(random, 60, 60, 80) for _ in range(3)]), near, objects], 1)
    usable = random.uniform(size=boxes.shape[:2]) < 0.8
    return boxes, usable, objects, labels, crowd


def test_matching_is_that_of_plain_loops(batch: tuple[np.ndarray, ...]) -> None:
    found = [one.asnumpy() for one in AnchorMatcher(POSITIVE, NEGATIVE, CROWD, RESCUE)(*map(Tensor, batch))]
    limits = {"positive_iou": POSITIVE, "negative_iou": NEGATIVE, "crowd_overlap": CROWD, "rescue_iou": RESCUE}
    for i, image in enumerate(zip(*batch, strict=True)):
        positive, negative, nearest = cases.matched(*image, **limits)
        assert (found[0][i] == positive).all()
        assert (found[1][i] == negative).all()
        assert (found[2][i] == nearest)[positive].all()
    assert found[0].any(1).tolist() == [True, True, False]


def test_without_rescue_an_object_may_have_no_box() -> None:
    boxes = np.array([[[0, 0, 10, 10], [0, 0, 10, 4]]], np.float32)
    row = Tensor(np.array([[[0, 0, 10, 10]]], np.float32)), Tensor(np.ones((1, 1), np.int32))
    none = Tensor(np.zeros((1, 1), np.int32))
    usable = Tensor(np.array([[False, True]]))
    positive, negative, _ = AnchorMatcher(0.5, 0.5, 0.5)(Tensor(boxes), usable, *row, none)
    assert (positive.asnumpy().tolist(), negative.asnumpy().tolist()) == ([[False, False]], [[False, True]])
    positive, negative, _ = AnchorMatcher(0.5, 0.5, 0.5, 0.3)(Tensor(boxes), usable, *row, none)
    assert (positive.asnumpy().tolist(), negative.asnumpy().tolist()) == ([[False, True]], [[False, False]])


def _sets(positives: int, negatives: int, number: int = 40) -> tuple[Tensor, Tensor]:
    kinds = np.array([1] * positives + [2] * negatives + [0] * (number - positives - negatives))
    kinds = np.stack([kinds, kinds[::-1]])
    return Tensor(kinds == 1), Tensor(kinds == 2)


def _chosen(sample: BalancedSampler, positives: int, negatives: int) -> tuple[np.ndarray, np.ndarray]:
    chosen, filled = sample(*_sets(positives, negatives))
    return chosen.asnumpy(), filled.asnumpy()


def _sample() -> BalancedSampler:
    ms.set_seed(7)
    return BalancedSampler(4, 6, 8, "counter")


def test_a_sample_has_as_many_as_there_are_and_as_it_may_have() -> None:
    sample = _sample()
    for (positives, negatives), expected in {
        (10, 20): (4, 4),
        (2, 20): (2, 6),
        (10, 3): (4, 3),
        (0, 0): (0, 0),
    }.items():
        chosen, filled = _chosen(sample, positives, negatives)
        assert chosen.shape == filled.shape == (2, 10)
        masks = [mask.asnumpy() for mask in _sets(positives, negatives)]
        for i in range(2):
            kinds = chosen[i, :4][filled[i, :4]], chosen[i, 4:][filled[i, 4:]]
            assert tuple(map(len, kinds)) == expected
            for mask, one in zip(masks, kinds, strict=True):
                assert len(set(one)) == len(one)
                assert mask[i][one].all()


def test_samples_follow_seed_and_counter_and_give_every_box_the_same_chance() -> None:
    first, second = _sample(), _sample()
    draws = [_chosen(first, 20, 20)[0] for _ in range(200)]
    assert (_chosen(second, 20, 20)[0] == draws[0]).all()
    assert (draws[0] != draws[1]).any()
    second.counter.set_data(Tensor(first.counter.asnumpy()))
    assert (_chosen(first, 20, 20)[0] == _chosen(second, 20, 20)[0]).all()
    # Of the first image, 800 draws over 20 boxes: 40 each, standard deviation 5.7.
    counts = np.bincount(np.stack(draws)[:, 0, :4].ravel(), minlength=40)
    assert counts[:20].min() > 15
    assert counts[:20].max() < 70
    assert not counts[20:].any()


def test_two_devices_draw_what_one_draws_for_the_joint_batch() -> None:
    kinds = _sets(20, 20)
    joint = [one.asnumpy() for one in _sample()(*kinds)]
    for rank in range(2):
        part = _sample()
        part.rank = rank
        own = [one.asnumpy() for one in part(*(kind[rank : rank + 1] for kind in kinds))]
        assert all((one == both[rank : rank + 1]).all() for one, both in zip(own, joint, strict=True))
    assert (joint[0][0] != joint[0][1]).any()


def test_without_a_counter_each_image_gets_the_same_draw_each_time() -> None:
    sample = BalancedSampler(4, 6, 8, None)
    assert not list(sample.get_parameters())
    positive, negative = (Tensor(np.tile(kind.asnumpy()[:1], (3, 1))) for kind in _sets(20, 20))
    draws = [sample(positive[:count], negative[:count])[0].asnumpy() for count in (3, 3, 1)]
    assert all((draw == draws[0][0]).all() for draw in draws)
    # Not simply the first ones.
    assert (np.sort(draws[0][0, :4]) != np.arange(4)).any()


def test_there_may_be_fewer_boxes_than_places() -> None:
    chosen, filled = BalancedSampler(100, 100, 200, "counter")(*_sets(30, 10))
    assert chosen.shape == (2, 80)
    assert filled.asnumpy().sum(1).tolist() == [40, 40]
