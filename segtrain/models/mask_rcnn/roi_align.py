"""The features of a box, whatever its size and level (He et al. 2017, section 3, "RoIAlign").

All levels lie on one canvas, so that every box is cut out by one operator, once. To cut all boxes out of every level
and choose afterwards is four times the work, and static shapes allow no splitting by level. Each level has a border
that repeats its outermost cells: samples between the centers of these and the edge have the value they must have, and
none comes from a neighbor.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from mindspore import Tensor, dtype, nn, ops

from segtrain.config.mask_rcnn import MaskRcnn
from segtrain.models.mask_rcnn.anchors import STRIDES, level_shapes
from segtrain.models.mask_rcnn.boxes import area


def box_level(boxes: Tensor, finest_scale: float, levels: int) -> Tensor:
    """Return the level that each of boxes ``(..., 4)`` is looked at on, int32 ``(...)``, 0 to ``levels`` - 1.

    It is equation 1 of Lin et al. 2017 ("Feature Pyramid Networks"), whose canonical 224 pixels at level 4 are a
    ``finest_scale`` of 56 at level 2, here 0.
    """
    root = ops.sqrt(ops.maximum(area(boxes), Tensor(1e-6, dtype.float32)))
    level = ops.floor(ops.log2(root / finest_scale + 1e-6))
    return ops.clamp(level, 0, levels - 1).astype(dtype.int32)


class Canvas(nn.Cell):
    """Levels of a pyramid in one tensor: the finest on the left, the others below each other on its right."""

    def __init__(self, shapes: Sequence[tuple[int, int]], strides: Sequence[int], finest_scale: float) -> None:
        """Lay out levels of these heights and widths, finest first; `finest_scale` is that of `box_level`."""
        super().__init__()
        self.finest_scale = finest_scale
        self.levels = len(shapes)
        heights, widths = np.array(shapes).T + 2
        self.height = int(max(heights[0], heights[1:].sum()))
        self.below = [self.height - int(heights[0]), self.height - int(heights[1:].sum())]
        self.right = [int(max(widths[1:], default=0) - width) for width in widths[1:]]
        tops = np.concatenate([[0], np.cumsum(heights[1:]) - heights[1:]])
        lefts = np.where(np.arange(self.levels) == 0, 0, widths[0])
        # Beside the border there is half a cell: integers are the cells' centers.
        self.corners = Tensor(np.stack([lefts, tops, lefts, tops], 1).astype(np.float32) + 0.5)
        self.strides = Tensor(np.array(strides, np.float32)[:, None])

    def construct(self, levels: Sequence[Tensor]) -> Tensor:
        """Return float32 ``(N, C, canvas height, canvas width)`` of levels, each ``(N, C, height, width)``."""
        bordered = [ops.pad(level.astype(dtype.float32), (1, 1, 1, 1), mode="replicate") for level in levels]
        left = ops.pad(bordered[0], (0, 0, 0, self.below[0]))
        if self.levels == 1:
            return left
        columns = [ops.pad(bordered[i + 1], (0, self.right[i], 0, 0)) for i in range(self.levels - 1)]
        return ops.concat((left, ops.pad(ops.concat(columns, 2), (0, 0, 0, self.below[1]))), 3)

    def place(self, boxes: Tensor, usable: Tensor) -> Tensor:
        """Return where boxes lie on the canvas: rows of image, x1, y1, x2, y2, in cells from a cell's center.

        Args:
            boxes: float32 ``(N, R, 4)``, inside the image.
            usable: bool ``(N, R)``; a box that is not comes to lie off the canvas, where all features are 0.

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
        """Lay ``size`` x ``size`` cells over a box, each with ``sampling_ratio`` x ``sampling_ratio`` samples."""
        super().__init__()
        # On a CPU the gradient of mode 0, which would take the boxes as they are, is wrong (MindSpore 2.10).
        # Mode 1 adds a cell to the ends.
        self.align = ops.ROIAlign(size, size, 1.0, sampling_ratio, 1)
        self.shift = Tensor(np.array([[0, 0, 0, -1, -1]], np.float32))

    def construct(self, canvas: Tensor, places: Tensor) -> Tensor:
        """Return float32 ``(R, C, size, size)`` for the ``(R, 5)`` rows of `Canvas.place`."""
        return self.align(canvas, places + self.shift)


class RegionFeatures(nn.Cell):
    """What the two heads of the second stage see of a box."""

    def __init__(self, settings: MaskRcnn) -> None:
        """Cut boxes out of all levels of the pyramid but the last, which is the first stage's alone."""
        super().__init__()
        self.canvas = Canvas(level_shapes(settings)[:-1], STRIDES[:-1], settings.finest_scale)
        self.box_align = RoiAlign(settings.roi_size, settings.sampling_ratio)
        self.mask_align = RoiAlign(settings.mask_roi_size, settings.sampling_ratio)

    def construct(self, levels: Sequence[Tensor]) -> Tensor:
        """Return the canvas of levels ``(N, C, H, W)``, which the other functions take."""
        return self.canvas(levels)

    def for_boxes(self, canvas: Tensor, boxes: Tensor, usable: Tensor) -> Tensor:
        """Return float32 ``(N * R, C, roi_size, roi_size)`` of boxes ``(N, R, 4)``; 0 where bool ``usable`` is not."""
        return self.box_align(canvas, self.canvas.place(boxes, usable))

    def for_masks(self, canvas: Tensor, boxes: Tensor, usable: Tensor) -> Tensor:
        """Return float32 ``(N * R, C, mask_roi_size, mask_roi_size)``, as `for_boxes` does."""
        return self.mask_align(canvas, self.canvas.place(boxes, usable))
