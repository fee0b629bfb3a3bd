"""Features of boxes of any size and level (He et al. 2017, section 3, "RoIAlign").

All levels share one canvas, so that one operator cuts out every box once. Cutting all boxes out of every level and
choosing afterwards would be four times the work, and static shapes do not allow splitting boxes by level. Each level
has a border that repeats its outermost cells: samples between the centers of these cells and the edge get the correct
value, and no sample comes from a neighboring level.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from mindspore import Tensor, dtype, nn, ops

from segtrain.config.mask_rcnn import MaskRcnn
from segtrain.models.mask_rcnn.anchors import STRIDES, level_shapes
from segtrain.models.mask_rcnn.boxes import area


def box_level(boxes: Tensor, finest_scale: float, levels: int) -> Tensor:
    """Return the level to use for each of `boxes` ``(..., 4)``, int32 ``(...)``, 0 to ``levels`` - 1.

    This is equation 1 of Lin et al. 2017 ("Feature Pyramid Networks"). Its canonical 224 pixels at level 4 correspond
    to a ``finest_scale`` of 56 at level 2, here 0.
    """
    root = ops.sqrt(ops.maximum(area(boxes), Tensor(1e-6, dtype.float32)))
    level = ops.floor(ops.log2(root / finest_scale + 1e-6))
    return ops.clamp(level, 0, levels - 1).astype(dtype.int32)


def _extended(level: Tensor, axis: int, cells: int) -> Tensor:
    """Return a level with so many ``cells`` of zeros after its last one along an axis.

    The gradient of ``ops.pad`` with a constant is wrong on a CPU from the second step on (MindSpore 2.10).
    """
    if cells == 0:
        return level
    shape = list(level.shape)
    shape[axis] = cells
    return ops.concat((level, ops.zeros(tuple(shape), dtype.float32)), axis)


class Canvas(nn.Cell):
    """Levels of a pyramid in one tensor: the finest on the left, the others below each other on the right."""

    def __init__(self, shapes: Sequence[tuple[int, int]], strides: Sequence[int], finest_scale: float) -> None:
        """Arrange levels with these heights and widths, finest first; for `finest_scale` see `box_level`."""
        super().__init__()
        self.finest_scale = finest_scale
        self.levels = len(shapes)
        heights, widths = np.array(shapes).T + 2
        self.height = int(max(heights[0], heights[1:].sum()))
        self.below = [self.height - int(heights[0]), self.height - int(heights[1:].sum())]
        self.right = [int(max(widths[1:], default=0) - width) for width in widths[1:]]
        tops = np.concatenate([[0], np.cumsum(heights[1:]) - heights[1:]])
        lefts = np.where(np.arange(self.levels) == 0, 0, widths[0])
        # Half a cell more than the border: integers are the centers of cells.
        self.corners = Tensor(np.stack([lefts, tops, lefts, tops], 1).astype(np.float32) + 0.5)
        self.strides = Tensor(np.array(strides, np.float32)[:, None])

    def construct(self, levels: Sequence[Tensor]) -> Tensor:
        """Map levels, each ``(N, C, height, width)``, to float32 ``(N, C, canvas height, canvas width)``."""
        bordered = [ops.pad(level.astype(dtype.float32), (1, 1, 1, 1), mode="replicate") for level in levels]
        left = _extended(bordered[0], 2, self.below[0])
        if self.levels == 1:
            return left
        columns = [_extended(bordered[i + 1], 3, self.right[i]) for i in range(self.levels - 1)]
        return ops.concat((left, _extended(ops.concat(columns, 2), 2, self.below[1])), 3)

    def place(self, boxes: Tensor, usable: Tensor) -> Tensor:
        """Return the positions of boxes on the canvas: rows of image index, x1, y1, x2, y2, in cells.

        Coordinates count from the center of the canvas's first cell.

        Args:
            boxes: float32 ``(N, R, 4)``, inside the image.
            usable: bool ``(N, R)``; an unusable box is placed off the canvas, where all features are 0.

        Returns:
            Float32 ``(N * R, 5)``.
        """
        images, number, _ = boxes.shape
        level = box_level(boxes, self.finest_scale, self.levels).reshape(-1)
        places = boxes.reshape(-1, 4) / ops.gather(self.strides, level, 0) + ops.gather(self.corners, level, 0)
        outside = ops.full_like(places, -8.0)
        places = ops.select(usable.reshape(-1, 1).broadcast_to(places.shape), places, outside)
        image = ops.arange(images).astype(dtype.float32).reshape(-1, 1).broadcast_to((images, number))
        return ops.concat((image.reshape(-1, 1), places), 1)


class RoiAlign(nn.Cell):
    """Average of bilinear samples in each cell of a grid over a box."""

    def __init__(self, size: int, sampling_ratio: int) -> None:
        """Divide a box into ``size`` x ``size`` cells with ``sampling_ratio`` x ``sampling_ratio`` samples each."""
        super().__init__()
        # Mode 0 would use the boxes unchanged, but its gradient on a CPU is wrong (MindSpore 2.10). Mode 1 adds a cell
        # to the ends.
        self.align = ops.ROIAlign(size, size, 1.0, sampling_ratio, 1)
        self.shift = Tensor(np.array([[0, 0, 0, -1, -1]], np.float32))

    def construct(self, canvas: Tensor, places: Tensor) -> Tensor:
        """Return float32 ``(R, C, size, size)`` for the ``(R, 5)`` rows of `Canvas.place`."""
        return self.align(canvas, places + self.shift)


class RegionFeatures(nn.Cell):
    """Features of a box for the two heads of the second stage."""

    def __init__(self, settings: MaskRcnn) -> None:
        """Use all levels of the pyramid except the last, which serves only the first stage."""
        super().__init__()
        self.canvas = Canvas(level_shapes(settings)[:-1], STRIDES[:-1], settings.finest_scale)
        self.box_align = RoiAlign(settings.roi_size, settings.sampling_ratio)
        self.mask_align = RoiAlign(settings.mask_roi_size, settings.sampling_ratio)

    def construct(self, levels: Sequence[Tensor]) -> Tensor:
        """Return the canvas of levels ``(N, C, H, W)``, to pass to the other methods."""
        return self.canvas(levels)

    def for_boxes(self, canvas: Tensor, boxes: Tensor, usable: Tensor) -> Tensor:
        """Return float32 ``(N * R, C, roi_size, roi_size)`` of boxes ``(N, R, 4)``; 0 where ``usable`` is false."""
        return self.box_align(canvas, self.canvas.place(boxes, usable))

    def for_masks(self, canvas: Tensor, boxes: Tensor, usable: Tensor) -> Tensor:
        """Return float32 ``(N * R, C, mask_roi_size, mask_roi_size)``, as `for_boxes` does."""
        return self.mask_align(canvas, self.canvas.place(boxes, usable))
