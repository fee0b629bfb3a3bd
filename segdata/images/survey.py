"""Find the value range of a set: one pass over all of its images."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from segdata.errors import InvalidInputError
from segdata.images.values import Percentiles, ValueRange
from segdata.text import plural

#: Samples of at most 16 bits, signed or not, are counted by value.
_LOWEST, _VALUES = -(1 << 15), (1 << 15) + (1 << 16)


@dataclass(frozen=True, slots=True)
class SampleCounts:
    """The samples of one image.

    Attributes:
        low: the lowest.
        high: the highest.
        fractions: whether their data type has fractions.
        values: their number by value; None unless requested.
    """

    low: float
    high: float
    fractions: bool
    values: npt.NDArray[np.int64] | None = None


def count_samples(samples: npt.NDArray[Any], *, by_value: bool) -> SampleCounts:
    """Return the lowest and highest sample of an image and, if `by_value`, how often each occurs.

    Raises:
        InvalidInputError: when a sample is not finite, or `by_value` is asked of more than 16 bits or of fractions.
    """
    low, high = float(samples.min()), float(samples.max())
    if not np.isfinite([low, high]).all():
        raise InvalidInputError("contains NaN or infinity; expected finite values", "no_value_range")
    if not by_value:
        return SampleCounts(low, high, samples.dtype.kind == "f")
    if samples.dtype.kind == "f" or samples.dtype.itemsize > 2:
        raise InvalidInputError(
            f"{samples.dtype} samples; expected integers of at most 16 bits for percentiles. "
            "Use --value_range auto or LOW:HIGH.",
            "no_value_range",
        )
    values = np.bincount(samples.ravel().astype(np.int64) - _LOWEST, minlength=_VALUES)
    return SampleCounts(low, high, fractions=False, values=values)


def find_value_range(counts: Iterable[SampleCounts], wanted: Percentiles) -> ValueRange:
    """Return the value range that `wanted` names, over the samples of all images.

    Raises:
        InvalidInputError: when there are no images, all samples are equal, or no range fits all images.
    """
    images, totals = [], np.zeros(_VALUES, np.int64)
    for image in counts:
        images.append(SampleCounts(image.low, image.high, image.fractions))
        if image.values is not None:
            totals += image.values
    if not images:
        raise InvalidInputError(
            "no image can be read, so no value range can be computed. Run segdata check to see why.", "no_value_range"
        )
    _check_kinds(images)
    low, high = min(image.low for image in images), max(image.high for image in images)
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


def _check_kinds(images: Sequence[SampleCounts]) -> None:
    """Refuse fractions up to 1 among integers: they would all be almost black.

    Fractions may also be integers that a program saved as float32, so others are accepted.
    """
    fractions = [image.high for image in images if image.fractions]
    integers = [image.high for image in images if not image.fractions]
    if fractions and max(fractions) <= 1 < max(integers, default=0):
        raise InvalidInputError(
            f"{plural(len(fractions), 'image')} with fractions up to {max(fractions):g}, and {len(integers)} with "
            f"integers up to {max(integers):g}; expected one kind, because one value range serves all images. Save "
            "them with the samples of the others, or use them in a set of their own.",
            "no_value_range",
        )


def by_value(wanted: Percentiles) -> bool:
    """Return whether samples must be counted by value to find these percentiles."""
    return wanted != Percentiles()
