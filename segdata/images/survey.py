"""Find the value range of a set: one pass over all of its images."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from segdata.errors import InvalidInputError
from segdata.images.values import Percentiles, ValueRange

#: Samples of at most 16 bits, signed or not, are counted by value.
_LOWEST, _VALUES = -(1 << 15), (1 << 15) + (1 << 16)

#: One image: its lowest and highest sample, and the number of its samples by value unless there are too many values.
SampleCounts = tuple[float, float, npt.NDArray[np.int64] | None]


def count_samples(samples: npt.NDArray[Any], *, by_value: bool) -> SampleCounts:
    """Return the lowest and highest sample of an image and, if `by_value`, how often each occurs.

    Raises:
        InvalidInputError: when a sample is not finite, or `by_value` is asked of more than 16 bits or of fractions.
    """
    low, high = float(samples.min()), float(samples.max())
    if not np.isfinite([low, high]).all():
        raise InvalidInputError("contains NaN or infinity; expected finite values", "no_value_range")
    if not by_value:
        return low, high, None
    if samples.dtype.kind == "f" or samples.dtype.itemsize > 2:
        raise InvalidInputError(
            f"{samples.dtype} samples; expected integers of at most 16 bits for percentiles. "
            "Use --value_range auto or LOW:HIGH.",
            "no_value_range",
        )
    return low, high, np.bincount(samples.ravel().astype(np.int64) - _LOWEST, minlength=_VALUES)


def find_value_range(counts: Iterable[SampleCounts], wanted: Percentiles) -> ValueRange:
    """Return the value range that `wanted` names, over the samples of all images.

    Raises:
        InvalidInputError: when there are no images, or all samples are equal.
    """
    lows, highs, totals = [], [], np.zeros(_VALUES, np.int64)
    for low, high, values in counts:
        lows.append(low)
        highs.append(high)
        if values is not None:
            totals += values
    if not lows:
        raise InvalidInputError(
            "no image can be read, so no value range can be computed. Run segdata check to see why.", "no_value_range"
        )
    low, high = min(lows), max(highs)
    if by_value(wanted):
        shares = np.cumsum(totals) / totals.sum() * 100
        low = float(np.searchsorted(shares, wanted.low, side="right") + _LOWEST) if wanted.low else low
        high = float(np.searchsorted(shares, wanted.high) + _LOWEST) if wanted.high < 100 else high
    if low == high:
        raise InvalidInputError(
            f"all samples have the value {low:g}; expected different values. Give the range: --value_range LOW:HIGH.",
            "no_value_range",
        )
    return ValueRange(low, high)


def by_value(wanted: Percentiles) -> bool:
    """Return whether samples must be counted by value to find these percentiles."""
    return wanted != Percentiles()
