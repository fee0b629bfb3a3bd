"""The classes of a set: their names, and the id of pixels that have none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from segdata.labels.colormap import VOC_CLASSES


@dataclass(frozen=True)
class Classes:
    """What the labels of a set may say: class names by id, and the id of pixels that belong to none."""

    names: tuple[str, ...] = VOC_CLASSES
    ignore_label: int = 255

    def allowed(self) -> npt.NDArray[np.bool_]:
        """Return which of the 256 values a label may hold, ``(256,)`` bool."""
        table = np.arange(256) < len(self.names)
        table[self.ignore_label] = True
        return table
