"""What a check hands to the writer, whatever the task: the rows that may be written, and what was found on the way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

from segdata.records.manifest import ClassInfo
from segdata.records.schema import Row, Schema, Task

T = TypeVar("T")


@dataclass(frozen=True)
class Rows(Generic[T]):
    """Checked rows of one task, in the order of their list or JSON.

    Attributes:
        items: one for each row; `read` makes the row of it.
        keys: what the seeded order is drawn from, one for each item, all different.
        sizes: bytes of each row as MindRecord keeps it, ``(rows,)`` int64.
        samples: how many samples were looked at.
        empty: images that were left out because they have no instance.
        faults: a sentence for each thing that was left out.
        rotated: images whose EXIF orientation is not 1.
    """

    task: Task
    schema: Schema
    items: tuple[T, ...]
    keys: tuple[str, ...]
    read: Callable[[T], Row]
    sizes: npt.NDArray[np.int64]
    payload_bytes: int
    classes: tuple[ClassInfo, ...]
    ignore_label: int | None
    ignore_pixels: int
    samples: int
    empty: int
    faults: tuple[str, ...]
    rotated: tuple[str, ...]
