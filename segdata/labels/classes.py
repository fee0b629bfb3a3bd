"""The classes of a data set: class names and the ignore label."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from segdata.labels.colormap import VOC_CLASSES


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
