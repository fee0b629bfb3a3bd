from __future__ import annotations

import mask_rcnn_cases as cases
import numpy as np
import pytest
from mindspore import Tensor

from segtrain.config.mask_rcnn import MaskRcnn
from segtrain.models.mask_rcnn.anchors import level_anchors
from segtrain.models.mask_rcnn.proposals import Nms, Proposals, in_content


def test_suppression_is_that_of_two_loops() -> None:
    boxes = cases.random_boxes(np.random.RandomState(4), 60, 60, 80)
    expected = cases.greedy_nms(boxes, 0.3)
    assert (Nms(0.3)(Tensor(boxes)).asnumpy() == expected).all()
    assert 5 < expected.sum() < 55


def test_boxes_that_touch_do_not_overlap() -> None:
    boxes = np.array([[0, 0, 10, 10], [10, 0, 20, 10], [0, 0, 10, 10]], np.float32)
    assert Nms(0.0)(Tensor(boxes)).asnumpy().tolist() == [True, True, False]


def test_anchors_with_their_center_beyond_the_content_are_not_in_it() -> None:
    anchors = np.array([[-20, -20, 40, 40], [20, 0, 40, 20], [0, 20, 20, 40]], np.float32)
    sizes = np.array([[40, 30], [30, 40]], np.float32)
    found = in_content(Tensor(anchors), Tensor(sizes)).asnumpy()
    assert found.tolist() == [[True, False, True], [True, True, False]]


def _by_loops(settings: MaskRcnn, logits: np.ndarray, offsets: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Return one image's proposals, best first."""
    boxes: list[np.ndarray] = []
    scores: list[float] = []
    start = 0
    for anchors in level_anchors(settings):
        inside = ((anchors[:, :2] + anchors[:, 2:]) / 2 < size[::-1]).all(1)
        level = np.where(inside, logits[start : start + len(anchors)], -np.inf)
        best = np.argsort(-level)[: settings.rpn_candidates]
        found = np.stack([cases.decoded(offsets[start + i], anchors[i]) for i in best])
        found = np.clip(found, 0, [size[1], size[0]] * 2)
        kept = cases.greedy_nms(found, settings.rpn_nms) & np.isfinite(level[best])
        kept &= (found[:, 2:] > found[:, :2]).all(1)
        boxes += list(found[kept])
        scores += list(level[best][kept])
        start += len(anchors)
    order = np.argsort(scores)[::-1][: settings.rpn_proposals]
    return np.array(boxes)[order]


def test_proposals_are_those_of_plain_loops(tiny: MaskRcnn) -> None:
    number = tiny.rpn_proposals
    random = np.random.RandomState(6)
    count = sum(map(len, level_anchors(tiny)))
    logits = random.normal(0, 2, (2, count)).astype(np.float32)
    offsets = random.normal(0, 0.5, (2, count, 4)).astype(np.float32)
    # In the second image little is left: there are fewer proposals than places.
    sizes = np.array([[64, 96], [12, 9]], np.float32)
    inputs = map(Tensor, (logits, offsets, sizes))
    boxes, proposed = (one.asnumpy() for one in Proposals(tiny, tiny.rpn_candidates, number)(*inputs))
    assert boxes.shape == (2, number, 4)
    for i in range(2):
        expected = _by_loops(tiny, logits[i], offsets[i], sizes[i])
        assert proposed[i].tolist() == [True] * len(expected) + [False] * (number - len(expected))
        assert boxes[i][proposed[i]] == pytest.approx(expected, abs=1e-3)
    assert proposed.all(1).tolist() == [True, False]


def test_there_are_no_more_places_than_candidates() -> None:
    settings = MaskRcnn(image_height=32, image_width=32, anchor_ratios=(1,))
    # Levels of 64, 16, 4, 1 and 1 cells.
    assert Proposals(settings, 10, 1000).proposals == 10 + 10 + 4 + 1 + 1
