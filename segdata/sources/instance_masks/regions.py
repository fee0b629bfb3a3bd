"""Regions of equal values in a mask: their RLE, connected parts and outlines."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from segdata.coco.rle import Rle, decode_rle, to_rle
from segdata.sources.instance_masks.values import Values


def run_lengths(values: Values) -> Iterator[tuple[int, Rle]]:
    """Yield each value of ``(H, W)`` but 0, in ascending order, with the RLE of its pixels.

    One pass over the pixels finds the runs of all values, so that thousands of objects take no longer than one.
    """
    from pycocotools import mask

    height, width = values.shape
    pixels = values.ravel(order="F")
    starts = np.append(0, np.flatnonzero(pixels[1:] != pixels[:-1]) + 1)
    ends = np.append(starts[1:], pixels.size)
    order = np.argsort(pixels[starts], kind="stable")
    found, first = np.unique(pixels[starts][order], return_index=True)
    for value, rows in zip(found.tolist(), np.split(order, first[1:]), strict=True):
        if value:
            edges = np.column_stack((starts[rows], ends[rows])).ravel()
            counts = np.diff(edges, prepend=0, append=pixels.size).tolist()
            yield value, mask.frPyObjects({"size": [height, width], "counts": counts}, height, width)


def number_parts(classes: Values, ignore: int) -> tuple[Values, list[int]]:
    """Return the connected parts of the classes ``(H, W)``, numbered from 1, and the class of each.

    Pixels that touch at a corner are connected. Classes 0 and `ignore` have no parts.
    """
    import cv2

    parts: Values = np.zeros(classes.shape, np.int32)
    class_of: list[int] = []
    for id_ in np.unique(classes).tolist():
        if id_ in (0, ignore):
            continue
        count, numbers = cv2.connectedComponents((classes == id_).astype(np.uint8), connectivity=8)
        inside = numbers > 0
        parts[inside] = numbers[inside] + len(class_of)
        class_of += [id_] * (count - 1)
    return parts, class_of


def polygons_of(rle: Rle) -> list[list[float]] | None:
    """Return polygons around the parts of a mask; None if they are not exactly that mask, as with holes.

    A polygon joins the middles of the pixels' outer edges, so it cuts corners and a slanted edge is a straight line.
    """
    import cv2
    from pycocotools import mask

    height, width = rle["size"]
    x, y, w, h = (int(value) for value in mask.toBbox(rle).tolist())
    part = np.pad(decode_rle(rle)[y : y + h, x : x + w], 1)
    outlines, _ = cv2.findContours(_with_edges(part), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    # The padding moved all by one pixel; COCO's pixels have their centers at 0.5.
    polygons: list[list[float]] = [(outline / 2 + (x - 0.5, y - 0.5)).ravel().tolist() for outline in outlines]
    return polygons if polygons and to_rle(polygons, height, width)["counts"] == rle["counts"] else None


def _with_edges(part: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return pixels ``(H, W)`` with the edges and corners between them, ``(2 H - 1, 2 W - 1)``.

    Edges are set beside a set pixel, and corners between two or more: then the contour of what is set passes through
    the edges between pixels that are set and pixels that are not.
    """
    grid = np.zeros((2 * part.shape[0] - 1, 2 * part.shape[1] - 1), np.uint8)
    grid[::2, ::2] = part
    grid[1::2, ::2] = part[:-1] | part[1:]
    grid[::2, 1::2] = part[:, :-1] | part[:, 1:]
    grid[1::2, 1::2] = part[:-1, :-1] + part[:-1, 1:] + part[1:, :-1] + part[1:, 1:] >= 2
    return grid
