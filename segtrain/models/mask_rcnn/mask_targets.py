"""What the mask head has to say about a box that belongs to an object."""

from __future__ import annotations

from mindspore import Tensor, dtype, ops


def mask_targets(crops: Tensor, instances: Tensor, boxes: Tensor, size: int) -> Tensor:
    """Return the masks of objects as seen from other boxes: 1 where an object is, 0 elsewhere.

    The crop of an object, whose values stand at the centers of its cells, is sampled bilinearly at the centers of the
    cells of the other box; from 0.5 on a sample is object, and outside the object's box there is none.

    Args:
        crops: masks cropped to their objects' boxes, float32 ``(R, S, S)``, 0 to 1.
        instances: the objects' boxes, float32 ``(R, 4)``.
        boxes: the other boxes, float32 ``(R, 4)``.
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
    # What is exactly a half must not depend on the rounding of the products.
    return (samples >= 0.5 - 1e-4).astype(dtype.float32)


def _weights(start: Tensor, end: Tensor, low: Tensor, high: Tensor, size: int, cells: int) -> Tensor:
    """Return ``(R, size, cells)``: how much each cell from low to high counts at ``size`` points from start to end."""
    steps = (ops.arange(size).astype(dtype.float32) + 0.5).reshape(1, -1) / size
    points = start.reshape(-1, 1) + steps * (end - start).reshape(-1, 1)
    extent = ops.maximum(high - low, Tensor(1e-3, dtype.float32)).reshape(-1, 1)
    share = (points - low.reshape(-1, 1)) / extent
    inside = ops.logical_and(share >= 0, share <= 1).astype(dtype.float32)
    places = ops.clamp(share * cells - 0.5, 0, cells - 1)
    distance = ops.abs(ops.expand_dims(places, 2) - ops.arange(cells).astype(dtype.float32).reshape(1, 1, -1))
    return ops.relu(1 - distance) * ops.expand_dims(inside, 2)
