"""Draw polygons as RLE, exactly as `pycocotools` does, in bounded time and memory.

`pycocotools` (`rleFrPoly` in its ``maskApi.c``) walks along every edge in steps of a fifth of a pixel, also outside the
image: three points a million pixels away take a gigabyte. Its result depends only on where the edges cross the columns
of the image. Usual polygons are left to it; for long ones, only these crossings are computed.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from segdata.errors import InvalidInputError

#: Coordinates beyond this are errors, not objects that are cut off.
MAX_COORDINATE = 1 << 20

#: Steps per pixel (`scale` in `rleFrPoly`).
_STEPS = 5

#: Most steps along the outline of a polygon that is left to `pycocotools`: 64 MiB, some milliseconds.
_MAX_STEPS = 1 << 20

#: Most crossings of a polygon with columns: a hundred in each column of an image of 40,000 pixels.
_MAX_CROSSINGS = 1 << 22

_Ints = npt.NDArray[np.int64]


def is_long(points: npt.NDArray[np.float64], reach: float) -> bool:
    """Return whether `pycocotools` would take more than a few milliseconds for a polygon.

    Args:
        points: ``(2 N,)``, in pixels.
        reach: its largest coordinate, without sign.
    """
    # A bound that is quick to compute is enough for nearly all polygons.
    if points.size * (_STEPS * reach + 1) <= _MAX_STEPS:
        return False
    x, y = _scaled(points)
    return int(np.maximum(np.abs(np.diff(x)), np.abs(np.diff(y))).sum()) + len(x) > _MAX_STEPS


def polygon_runs(points: npt.NDArray[np.float64], height: int, width: int) -> list[int]:
    """Return the runs of a polygon ``(2 N,)`` in pixels in an image of `height` x `width` pixels, zeros first.

    Raises:
        InvalidInputError: when its edges cross the columns of the image millions of times.
    """
    x, y = _scaled(points)
    first, last = _columns(x, width)
    counts = np.maximum(last - first, 0)
    if counts.sum() > _MAX_CROSSINGS:
        raise InvalidInputError(
            f"polygon is too complex: it crosses the image's pixel columns {counts.sum()} times; expected at most "
            f"{_MAX_CROSSINGS}. Simplify it",
            "bad_polygon",
        )
    edge = np.repeat(np.arange(len(counts)), counts)
    column = np.arange(len(edge)) - np.repeat(np.cumsum(counts) - counts, counts) + first[edge]
    lower = _lower_step(x, y, edge, column * _STEPS + _STEPS // 2)
    row = np.ceil(np.clip((lower + 0.5) / _STEPS - 0.5, 0, height)).astype(np.int64)
    places = np.sort(np.append(column * height + row, height * width))
    return _runs(np.diff(places, prepend=0))


def _scaled(points: npt.NDArray[np.float64]) -> tuple[_Ints, _Ints]:
    """Return the closed outline in steps; C's conversion to an integer drops the fraction."""
    steps = np.trunc(_STEPS * points + 0.5).astype(np.int64)
    return np.append(steps[0::2], steps[0]), np.append(steps[1::2], steps[1])


def _columns(x: _Ints, width: int) -> tuple[_Ints, _Ints]:
    """Return the first and the last but one column whose middle each edge crosses.

    An edge crosses column c where it steps from ``5 c + 2`` to ``5 c + 3`` or back.
    """
    left, right = np.minimum(x[:-1], x[1:]), np.maximum(x[:-1], x[1:])
    middle = _STEPS // 2
    first = -((middle - left) // _STEPS)
    last = (right - 1 - middle) // _STEPS + 1
    return np.clip(first, 0, width), np.clip(last, 0, width)


def _lower_step(x: _Ints, y: _Ints, edge: _Ints, level: _Ints) -> _Ints:
    """Return the smaller y of the two steps of each crossing: `edge` goes from x = `level` to ``level + 1`` or back."""
    width, height = np.abs(np.diff(x)), np.abs(np.diff(y))
    flat = width >= height
    turned = np.where(flat, x[:-1] > x[1:], y[:-1] > y[1:])
    x1, x2 = np.where(turned, x[1:], x[:-1]), np.where(turned, x[:-1], x[1:])
    y1, y2 = np.where(turned, y[1:], y[:-1]), np.where(turned, y[:-1], y[1:])
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = np.where(flat, (y2 - y1) / width, (x2 - x1) / height)
    lower = np.empty(len(edge), np.int64)
    along = flat[edge]
    at = edge[along]
    both = [np.trunc(y1[at] + slope[at] * (level[along] + step - x1[at]) + 0.5) for step in (0, 1)]
    lower[along] = np.minimum(*both)
    at, wanted = edge[~along], level[~along]
    lower[~along] = y1[at] + _step_before(x1[at], slope[at], wanted)
    return lower


def _step_before(start: _Ints, slope: npt.NDArray[np.float64], level: _Ints) -> _Ints:
    """Return the last step of each steep edge before it leaves its side of the crossing, in the arithmetic of C."""
    rising = slope > 0
    guess = np.floor((level + 0.5 - start) / slope).astype(np.int64) - 2
    before: _Ints = guess.copy()
    for step in range(1, 5):
        beyond = np.trunc(start + slope * (guess + step) + 0.5) > level
        before += beyond != rising
    return before


def _runs(differences: _Ints) -> list[int]:
    """Join runs around runs of length 0, which two edges that meet on one pixel leave."""
    runs: list[int] = []
    steps = iter(differences.tolist())
    runs.append(next(steps))
    for run in steps:
        if run:
            runs.append(run)
        else:
            runs[-1] += next(steps, 0)
    return runs
