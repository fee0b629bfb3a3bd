"""Value ranges: which samples of deep images mean black and white."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from segdata.errors import InvalidInputError


@dataclass(frozen=True)
class ValueRange:
    """The samples that become 0 (`low`) and 255 (`high`); between them the map is linear, beyond them it is clipped.

    One range serves all images of a set, so that they stay comparable.

    Attributes:
        low: the sample that becomes 0.
        high: the sample that becomes 255.

    >>> ValueRange(0, 4095).scale(np.array([0, 4095, 5000], np.uint16)).tolist()
    [0.0, 255.0, 255.0]
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        """Refuse a range that maps nothing."""
        if not (np.isfinite([self.low, self.high]).all() and self.low < self.high):
            raise InvalidInputError(f"invalid range {self}; expected a lower and a higher number")

    def __str__(self) -> str:
        # All digits: an evaluation set must be written with exactly the range of its training set.
        return f"{exact_number(self.low)}:{exact_number(self.high)}"

    def check_depth(self, dtype: str) -> None:
        """Refuse 8-bit samples where those of the set have more bits: they would all be almost black."""
        if dtype == "uint8" and self.high > np.iinfo(np.uint8).max:
            raise InvalidInputError(
                f"8-bit samples; expected more bits, as the value range {self} says. Give another value range, save "
                "the image with the bits of the others, or use it in a set of its own.",
                "unsupported_image",
            )

    def scale(self, samples: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Return samples of any shape as float32, 0 to 255.

        Raises:
            InvalidInputError: when a sample is not a number, or see `check_depth`.
        """
        self.check_depth(samples.dtype.name)
        if samples.dtype.kind == "f" and np.isnan(samples).any():
            raise InvalidInputError("contains NaN; expected numbers", "unreadable")
        # float32 holds all integers of 16 bits, float64 those of 53.
        exact: type[np.float32 | np.float64] = np.float32 if samples.dtype.itemsize <= 2 else np.float64
        scaled: npt.NDArray[Any] = samples.astype(exact)
        scaled = np.multiply(np.subtract(scaled, exact(self.low)), exact(255 / (self.high - self.low)))
        return np.asarray(np.clip(scaled, 0, 255), np.float32)


def exact_number(value: float) -> str:
    """Return the shortest text that is read as the same number.

    >>> exact_number(16777217.0), exact_number(0.1)
    ('16777217', '0.1')
    """
    return repr(float(value)).removesuffix(".0")


@dataclass(frozen=True)
class Percentiles:
    """A value range that is still to be found: from one percentile of the samples to another, each 0 to 100."""

    low: float = 0
    high: float = 100

    def __post_init__(self) -> None:
        """Refuse percentiles that are not in order."""
        if not 0 <= self.low < self.high <= 100:
            raise InvalidInputError(
                f"invalid percentiles {self.low:g}%:{self.high:g}%; expected 0 <= low < high <= 100"
            )


def parse_value_range(text: str) -> ValueRange | Percentiles:
    """Return the value range that ``LOW:HIGH``, ``LOW%:HIGH%`` or ``auto`` (all samples) names.

    Raises:
        InvalidInputError: when `text` has another form.

    >>> parse_value_range("0.5%:99.5%")
    Percentiles(low=0.5, high=99.5)
    """
    if text == "auto":
        return Percentiles()
    match = re.fullmatch(r"\s*([^:%]+)(%?):([^:%]+)(%?)\s*", text)
    try:
        if match and match[2] == match[4]:
            low, high = float(match[1]), float(match[3])
            return Percentiles(low, high) if match[2] else ValueRange(low, high)
    except ValueError:
        pass
    raise InvalidInputError(
        f"value range {text!r}: expected LOW:HIGH (such as 0:4095), LOW%:HIGH% (such as 0.5%:99.5%) or auto"
    )
