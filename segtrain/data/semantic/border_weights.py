"""Weight map of the U-Net paper, which makes a network learn the narrow borders between touching cells."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from segtrain.data.arrays import Pixels

#: Farther than this many standard deviations from a cell, its contribution to the weight is below `w0` / 1000.
_REACH = 4


def border_weights(background: npt.NDArray[np.bool_], *, w0: float = 10.0, sigma: float = 5.0) -> Pixels:
    """Return ``1 + w0 * exp(-(d1 + d2)^2 / (2 sigma^2))`` for each background pixel and 1 for all others.

    ``d1`` and ``d2`` are the distances in pixels to the nearest and second nearest cell (Ronneberger et al. 2015,
    equation 2). A cell is an edge-connected component of the pixels that are not background. The paper's other term
    balances the classes; the class weights of the loss take its place, so it is 1 here.

    Args:
        background: True where there is no cell, bool ``(H, W)``.
        w0: weight at the border between two cells.
        sigma: reach of the weight, in pixels.

    Returns:
        float32 ``(H, W)``, at least 1.
    """
    height, width = background.shape
    reach = int(np.ceil(_REACH * sigma)) + 1
    nearest = np.full((2, height, width), np.inf, np.float32)
    number, ids, boxes, _ = cv2.connectedComponentsWithStats((~background).astype(np.uint8), connectivity=4)
    for id_ in range(1, number):
        left, top, wide, high = boxes[id_, :4]
        # A cell has no effect beyond its reach: each distance map is only as large as its cell requires.
        around = slice(max(top - reach, 0), top + high + reach), slice(max(left - reach, 0), left + wide + reach)
        distance = cv2.distanceTransform((ids[around] != id_).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        first, second = nearest[0][around], nearest[1][around]
        np.minimum(second, np.maximum(first, distance), out=second)
        np.minimum(first, distance, out=first)
    # Batches must not depend on the memory layout of the image, but the last bits of OpenCV's roots do. Rounding the
    # squares to integers fixes this. Use float64, as NumPy's exponential has the same problem.
    both = np.sqrt(np.rint(nearest.astype(np.float64) ** 2)).sum(0)
    weights: Pixels = (1 + w0 * np.exp(-(both**2) / (2 * sigma**2)) * background).astype(np.float32)
    return weights
