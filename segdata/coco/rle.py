"""Convert any form of COCO segmentation to compressed RLE (run lengths).

Forms and RLE are those of `pycocotools`: runs go down the columns and start with zeros.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TypedDict

import numpy as np
import numpy.typing as npt

from segdata.coco.polygons import MAX_COORDINATE, is_long, polygon_runs
from segdata.errors import InvalidInputError
from segdata.labels.png import MAX_PIXELS

#: Characters for a run as long as an image of `MAX_PIXELS`, with 5 bits per character plus a sign bit.
_LONGEST = 6


class Rle(TypedDict):
    """COCO's compressed RLE: ``size`` is ``[height, width]``, ``counts`` contains the packed runs."""

    size: list[int]
    counts: bytes


def to_rle(segmentation: object, height: int, width: int) -> Rle:
    """Return the mask of an annotation in an image of `height` x `width` pixels.

    Args:
        segmentation: as decoded by `json`: a list of polygons ``[x0, y0, x1, y1, …]`` in pixels, whose union is the
            mask; or ``{"size": [height, width], "counts": runs}``, with the runs as a list or a packed string.
        height: image height.
        width: image width.

    Raises:
        InvalidInputError: when there is no polygon, a polygon has fewer than three points or a point far outside the
            image, or the runs have another size than the image or do not fill it. Input that `pycocotools` would
            misread (four numbers as a box, runs that end early) is rejected.
    """
    if height < 1 or width < 1 or height * width > MAX_PIXELS:
        raise InvalidInputError(
            f"the image has {width} x {height} pixels; expected 1 to {MAX_PIXELS} pixels", "too_large"
        )
    if isinstance(segmentation, Mapping):
        return _from_runs(segmentation, height, width)
    if isinstance(segmentation, Sequence) and not isinstance(segmentation, str | bytes):
        return _from_polygons(segmentation, height, width)
    raise InvalidInputError(
        f"segmentation is {_brief(segmentation)}; expected a list of polygons or RLE", "no_segmentation"
    )


def decode_rle(rle: Rle) -> npt.NDArray[np.uint8]:
    """Decode RLE from `to_rle` to a mask ``(height, width)`` uint8, 1 inside."""
    from pycocotools import mask

    pixels: npt.NDArray[np.uint8] = mask.decode(rle)
    return pixels


def exchanged(segmentation: object, height: int, width: int) -> list[list[float]] | dict[str, object] | None:
    """Return a segmentation with x and y exchanged, as some programs write it; None if it has no mask then.

    Points of polygons are read as y, x, and runs of RLE along the rows.
    """
    from pycocotools import mask

    try:
        if isinstance(segmentation, Mapping):
            along = to_rle({**segmentation, "size": [width, height]}, width, height)
            counts: bytes = mask.encode(np.asfortranarray(decode_rle(along).T))["counts"]
            return {"size": [height, width], "counts": counts.decode()}
        parts = segmentation if isinstance(segmentation, list) else []
        polygons = [
            _polygon(part, number)[0].reshape(-1, 2)[:, ::-1].ravel().tolist() for number, part in enumerate(parts)
        ]
        to_rle(polygons, height, width)
    except InvalidInputError:
        return None
    return polygons


def _from_polygons(polygons: Sequence[object], height: int, width: int) -> Rle:
    from pycocotools import mask

    if polygons and all(isinstance(part, (int, float)) for part in polygons):
        raise InvalidInputError(
            f"segmentation is a list of {len(polygons)} numbers; expected a list of polygons. Put brackets around it, "
            "as in [[x0, y0, x1, y1, …]]",
            "bad_polygon",
        )
    if not polygons:
        raise InvalidInputError("the list of polygons is empty; expected at least 1 polygon", "no_segmentation")
    short: list[npt.NDArray[np.float64]] = []
    long: list[npt.NDArray[np.float64]] = []
    for number, part in enumerate(polygons, start=1):
        points, reach = _polygon(part, number)
        (long if is_long(points, reach) else short).append(points)
    drawn = mask.frPyObjects(short, height, width) if short else []
    for points in long:
        runs = {"size": [height, width], "counts": polygon_runs(points, height, width)}
        drawn.append(mask.frPyObjects(runs, height, width))
    merged: Rle = mask.merge(drawn)
    return merged


