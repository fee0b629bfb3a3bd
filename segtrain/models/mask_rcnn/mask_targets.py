"""Targets of the mask head for boxes that belong to an object."""

from __future__ import annotations

from mindspore import Tensor, dtype, ops


def mask_targets(crops: Tensor, instances: Tensor, boxes: Tensor, size: int) -> Tensor:
    """Return the masks of objects, resampled to other boxes: 1 inside the object, 0 elsewhere.

    The values of an object's crop belong to the centers of its cells. The crop is sampled bilinearly at the centers of
    the other box's cells. Samples of 0.5 or more are object; samples outside the object's box are not.

    Args:
        crops: masks cropped to their objects' boxes, float32 ``(R, S, S)``, 0 to 1.
        instances: boxes of the objects, float32 ``(R, 4)``.
        boxes: boxes to resample to, float32 ``(R, 4)``.
        size: cells along each side of the result.

    Returns:
        Float32 ``(R, size, size)`` of 0 and 1.
    """
    x1, y1, x2, y2 = ops.unstack(boxes, axis=-1)
    u1, v1, u2, v2 = ops.unstack(instances, axis=-1)
    cells = crops.shape[-1]
    rows = _weights(y1, y2, v1, v2, size, cells)
    columns = _weights(x1, x2, u1, u2, size, cells)
    # Bilinear sampling on a grid is one product from each side.
    samples = ops.bmm(ops.bmm(rows, crops), columns.transpose(0, 2, 1))
    # Samples of exactly one half must not depend on the rounding of the products.
    return (samples >= 0.5 - 1e-4).astype(dtype.float32)


def _weights(start: Tensor, end: Tensor, low: Tensor, high: Tensor, size: int, cells: int) -> Tensor:
    """Return the weight of each cell from low to high at ``size`` points from start to end, ``(R, size, cells)``."""
    steps = (ops.arange(size).astype(dtype.float32) + 0.5).reshape(1, -1) / size
    points = start.reshape(-1, 1) + steps * (end - start).reshape(-1, 1)
    extent = ops.maximum(high - low, Tensor(1e-3, dtype.float32)).reshape(-1, 1)
    share = (points - low.reshape(-1, 1)) / extent
    inside = ops.logical_and(share >= 0, share <= 1).astype(dtype.float32)
    places = ops.clamp(share * cells - 0.5, 0, cells - 1)
    distance = ops.abs(ops.expand_dims(places, 2) - ops.arange(cells).astype(dtype.float32).reshape(1, 1, -1))
    return ops.relu(1 - distance) * ops.expand_dims(inside, 2)
