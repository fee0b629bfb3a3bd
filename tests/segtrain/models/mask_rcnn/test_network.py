"""Network, loss and training step of the complete Mask R-CNN, on the smallest that has all parts."""

from __future__ import annotations

import mask_rcnn_cases as cases
import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, nn

from segdata.errors import InvalidInputError
from segtrain.config.mask_rcnn import MaskRcnn
from segtrain.config.recipes import recipe
from segtrain.models.mask_rcnn import LOSS_PARTS, MaskRcnnLoss, MaskRcnnNetwork
from segtrain.models.mask_rcnn.anchors import level_anchors
from segtrain.models.mask_rcnn.mask_targets import mask_targets
from segtrain.training.freeze import freeze
from segtrain.training.step import TrainStep

CLASSES = 2

Batch = tuple[np.ndarray, ...]


@pytest.fixture(scope="module")
def loss(tiny: MaskRcnn) -> MaskRcnnLoss:
    ms.set_seed(1)
    network = MaskRcnnNetwork(tiny, CLASSES)
    freeze(network, recipe("mask_rcnn_coco").freeze)
    return MaskRcnnLoss(network)


@pytest.fixture(scope="module")
def step(loss: MaskRcnnLoss) -> TrainStep:
    optimizer = nn.Momentum(loss.network.trainable_params(), 0.01, 0.9)
    return TrainStep(loss, optimizer, 1.0).set_train(True)


@pytest.fixture
def batch() -> Batch:
    """Return an image with two objects and a crowd region, and one without anything, smaller than the input."""
    random = np.random.RandomState(1)
    images = random.normal(0, 0.5, (2, 3, 64, 96)).astype(np.float32)
    boxes = np.array([[[8, 6, 38, 35], [40, 10, 84, 50], [0, 44, 30, 64]], [[0] * 4] * 3], np.float32)
    images[0, 0, 6:35, 8:38] += 3
    images[0, 1, 10:50, 40:84] += 3
    images[1, :, 48:] = 0
    labels, crowd = np.array([[1, 2, 1], [0, 0, 0]], np.int32), np.array([[0, 0, 1], [0, 0, 0]], np.int32)
    masks = random.uniform(size=(2, 3, 8, 8)).astype(np.float32)
    return images, np.array([[64, 96], [48, 96]], np.float32), boxes, labels, crowd, masks


def _expected_parts(loss: MaskRcnnLoss, batch: Batch) -> list[float]:
    """Return the parts of the loss by plain loops from the network's outputs; all samples are taken."""
    network, settings = loss.network, loss.settings
    images, sizes, objects, labels, crowd, masks = batch
    levels, logits, offsets = network(Tensor(images))
    canvas = loss.regions(levels)
    proposals, proposed = (one.asnumpy() for one in loss.proposals(logits, offsets, Tensor(sizes)))
    rois = np.concatenate([proposals, objects], 1)
    usable = np.concatenate([proposed, (labels > 0) & (crowd == 0)], 1)
    regions = canvas, Tensor(rois), Tensor(usable)
    scores, shifts = (one.asnumpy() for one in network.box_head(loss.regions.for_boxes(*regions)))
    shapes = network.mask_head(loss.regions.for_masks(*regions)).asnumpy()
    count = rois.shape[1]

    anchors = np.concatenate(level_anchors(settings))
    sums = dict.fromkeys(LOSS_PARTS, 0.0)
    anchors_seen = rois_seen = cells_seen = 0
    for i in range(len(images)):
        rows = objects[i], labels[i], crowd[i]
        inside = ((anchors[:, :2] + anchors[:, 2:]) / 2 < sizes[i][::-1]).all(1)
        limits = {"positive_iou": settings.rpn_positive_iou, "negative_iou": settings.rpn_negative_iou}
        rescue = {"crowd_overlap": settings.crowd_overlap, "rescue_iou": settings.rpn_rescue_iou}
        positive, negative, nearest = cases.matched(anchors, inside, *rows, **limits, **rescue)
        anchors_seen += int((positive | negative).sum())
        sums["rpn_cls"] += np.log1p(np.exp(-logits.asnumpy()[i, positive])).sum()
        sums["rpn_cls"] += np.log1p(np.exp(logits.asnumpy()[i, negative])).sum()
        for j in np.flatnonzero(positive):
            target = cases.encoded(objects[i, nearest[j]], anchors[j])
            sums["rpn_box"] += _smooth_l1(offsets.asnumpy()[i, j] - target, 1 / 9)

        limits = {"positive_iou": settings.roi_iou, "negative_iou": settings.roi_iou}
        positive, negative, nearest = cases.matched(
            rois[i], usable[i], *rows, **limits, crowd_overlap=settings.crowd_overlap
        )
        rois_seen += int((positive | negative).sum())
        for j in np.flatnonzero(positive | negative):
            row = i * count + j
            label = int(labels[i, nearest[j]]) if positive[j] else 0
            sums["box_cls"] += np.log(np.exp(scores[row]).sum()) - scores[row, label]
            if label:
                box = objects[i, nearest[j]]
                target = cases.encoded(box, rois[i, j]) / settings.box_stds
                sums["box_reg"] += _smooth_l1(shifts[row, label - 1] - target, 1.0)
                one = (Tensor(values[None]) for values in (masks[i, nearest[j]], box, rois[i, j]))
                wanted = mask_targets(*one, 2 * settings.mask_roi_size).asnumpy()[0]
                logit = shapes[row, label - 1]
                sums["mask"] += (np.log1p(np.exp(logit)) - wanted * logit).sum()
                cells_seen += logit.size
    seen = (anchors_seen, anchors_seen, rois_seen, rois_seen, cells_seen)
    return [sums[part] / number for part, number in zip(LOSS_PARTS, seen, strict=True)]


