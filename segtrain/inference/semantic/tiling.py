"""Positions and weights of the overlapping tiles that cover an image, and their pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from segtrain.config.unet import Fill
from segtrain.data.arrays import Pixels, RgbImage


@dataclass(frozen=True)
class Span:
    """Rows (or columns) of a tile that count.

    Attributes:
        start: position of the tile in the image; below 0 if it extends beyond it.
        first: position in the image of the first row that counts.
        weights: float32, the weight of each row that counts, above 0; at each row of the image, those of all tiles add
            up to 1.
    """

    start: int
    first: int
    weights: Pixels


def spans(length: int, *, side: int, overlap: int, step: int = 1, beyond: bool = False) -> list[Span]:
    """Return the spans of the tiles along one axis of an image; `segtrain.inference.semantic.fitting` has the weight.

    Args:
        length: rows of the image.
        side: rows of a tile.
        overlap: rows that neighboring tiles share at least; at most ``side - step``.
        step: tiles are at multiples of this position; at the end of the image, a tile may extend beyond it.
        beyond: whether tiles extend beyond the image by half of the overlap, so that all of its borders are inside
            tiles.
    """
    margin = overlap // 2 if beyond else 0
    last = max(math.ceil((length + 2 * margin - side) / step) * step, 0)
    starts = [place - margin for place in (*range(0, last, (side - overlap) // step * step), last)]
    weights = [_weights(start, length, side=side, overlap=overlap, step=step, beyond=beyond) for start in starts]
    total = np.zeros(length)
    found = []
    for start, weight in zip(starts, weights, strict=True):
        counted = np.flatnonzero(weight[max(-start, 0) : max(length - start, 0)]) + max(-start, 0)
        part = weight[counted[0] : counted[-1] + 1]
        total[start + counted[0] : start + counted[-1] + 1] += part
        found.append((start, start + int(counted[0]), part))
    return [
        Span(start, first, (part / total[first : first + len(part)]).astype(np.float32)) for start, first, part in found
    ]


def _weights(start: int, length: int, *, side: int, overlap: int, step: int, beyond: bool) -> npt.NDArray[np.float64]:
    centers = np.arange(side) + 0.5
    distance = np.full(side, np.inf)
    if beyond or start > 0:
        distance = np.minimum(distance, centers)
    if beyond or start + side < length:
        distance = np.minimum(distance, side - centers)
    return np.clip((distance - overlap / 2) / step + 0.5, 0, 1)


def cut_tile(image: RgbImage, top: int, left: int, side: int, beyond: Fill) -> tuple[RgbImage, int, int]:
    """Return the pixels of a tile ``(h, w, C)``, and their row and column in it; h and w are at most `side`.

    Args:
        image: ``(H, W, C)``.
        top: row of the tile in the image; it may begin and end beyond it.
        left: column of the tile in the image.
        side: side of the tile in pixels.
        beyond: what is beyond the image: its mirror image, without repeating the outermost pixel, or nothing (zero).
    """
    height, width = image.shape[:2]
    if beyond == "mirror" and (min(top, left) < 0 or top + side > height or left + side > width):
        return image[np.ix_(_mirrored(top, side, height), _mirrored(left, side, width))], 0, 0
    return image[max(top, 0) : top + side, max(left, 0) : left + side], max(-top, 0), max(-left, 0)


def _mirrored(start: int, side: int, length: int) -> npt.NDArray[np.int64]:
    """Return the row of the image for each row of a tile, if the image is followed by its mirror image forever."""
    if length == 1:
        return np.zeros(side, np.int64)
    period = 2 * (length - 1)
    rows: npt.NDArray[np.int64] = np.abs(np.arange(start, start + side)) % period
    mirrored: npt.NDArray[np.int64] = np.minimum(rows, period - rows)
    return mirrored
