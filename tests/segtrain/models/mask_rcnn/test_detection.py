from __future__ import annotations

import mask_rcnn_cases as cases
import numpy as np
import pytest
from mindspore import Tensor, nn

from segtrain.config.mask_rcnn import MaskRcnn
from segtrain.models.mask_rcnn.anchors import level_anchors, level_shapes
from segtrain.models.mask_rcnn.detection import MaskRcnnDetector

CLASSES = 3
IMAGES = 3


class _Given(nn.Cell):
    """Gives what it was given, whatever it is asked."""

    def __init__(self, *values: np.ndarray) -> None:
        super().__init__()
        self.values = tuple(Tensor(value.astype(np.float32)) for value in values)

    def construct(self, *asked: Tensor) -> tuple[Tensor, ...] | Tensor:
        return self.values if len(self.values) > 1 else self.values[0]


class _Network(nn.Cell):
    """A network whose outputs are known."""

    def __init__(
        self, settings: MaskRcnn, first: tuple[np.ndarray, ...], second: tuple[np.ndarray, ...], masks: np.ndarray
    ) -> None:
        super().__init__()
        self.settings, self.num_classes = settings, CLASSES
        self.levels = _Given(*(np.zeros((IMAGES, 1, *shape)) for shape in level_shapes(settings)[:-1]))
        self.first_stage = _Given(*first)
        self.box_head = _Given(*second)
        self.mask_head = _Given(masks)

    def construct(self, images: Tensor) -> tuple[tuple[Tensor, ...], Tensor, Tensor]:
        logits, offsets = self.first_stage(images)
        return self.levels(images), logits, offsets


def _plainly(
    settings: MaskRcnn, proposals: np.ndarray, logits: np.ndarray, offsets: np.ndarray, size: np.ndarray
) -> list[tuple[float, int, np.ndarray]]:
    """Return score, label and box of one image's detections, best first."""
    shares = np.exp(logits.astype(np.float64))
    shares /= shares.sum(1, keepdims=True)
    found = []
    for label in range(1, CLASSES + 1):
        order = [i for i in np.argsort(-shares[:, label]) if shares[i, label] >= settings.test_score]
        boxes = [cases.decoded(offsets[i, label - 1] * settings.box_stds, proposals[i]) for i in order]
        boxes = [np.clip(box, 0, [size[1], size[0]] * 2) for box in boxes]
        kept = cases.greedy_nms(np.array(boxes), settings.test_nms)
        found += [(shares[i, label], label, box) for i, box, stays in zip(order, boxes, kept, strict=True) if stays]
    return sorted(found, key=lambda one: -one[0])[: settings.max_detections]


def _random_outputs(settings: MaskRcnn) -> tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...], np.ndarray]:
    random = np.random.RandomState(3)
    anchors = sum(map(len, level_anchors(settings)))
    first = random.normal(0, 2, (IMAGES, anchors)), random.normal(0, 0.3, (IMAGES, anchors, 4))
    rows = IMAGES * settings.rpn_test_proposals
    second = random.normal(0, 2, (rows, CLASSES + 1)), random.normal(0, 1, (rows, CLASSES, 4))
    # In the last image all is background.
    second[0][-settings.rpn_test_proposals :, 0] = 20
    side = 2 * settings.mask_roi_size
    return first, second, random.normal(0, 2, (IMAGES * settings.max_detections, CLASSES, side, side))


def test_detections_are_those_of_plain_loops(tiny: MaskRcnn) -> None:
    first, second, masks = _random_outputs(tiny)
    detector = MaskRcnnDetector(_Network(tiny, first, second, masks))
    sizes = np.array([[64, 96], [40, 50], [64, 96]], np.float32)
    proposals = detector.proposals(*(Tensor(one.astype(np.float32)) for one in (*first, sizes)))[0].asnumpy()
    images = Tensor(np.zeros((IMAGES, 3, 64, 96), np.float32))
    boxes, scores, labels, valid, probabilities = (one.asnumpy() for one in detector(images, Tensor(sizes)))
    rows, side = tiny.max_detections, 2 * tiny.mask_roi_size
    assert boxes.shape == (IMAGES, rows, 4)
    assert scores.shape == labels.shape == valid.shape == (IMAGES, rows)
    assert probabilities.shape == (IMAGES, rows, side, side)
    split = [one.reshape(IMAGES, tiny.rpn_test_proposals, *one.shape[1:]) for one in second]
    for i in range(IMAGES):
        expected = _plainly(tiny, proposals[i], split[0][i], split[1][i], sizes[i])
        assert valid[i].sum() == len(expected)
        for j, (score, label, box) in enumerate(expected):
            assert (scores[i, j], labels[i, j]) == (pytest.approx(score, abs=1e-5), label)
            assert boxes[i, j] == pytest.approx(box, abs=1e-3)
            logits = masks[i * rows + j, label - 1]
            assert probabilities[i, j] == pytest.approx(1 / (1 + np.exp(-logits)), abs=1e-5)
    assert valid.any(1).tolist() == [True, True, False]
