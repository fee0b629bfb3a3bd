"""The weight map of U-Net's paper, which makes a network learn the narrow borders between touching cells."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from segtrain.data.arrays import Pixels

#: Farther than this many standard deviations from a cell, its part in the weight is below one thousandth of `w0`.
_REACH = 4


def border_weights(background: npt.NDArray[np.bool_], *, w0: float = 10.0, sigma: float = 5.0) -> Pixels:
    """Return ``1 + w0 * exp(-(d1 + d2)^2 / (2 sigma^2))`` for each pixel of the background, 1 for the others.

    ``d1`` and ``d2`` are the distances to the nearest and the second nearest cell in pixels (Ronneberger et al. 2015,
    equation 2). A cell is a connected component, by edges, of what is not background. The paper's other term, which
    balances the classes, is the loss's class weights; it stands here as 1.

    Args:
        background: where there is no cell, bool ``(H, W)``.
        w0: weight at the border of two cells.
        sigma: how far it reaches, in pixels.

    Returns:
        float32 ``(H, W)``, at least 1.
    """
    height, width = background.shape
    reach = int(np.ceil(_REACH * sigma)) + 1
    nearest = np.full((2, height, width), np.inf, np.float32)
    number, ids, boxes, _ = cv2.connectedComponentsWithStats((~background).astype(np.uint8), connectivity=4)
    for id_ in range(1, number):
        left, top, wide, high = boxes[id_, :4]
        # Beyond the reach a cell plays no part: each distance map is as small as its cell.
        around = slice(max(top - reach, 0), top + high + reach), slice(max(left - reach, 0), left + wide + reach)
        distance = cv2.distanceTransform((ids[around] != id_).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        first, second = nearest[0][around], nearest[1][around]
        np.minimum(second, np.maximum(first, distance), out=second)
        np.minimum(first, distance, out=first)
    # The last bits of OpenCV's roots depend on how the image lies in memory, and batches must not: they are roots of
    # integers. In float64, as NumPy's exponential is no better.
    both = np.sqrt(np.rint(nearest.astype(np.float64) ** 2)).sum(0)
    weights: Pixels = (1 + w0 * np.exp(-(both**2) / (2 * sigma**2)) * background).astype(np.float32)
    return weights
