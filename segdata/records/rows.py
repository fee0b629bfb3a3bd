"""What a check hands to the writer, whatever the task: the rows that may be written, and what was found on the way."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

from segdata.errors import Fault
from segdata.records.manifest import ClassInfo
from segdata.records.schema import Row, Schema, TaskName

_T = TypeVar("_T")


@dataclass(frozen=True)
class Rows(Generic[_T]):
    """Checked rows of one task, in the order of their list or JSON.

    Attributes:
        items: one for each row; `read` makes the row of it.
        keys: what the seeded order is drawn from, one for each item, all different.
        sizes: bytes of each row as MindRecord keeps it, ``(rows,)`` int64.
        change_marks: what tells whether a row is still the one that was checked, ``(rows,)`` uint64; see `change_mark`.
        samples: how many samples were looked at.
        empty: images that were left out because they have no instance.
        faults: each thing that was left out, and why.
        rotated: images whose EXIF orientation is not 1.
    """

    task: TaskName
    schema: Schema
    items: tuple[_T, ...]
    keys: tuple[str, ...]
    read: Callable[[_T], Row]
    sizes: npt.NDArray[np.int64]
    change_marks: npt.NDArray[np.uint64]
    payload_bytes: int
    classes: tuple[ClassInfo, ...]
    ignore_label: int | None
    ignore_pixels: int
    samples: int
    empty: int
    faults: tuple[Fault, ...]
    rotated: tuple[str, ...]


def change_mark(*parts: object) -> int:
    """Return 64 bits that change when one of `parts` does: of a file, its size and time of change stand for it."""
    return int.from_bytes(hashlib.blake2b(repr(parts).encode(), digest_size=8).digest(), "little")