def _polygon(part: object, number: int) -> tuple[npt.NDArray[np.float64], float]:
    """Return the points of a polygon and its largest coordinate, without sign."""
    try:
        points = np.asarray(part, np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        found = f"polygon {number} is {_brief(part)}; expected numbers x0, y0, x1, y1, …"
        raise InvalidInputError(found, "bad_polygon") from error
    # null became NaN, which is also the maximum then.
    reach = float(np.abs(points).max(initial=0))
    if points.ndim != 1 or points.size % 2 or math.isnan(reach):
        found = f"polygon {number} is {_brief(part)}; expected pairs of numbers x0, y0, x1, y1, …"
        raise InvalidInputError(found, "bad_polygon")
    if points.size < 6:
        found = f"polygon {number} has {points.size // 2} point{'s' if points.size != 2 else ''}; expected 3 or more"
        raise InvalidInputError(found, "bad_polygon")
    if reach > MAX_COORDINATE:
        raise InvalidInputError(
            f"polygon {number} has a point far outside any image; expected at most {MAX_COORDINATE}", "bad_polygon"
        )
    return points, reach


def _from_runs(segmentation: Mapping[str, object], height: int, width: int) -> Rle:
    from pycocotools import mask

    size, counts = segmentation.get("size"), segmentation.get("counts")
    if size != [height, width]:
        raise InvalidInputError(
            f"RLE has size {_brief(size)}; expected [{height}, {width}], the size of the image", "bad_rle"
        )
    if isinstance(counts, str | bytes):
        packed = counts.encode() if isinstance(counts, str) else counts
        _check_runs(_unpack(packed), height, width)
        return {"size": [height, width], "counts": packed}
    _check_runs(_run_list(counts), height, width)
    compressed: Rle = mask.frPyObjects({"size": [height, width], "counts": counts}, height, width)
    return compressed


def _run_list(counts: object) -> npt.NDArray[np.int64]:
    if not isinstance(counts, list) or not all(isinstance(run, int) and abs(run) <= MAX_PIXELS for run in counts):
        raise InvalidInputError(
            f"counts of the RLE are {_brief(counts)}; expected a list of integers or a string", "bad_rle"
        )
    return np.array(counts, np.int64)


def _check_runs(runs: npt.NDArray[np.int64], height: int, width: int) -> None:
    """Reject runs that do not fill the image: `pycocotools` would read memory past their end."""
    if (runs < 0).any() or runs.sum() != height * width:
        raise InvalidInputError(
            f"RLE covers {runs.sum()} pixels; expected {height * width}, as many as the image has", "bad_rle"
        )


def _unpack(packed: bytes) -> npt.NDArray[np.int64]:
    """Return the runs of a packed string.

    Each number is a group of characters, starting at ``"0"``, with 5 bits per character, least significant first.
    Bit 5 is set when more characters follow; bit 4 of the last character is the sign. From the fourth run on, the
    number is the difference to the run two places before (``rleFrString`` of the COCO API).
    """
    codes = np.frombuffer(packed, np.uint8).astype(np.int64) - 48
    last = np.flatnonzero((codes & 0x20) == 0)
    length = np.diff(last, prepend=-1)
    whole = bool(len(last)) and last[-1] == len(codes) - 1
    if not whole or codes.min() < 0 or codes.max() > 63 or length.max() > _LONGEST:
        raise InvalidInputError("counts of the RLE are a damaged string", "bad_rle")
    first = last - length + 1
    place = np.arange(len(codes)) - np.repeat(first, length)
    values = np.add.reduceat((codes & 0x1F) << (5 * place), first)
    values -= ((codes[last] & 0x10) != 0).astype(np.int64) << (5 * length)
    runs = values.copy()
    runs[1::2] = np.cumsum(values[1::2])
    runs[2::2] = np.cumsum(values[2::2])
    return runs


def _brief(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
