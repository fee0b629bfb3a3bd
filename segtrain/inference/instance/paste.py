"""A mask predicted for a box brought into the image that the box lies in."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from segdata.coco.rle import Rle


def paste_mask(
    probabilities: npt.NDArray[np.float32], box: npt.NDArray[np.float32], height: int, width: int
) -> npt.NDArray[np.uint8]:
    """Return the mask of an instance in an image of `height` x `width` pixels.

    The box is cut into ``m x m`` cells, in whose centers the probabilities stand, and around them there are zeros. A
    pixel has what is interpolated bilinearly at its own center; nothing is rounded to whole pixels. Pixels whose
    centers lie outside the box are outside the mask.

    Args:
        probabilities: ``(m, m)`` float32, 0 to 1; from 0.5 on a pixel is inside.
        box: x1, y1, x2, y2 in pixels of the image; may reach beyond the image, or be too small to hold a pixel's
            center.
        height: of the image.
        width: of the image.

    Returns:
        ``(height, width)`` uint8, 1 inside, by columns as run lengths want it.
    """
    x1, y1, x2, y2 = box.tolist()
    mask = np.zeros((height, width), np.uint8, order="F")
    seen_rows, rows = _weights(y1, y2, height, len(probabilities))
    seen_columns, columns = _weights(x1, x2, width, len(probabilities))
    mask[seen_rows, seen_columns] = rows @ probabilities @ columns.T >= 0.5
    return mask


def encode_mask(mask: npt.NDArray[np.uint8]) -> Rle:
    """Return a mask ``(height, width)`` uint8, 1 inside, as compressed run lengths."""
    from pycocotools import mask as coco

    rle: Rle = coco.encode(np.asfortranarray(mask))
    return rle


def _weights(start: float, end: float, pixels: int, cells: int) -> tuple[slice, npt.NDArray[np.float32]]:
    """Return which pixels have their centers between `start` and `end`, and each one's weights of the cells."""
    # Pixel i has its center at i + 0.5; one exactly on the end belongs to the next box.
    first, last = (min(max(int(np.ceil(bound - 0.5)), 0), pixels) for bound in (start, end))
    if first >= last:
        return slice(0, 0), np.zeros((0, cells), np.float32)
    place = (np.arange(first, last) + 0.5 - start) * (cells / (end - start)) - 0.5
    # Bilinear: an interpolation along each axis, by distance from the two nearest centers.
    weights = np.maximum(1 - np.abs(place[:, None] - np.arange(cells)), 0)
    return slice(first, last), weights.astype(np.float32)
