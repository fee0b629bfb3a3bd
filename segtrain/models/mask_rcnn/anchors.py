"""Anchors, the boxes that the first stage starts from (Ren et al. 2015, "Faster R-CNN", section 3.1.1)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from segtrain.config.mask_rcnn import MaskRcnn

#: Strides of the levels of the pyramid, finest first; the second stage uses all but the last.
STRIDES = (4, 8, 16, 32, 64)

Array = npt.NDArray[np.float32]


def level_shapes(settings: MaskRcnn) -> list[tuple[int, int]]:
    """Return the height and width of the features on every level, finest first."""
    return [(-(-settings.image_height // stride), -(-settings.image_width // stride)) for stride in STRIDES]


def base_anchors(stride: int, scales: Sequence[float], ratios: Sequence[float]) -> Array:
    """Return the anchors of the first cell of a level, centered on the cell, one ratio after the other.

    The original program rounds anchors and treats their corners as inclusive pixels; here they are exact.

    Args:
        stride: side of a cell in pixels.
        scales: square root of an anchor's area, divided by the stride.
        ratios: ratios of height to width.

    Returns:
        Float32 ``(len(ratios) * len(scales), 4)``.
    """
    roots = np.sqrt(np.asarray(ratios, np.float64))[:, None]
    sides = stride * np.asarray(scales, np.float64)[None]
    half = np.stack([(sides / roots).ravel(), (sides * roots).ravel()], 1) / 2
    corners: Array = np.concatenate([stride / 2 - half, stride / 2 + half], 1).astype(np.float32)
    return corners


def level_anchors(settings: MaskRcnn) -> list[Array]:
    """Return the anchors of every level, each float32 ``(height * width * anchors per cell, 4)``.

    They are ordered by row, then by cell, and within a cell as in `base_anchors`; some extend beyond the image.
    """
    levels = []
    for stride, (height, width) in zip(STRIDES, level_shapes(settings), strict=True):
        base = base_anchors(stride, settings.anchor_scales, settings.anchor_ratios)
        y, x = np.meshgrid(np.arange(height), np.arange(width), indexing="ij")
        corners = np.stack([x, y, x, y], -1).reshape(-1, 1, 4) * stride
        levels.append((corners + base).reshape(-1, 4).astype(np.float32))
    return levels
