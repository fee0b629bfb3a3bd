"""Inputs to compare the parts of Mask R-CNN on, and boxes in plain NumPy; needs neither MindSpore nor PyTorch."""

from __future__ import annotations

from pathlib import Path

import numpy as np

GOLDEN = Path(__file__).with_name("mask_rcnn_parity.npz")

#: Of the finest to the coarsest level of an image of 64 x 96 pixels.
SHAPES = ((16, 24), (8, 12), (4, 6), (2, 3))
STRIDES = (4, 8, 16, 32)
FINEST_SCALE = 8.0
CHANNELS, SIZE, SAMPLES = 2, 3, 2
STDS = (0.1, 0.1, 0.2, 0.2)

#: Of each image: on every level, at the edges, less than a cell, the complete image, in the middle.
BOXES = (
    ((3.3, 5.1, 11.9, 12.2), (0.0, 0.0, 96.0, 64.0), (90.5, 60.25, 96.0, 64.0), (40.0, 7.0, 41.5, 8.0)),
    ((10.0, 12.0, 70.7, 50.3), (0.0, 0.0, 15.9, 15.9), (64.2, 1.0, 96.0, 30.0), (20.0, 30.0, 45.0, 60.0)),
)


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    """Return the intersection over union of two boxes."""
    shared = _shared(one, other)
    return shared / max(_area(one) + _area(other) - shared, 1e-9)


def covered(box: np.ndarray, region: np.ndarray) -> float:
    """Return which share of a box is in a region."""
    return _shared(box, region) / max(_area(box), 1e-9)


def matched(
    boxes: np.ndarray,
    usable: np.ndarray,
    objects: np.ndarray,
    labels: np.ndarray,
    crowd: np.ndarray,
    *,
    positive_iou: float,
    negative_iou: float,
    crowd_overlap: float,
    rescue_iou: float | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return which boxes of an image are positive and negative, and the object that each overlaps most."""
    overlaps = np.zeros((len(boxes), len(objects)))
    for j in np.flatnonzero((labels > 0) & (crowd == 0)):
        overlaps[:, j] = [overlap(box, objects[j]) for box in boxes]
    best = overlaps.max(1)
    positive, negative = best >= positive_iou, best < negative_iou
    if rescue_iou is not None:
        for column in overlaps.T:
            highest = column[usable].max(initial=0)
            if highest >= rescue_iou:
                positive |= usable & (column == highest)
    for j in np.flatnonzero(crowd):
        usable = usable & np.array([covered(box, objects[j]) <= crowd_overlap for box in boxes])
    return positive & usable, negative & ~positive & usable, overlaps.argmax(1)


def greedy_nms(boxes: np.ndarray, threshold: float) -> np.ndarray:
    """Return which boxes, best first, stay: the textbook's two loops."""
    kept: list[int] = []
    for i, box in enumerate(boxes):
        if all(overlap(box, boxes[j]) <= threshold for j in kept):
            kept.append(i)
    return np.isin(np.arange(len(boxes)), kept)


def encoded(box: np.ndarray, anchor: np.ndarray) -> np.ndarray:
    """Return the offsets from an anchor to a box."""
    side, anchor_side = box[2:] - box[:2], anchor[2:] - anchor[:2]
    shift = (box[:2] + box[2:] - anchor[:2] - anchor[2:]) / 2 / anchor_side
    return np.concatenate([shift, np.log(side / anchor_side)])


def decoded(offsets: np.ndarray, anchor: np.ndarray) -> np.ndarray:
    """Return the box that offsets make of an anchor."""
    anchor_side = anchor[2:] - anchor[:2]
    center = (anchor[:2] + anchor[2:]) / 2 + offsets[:2] * anchor_side
    half = anchor_side * np.exp(offsets[2:]) / 2
    return np.concatenate([center - half, center + half])


def random_boxes(random: np.random.RandomState, number: int, height: float, width: float) -> np.ndarray:
    """Return float32 boxes inside an image, none of them empty."""
    corners = random.uniform(0, 1, (number, 2, 2)) * (width, height)
    low, high = corners.min(1), corners.max(1) + 1
    return np.concatenate([low, np.minimum(high, (width, height))], 1).astype(np.float32)


def _area(box: np.ndarray) -> float:
    return float(np.prod(box[2:] - box[:2]))


def _shared(one: np.ndarray, other: np.ndarray) -> float:
    sides = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
    return float(np.prod(np.maximum(sides, 0)))
