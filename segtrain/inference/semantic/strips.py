"""Class probabilities of an image as strips: a few rows at a time, so that those of large images fit into memory.

A strip is float32 ``(K, rows, W)``; the strips of an image follow each other from top to bottom.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from segtrain.data.arrays import Label, Pixels

#: Largest number of rows in a strip.
ROWS = 64


@dataclass(frozen=True)
class Strips:
    """Strips of an image of `height` rows; they can be passed over once."""

    height: int
    parts: Iterator[Pixels]


def in_strips(planes: Pixels) -> Iterator[Pixels]:
    """Yield `planes` ``(K, H, W)`` in strips."""
    for top in range(0, planes.shape[1], ROWS):
        yield planes[:, top : top + ROWS]


def resized(source: Strips, height: int, width: int) -> Iterator[Pixels]:
    """Yield strips of `ROWS` rows of the probabilities, resized bilinearly to `height` x `width`.

    Pixel centers are aligned as by OpenCV's ``resize``. Of `source`, only the rows that the next strip needs are kept.
    """
    # Unrounded row of the source for each row of the result.
    rows = np.clip((np.arange(height) + 0.5) * (source.height / height) - 0.5, 0, source.height - 1)
    above = rows.astype(int)
    below = np.ceil(rows).astype(int)
    share = (rows - above).astype(np.float32)[:, None]
    held, top = next(source.parts), 0
    for start in range(0, height, ROWS):
        part = slice(start, start + ROWS)
        first, last = above[part][0], below[part][-1]
        while top + held.shape[1] <= last:
            kept = held[:, max(first - top, 0) :]
            top += held.shape[1] - kept.shape[1]
            held = np.concatenate([kept, next(source.parts)], 1)
        seen = _resized_rows(held[:, first - top : last + 1 - top], width)
        if source.height == height:
            yield seen
        else:
            # One expression would need twice the memory.
            strip = seen[:, below[part] - first]
            upper = seen[:, above[part] - first]
            strip -= upper
            strip *= share[part]
            strip += upper
            yield strip


def _resized_rows(planes: Pixels, width: int) -> Pixels:
    """Return ``(K, rows, W)`` with each row resized to `width`."""
    classes, rows, old = planes.shape
    if old == width:
        return planes
    # OpenCV takes all rows of all classes as one image of the same height, which it does not change.
    wide = cv2.resize(planes.reshape(classes * rows, old), (width, classes * rows), interpolation=cv2.INTER_LINEAR)
    found: Pixels = wide.reshape(classes, rows, width)
    return found


def mean_of(scales: list[Iterator[Pixels]]) -> Iterator[Pixels]:
    """Yield the mean of strips of the same image at several scales."""
    if len(scales) == 1:
        yield from scales[0]
        return
    for strips in zip(*scales, strict=True):
        total = strips[0] + strips[1]
        for strip in strips[2:]:
            total += strip
        yield np.divide(total, np.float32(len(scales)), out=total)


def likeliest(strip: Pixels) -> Label:
    """Return class ids ``(rows, W)``, the argmax of the probabilities; the lower one of two that are equal."""
    best, ids = strip[0].copy(), np.zeros(strip.shape[1:], np.uint8)
    # Class by class, this is ten times as fast as np.argmax over the first axis.
    for id_, plane in enumerate(strip[1:], start=1):
        np.maximum(ids, (plane > best).view(np.uint8) * np.uint8(id_), out=ids)
        np.maximum(best, plane, out=best)
    return ids


def chosen(strip: Pixels, thresholds: Mapping[int, float]) -> Label:
    """Return class ids ``(rows, W)``, where some classes have a threshold, 0 to 1, by id.

    A pixel has such a class if its probability is at least the threshold, the likeliest if there are several. All other
    pixels have the likeliest class without a threshold. If all classes have one, it is the likeliest of all.
    """
    others = [id_ for id_ in range(len(strip)) if id_ not in thresholds]
    ids = np.asarray(others, np.uint8)[likeliest(strip[others])] if others else likeliest(strip)
    best = np.full(strip.shape[1:], -1, np.float32)
    for id_ in sorted(thresholds):
        # Compared as float32, as the probabilities are: 0.3 is at least 0.3.
        found = (strip[id_] >= np.float32(thresholds[id_])) & (strip[id_] > best)
        ids[found], best[found] = id_, strip[id_][found]
    return ids


def class_map(strips: Iterable[Pixels], thresholds: Mapping[int, float] | None = None) -> Label:
    """Return the class ids of an image, uint8 ``(H, W)``; see `chosen` for thresholds."""
    return np.concatenate([chosen(strip, thresholds) if thresholds else likeliest(strip) for strip in strips])


def kept(strips: Iterable[Pixels], path: Path, shape: tuple[int, ...]) -> Iterator[Pixels]:
    """Yield the strips of an image of `shape` and write them to `path`, float16 ``(K, H, W)`` in NumPy's format.

    The file is written as the strips are made, so that memory does not hold the probabilities of the entire image. It
    is removed if they cannot be made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width = shape[:2]
    top = start = 0
    try:
        # Not by a memory map: a disk that is full would end the process.
        with path.open("wb") as file:
            for strip in strips:
                if not top:
                    form = {"descr": "<f2", "fortran_order": False, "shape": (len(strip), height, width)}
                    np.lib.format.write_array_header_1_0(file, form)  # type: ignore[no-untyped-call]
                    start = file.tell()
                for id_, plane in enumerate(strip):
                    file.seek(start + 2 * (id_ * height + top) * width)
                    file.write(plane.astype("<f2").tobytes())
                top += strip.shape[1]
                yield strip
    except BaseException:
        path.unlink(missing_ok=True)
        raise
