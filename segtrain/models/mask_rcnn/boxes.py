"""Boxes as tensors: overlap, encoding, clipping. Geometry is continuous, so a box with equal corners is empty."""

from __future__ import annotations

import math
from collections.abc import Sequence

from mindspore import Tensor, dtype, ops

#: Largest logarithm of the ratio of a side to that of its anchor, so that `decode` cannot overflow: 1000 pixels to 16,
#: as in Detectron and the model zoo.
MAX_LOG_RATIO = math.log(1000 / 16)


def area(boxes: Tensor) -> Tensor:
    """Return the areas ``(...)`` of boxes ``(..., 4)``."""
    x1, y1, x2, y2 = ops.unstack(boxes, axis=-1)
    return (x2 - x1) * (y2 - y1)


def intersection(boxes: Tensor, others: Tensor) -> Tensor:
    """Return the area that each of `boxes` ``(N, A, 4)`` shares with each of `others` ``(N, B, 4)``: ``(N, A, B)``."""
    x1, y1, x2, y2 = ops.unstack(ops.expand_dims(boxes, 2), axis=-1)
    u1, v1, u2, v2 = ops.unstack(ops.expand_dims(others, 1), axis=-1)
    width = ops.relu(ops.minimum(x2, u2) - ops.maximum(x1, u1))
    height = ops.relu(ops.minimum(y2, v2) - ops.maximum(y1, v1))
    return width * height


def iou(boxes: Tensor, others: Tensor) -> Tensor:
    """Return the IoU of `boxes` ``(N, A, 4)`` and `others` ``(N, B, 4)``: ``(N, A, B)``, 0 to 1.

    The IoU of two empty boxes is 0.
    """
    shared = intersection(boxes, others)
    union = ops.expand_dims(area(boxes), 2) + ops.expand_dims(area(others), 1) - shared
    return shared / ops.maximum(union, Tensor(1e-6, dtype.float32))


def coverage(boxes: Tensor, regions: Tensor) -> Tensor:
    """Return the share of `boxes` ``(N, A, 4)`` that is inside `regions` ``(N, B, 4)``: ``(N, A, B)``, 0 to 1.

    COCO's evaluation uses this overlap for crowd regions: intersection divided by the area of the box.
    """
    own = ops.maximum(ops.expand_dims(area(boxes), 2), Tensor(1e-6, dtype.float32))
    return intersection(boxes, regions) / own


def encode(boxes: Tensor, anchors: Tensor, stds: Sequence[float]) -> Tensor:
    """Return the offsets from anchors to boxes (Girshick et al. 2014, "R-CNN", appendix C), divided by ``stds``.

    Args:
        boxes: ``(..., 4)``.
        anchors: ``(..., 4)``.
        stds: divisors of the shift in x and y, relative to the anchor, and of the logarithms of width and height.

    Returns:
        Float32 ``(..., 4)``. Empty boxes and anchors count as a thousandth of a pixel, so that the result is finite.
    """
    x1, y1, x2, y2 = ops.unstack(boxes, axis=-1)
    u1, v1, u2, v2 = ops.unstack(anchors, axis=-1)
    least = Tensor(1e-3, dtype.float32)
    width, height = ops.maximum(x2 - x1, least), ops.maximum(y2 - y1, least)
    anchor_width, anchor_height = ops.maximum(u2 - u1, least), ops.maximum(v2 - v1, least)
    dx = (x1 + x2 - u1 - u2) / 2 / anchor_width
    dy = (y1 + y2 - v1 - v2) / 2 / anchor_height
    offsets = ops.stack((dx, dy, ops.log(width / anchor_width), ops.log(height / anchor_height)), axis=-1)
    return offsets / Tensor(stds, dtype.float32)


def decode(offsets: Tensor, anchors: Tensor, stds: Sequence[float]) -> Tensor:
    """Apply offsets ``(..., 4)`` to anchors ``(..., 4)`` and return the boxes ``(..., 4)``; the inverse of `encode`.

    The logarithm of a side's growth is limited to `MAX_LOG_RATIO`.
    """
    dx, dy, log_width, log_height = ops.unstack(offsets * Tensor(stds, dtype.float32), axis=-1)
    x1, y1, x2, y2 = ops.unstack(anchors, axis=-1)
    most = Tensor(MAX_LOG_RATIO, dtype.float32)
    x, y = (x1 + x2) / 2 + dx * (x2 - x1), (y1 + y2) / 2 + dy * (y2 - y1)
    half_width = ops.exp(ops.minimum(log_width, most)) * (x2 - x1) / 2
    half_height = ops.exp(ops.minimum(log_height, most)) * (y2 - y1) / 2
    return ops.stack((x - half_width, y - half_height, x + half_width, y + half_height), axis=-1)


def clip(boxes: Tensor, sizes: Tensor) -> Tensor:
    """Clip boxes ``(N, A, 4)`` to the content of their images; sizes are float32 ``(N, 2)``, height and width."""
    height, width = ops.unstack(ops.expand_dims(sizes, 1), axis=-1)
    limits = ops.stack((width, height, width, height), axis=-1)
    return ops.minimum(ops.relu(boxes), limits)


def gather_rows(rows: Tensor, indices: Tensor) -> Tensor:
    """Return the rows of ``(N, A, C)`` that int32 indices ``(N, B)`` select in each image: ``(N, B, C)``."""
    images, number, channels = rows.shape
    first = ops.arange(images).astype(dtype.int32).reshape(-1, 1) * number
    flat = (indices + first).reshape(-1)
    return ops.gather(rows.reshape(-1, channels), flat, 0).reshape(images, -1, channels)
