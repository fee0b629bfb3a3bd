"""Pasting of masks predicted for a box into the full image."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from segdata.coco.rle import Rle


def paste_mask(
    probabilities: npt.NDArray[np.float32], box: npt.NDArray[np.float32], height: int, width: int
) -> npt.NDArray[np.uint8]:
    """Return the mask of an instance in an image of `height` x `width` pixels.

    The box is divided into ``m x m`` cells, with the probabilities at their centers and zeros around the box. Each
    pixel gets the value interpolated bilinearly at its center, without rounding to integer coordinates. Pixels whose
    centers are outside the box are outside the mask.

    Args:
        probabilities: ``(m, m)`` float32, 0 to 1; a pixel with 0.5 or more is inside.
        box: x1, y1, x2, y2 in pixels of the image; may extend beyond the image, or be too small to contain a pixel
            center.
        height: height of the image.
        width: width of the image.

    Returns:
        ``(height, width)`` uint8, 1 inside, in column-major order as RLE requires.
    """
    x1, y1, x2, y2 = box.tolist()
    mask = np.zeros((height, width), np.uint8, order="F")
    seen_rows, rows = _weights(y1, y2, height, len(probabilities))
    seen_columns, columns = _weights(x1, x2, width, len(probabilities))
    mask[seen_rows, seen_columns] = rows @ probabilities @ columns.T >= 0.5
    return mask


def encode_mask(mask: npt.NDArray[np.uint8]) -> Rle:
    """Return a mask ``(height, width)`` uint8, 1 inside, as compressed RLE.

    Raises:
        MemoryError: when there is not enough memory for as many runs as pixels.
    """
    from pycocotools import mask as coco

    # pycocotools takes this much without checking that it gets it, and would end the process.
    np.empty(mask.size + 1, np.uint32)
    rle: Rle = coco.encode(np.asfortranarray(mask))
    return rle


def _weights(start: float, end: float, pixels: int, cells: int) -> tuple[slice, npt.NDArray[np.float32]]:
    """Return the pixels whose centers are between `start` and `end`, and the weights of the cells for each."""
    # Pixel i has its center at i + 0.5; a center exactly at the end belongs to the next box.
    first, last = (min(max(int(np.ceil(bound - 0.5)), 0), pixels) for bound in (start, end))
    if first >= last:
        return slice(0, 0), np.zeros((0, cells), np.float32)
    place = (np.arange(first, last) + 0.5 - start) * (cells / (end - start)) - 0.5
    # Bilinear: interpolate along each axis by distance from the two nearest centers.
    weights = np.maximum(1 - np.abs(place[:, None] - np.arange(cells)), 0)
    return slice(first, last), weights.astype(np.float32)
