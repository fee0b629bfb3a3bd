"""Result of a check, the same for both tasks: the rows that can be written, with statistics and faults."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

from segdata.errors import Fault
from segdata.images.header import ImageHeader
from segdata.images.values import ValueRange
from segdata.records.manifest import ClassInfo, ImageInfo
from segdata.records.schema import Row, Schema, TaskName

_T = TypeVar("_T")


@dataclass(frozen=True)
class Rows(Generic[_T]):
    """Checked rows of one task, in the order of the list or JSON.

    Attributes:
        items: one for each row; `read` turns it into the row.
        keys: unique keys that determine the seeded order, one for each item.
        sizes: bytes of each row as MindRecord stores it, ``(rows,)`` int64.
        change_marks: hashes that detect rows changed since the check, ``(rows,)`` uint64; see `change_mark`.
        samples: number of checked samples.
        empty: number of images left out because they have no instances.
        faults: everything that was left out, and why.
        rotated: images whose EXIF orientation is not 1.
        images: kinds of image among the rows.
        value_range: samples of deep images that mean black and white.
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
    images: ImageInfo
    value_range: ValueRange | None = None


class ImageTotals:
    """Counts the kinds of image in a set."""

    def __init__(self) -> None:
        """Start at zero."""
        self._dtypes = Counter[str]()
        self._color = 0

    def add(self, header: ImageHeader | None) -> None:
        """Count an image."""
        if header:
            self._dtypes[header.dtype] += 1
            self._color += header.bands == 3

    def summary(self) -> ImageInfo:
        """Return the counts."""
        return ImageInfo(samples=dict(sorted(self._dtypes.items())), color=self._color)


def change_mark(*parts: object) -> int:
    """Return a 64-bit hash of `parts`; pass the size and modification time of a file in place of its content."""
    return int.from_bytes(hashlib.blake2b(repr(parts).encode(), digest_size=8).digest(), "little")