def _smooth_l1(difference: np.ndarray, beta: float) -> float:
    distance = np.abs(difference)
    return float(np.where(distance < beta, distance**2 / (2 * beta), distance - beta / 2).sum())


def _run(step: TrainStep, batch: Batch) -> tuple[float, list[float]]:
    total, *parts = step(*map(Tensor, batch))
    return float(total.asnumpy()), [float(part.asnumpy()) for part in parts]


def test_the_parts_of_the_loss_are_those_of_plain_loops_and_fall(
    loss: MaskRcnnLoss, step: TrainStep, batch: Batch
) -> None:
    expected = _expected_parts(loss, batch)
    frozen = {p.name: p.asnumpy() for p in loss.network.get_parameters() if not p.requires_grad}
    total, parts = _run(step, batch)
    assert parts == pytest.approx(expected, rel=1e-3, abs=1e-5)
    assert total == pytest.approx(sum(parts), rel=1e-5)
    assert all(parts)
    for _ in range(12):
        last, _ = _run(step, batch)
    assert last < 0.9 * total
    assert all((p.asnumpy() == frozen[p.name]).all() for p in loss.network.get_parameters() if p.name in frozen)


def test_the_loss_of_an_evaluation_is_that_of_plain_loops_and_changes_nothing(loss: MaskRcnnLoss, batch: Batch) -> None:
    evaluation = MaskRcnnLoss(loss.network, evaluates=True).set_train(False)
    assert {p.name for p in evaluation.get_parameters()} == {p.name for p in loss.network.get_parameters()}
    before = {p.name: p.asnumpy().copy() for p in loss.get_parameters()}
    (total, *parts), again = ([float(one.asnumpy()) for one in evaluation(*map(Tensor, batch))] for _ in range(2))
    assert again == [total, *parts]
    assert parts == pytest.approx(_expected_parts(loss, batch), rel=1e-3, abs=1e-5)
    assert total == pytest.approx(sum(parts), rel=1e-5)
    assert all((p.asnumpy() == before[p.name]).all() for p in loss.get_parameters())


def test_a_batch_without_objects_has_no_loss_of_boxes_and_masks_and_finite_gradients(
    loss: MaskRcnnLoss, step: TrainStep, batch: Batch
) -> None:
    images, sizes, boxes, labels, crowd, masks = batch
    before = loss.network.fpn.lateral[0].weight.asnumpy().copy()
    _, parts = _run(step, (images, sizes, 0 * boxes, 0 * labels, 0 * crowd, 0 * masks))
    named = dict(zip(LOSS_PARTS, parts, strict=True))
    assert named["rpn_box"] == named["box_reg"] == named["mask"] == 0
    assert named["rpn_cls"] > 0
    assert named["box_cls"] > 0
    assert all(np.isfinite(parameter.asnumpy()).all() for parameter in loss.network.get_parameters())
    assert (loss.network.fpn.lateral[0].weight.asnumpy() != before).any()


def test_stem_and_first_stage_are_not_trained_and_the_backbone_has_its_name(loss: MaskRcnnLoss) -> None:
    frozen = {p.name for p in loss.network.get_parameters() if not p.requires_grad and "moving" not in p.name}
    stages = {".".join(name.split(".")[:2]) for name in frozen}
    assert stages == {"backbone.conv1", "backbone.bn1", "backbone.layer1"}
    trained = {p.name for p in loss.network.trainable_params()}
    assert {"backbone.layer2.0.conv1.weight", "fpn.lateral.0.weight", "mask_head.logits.bias"} <= trained
    assert {"rpn_sample.counter", "roi_sample.counter"} <= {p.name for p in loss.get_parameters()}


def test_what_cannot_be_built_is_told(tiny: MaskRcnn) -> None:
    with pytest.raises(InvalidInputError, match="expected at least 1, background excluded"):
        MaskRcnnNetwork(tiny, 0)
