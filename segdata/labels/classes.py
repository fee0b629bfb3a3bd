"""The classes of a data set: class names and the ignore label."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from segdata.errors import Fault, InvalidInputError
from segdata.labels.colormap import IGNORE, VOC_CLASSES, voc_colormap
from segdata.labels.masks import first_pixel
from segdata.text import plural


@dataclass(frozen=True)
class Classes:
    """The valid label values of a data set: class names by id, and the id of pixels without a class."""

    names: tuple[str, ...] = VOC_CLASSES
    ignore_label: int = 255

    def allowed(self) -> npt.NDArray[np.bool_]:
        """Return which of the 256 label values are valid, ``(256,)`` bool."""
        table = np.arange(256) < len(self.names)
        table[self.ignore_label] = True
        return table

    def check(self, label: npt.NDArray[np.uint8], pixels: npt.NDArray[np.int64]) -> None:
        """Check that a label ``(H, W)`` uint8 has valid values only.

        Args:
            label: the class ids.
            pixels: their number of pixels by value, ``(256,)``; see `segdata.labels.masks.count_values`.

        Raises:
            InvalidInputError: when it has others; names the first such pixel.
        """
        values = np.flatnonzero(pixels)
        foreign = values[~self.allowed()[values]]
        if not len(foreign):
            return
        if gray := voc_colormap().gray_diagnosis(values):
            raise InvalidInputError(gray, "gray_from_color")
        expected = f"expected 0 to {len(self.names) - 1} or {self.ignore_label}"
        count = plural(len(foreign), "such value")
        raise InvalidInputError(
            f"{first_pixel(label == foreign[0])} has value {foreign[0]}; {expected} ({count})",
            "value_outside_classes",
        )

    def check_all(self, values: Collection[int]) -> list[Fault]:
        """Return a fault if the `values` of all labels together are those of black-and-white masks."""
        if self.ignore_label == IGNORE and set(values) == {0, IGNORE} and len(self.names) > 1:
            found = f"hold only 0 and {IGNORE}, and {IGNORE} is the ignore label; only class 0 is left"
            return [Fault("binary_mask", "all labels", found)]
        return []
