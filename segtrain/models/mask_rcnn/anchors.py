"""The boxes that the first stage begins from (Ren et al. 2015, "Faster R-CNN", section 3.1.1)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from segtrain.config.mask_rcnn import MaskRcnn

#: Strides of the pyramid's levels, finest first; the second stage uses all but the last.
STRIDES = (4, 8, 16, 32, 64)

Array = npt.NDArray[np.float32]


def level_shapes(settings: MaskRcnn) -> list[tuple[int, int]]:
    """Return height and width of the features of every level, finest first."""
    return [(-(-settings.image_height // stride), -(-settings.image_width // stride)) for stride in STRIDES]


def base_anchors(stride: int, scales: Sequence[float], ratios: Sequence[float]) -> Array:
    """Return the anchors of the first cell of a level, centerd on it, one ratio after the other.

    The original program rounds them and takes the corners for inclusive pixels; here they are what is meant.

    Args:
        stride: side of a cell in pixels.
        scales: root of an anchor's area over the stride.
        ratios: height over width.

    Returns:
        Float32 ``(len(ratios) * len(scales), 4)``.
    """
    roots = np.sqrt(np.asarray(ratios, np.float64))[:, None]
    sides = stride * np.asarray(scales, np.float64)[None]
    half = np.stack([(sides / roots).ravel(), (sides * roots).ravel()], 1) / 2
    corners: Array = np.concatenate([stride / 2 - half, stride / 2 + half], 1).astype(np.float32)
    return corners


def level_anchors(settings: MaskRcnn) -> list[Array]:
    """Return the anchors of every level, each float32 ``(height * width * anchors of a cell, 4)``.

    They go row by row, cell by cell, and in a cell as in `base_anchors`; some reach beyond the image.
    """
    levels = []
    for stride, (height, width) in zip(STRIDES, level_shapes(settings), strict=True):
        base = base_anchors(stride, settings.anchor_scales, settings.anchor_ratios)
        y, x = np.meshgrid(np.arange(height), np.arange(width), indexing="ij")
        corners = np.stack([x, y, x, y], -1).reshape(-1, 1, 4) * stride
        levels.append((corners + base).reshape(-1, 4).astype(np.float32))
    return levels
