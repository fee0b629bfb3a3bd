"""Result of a check, the same for both tasks: the rows that can be written, with statistics and faults."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from segdata.errors import Fault, InvalidInputError, collecting
from segdata.images.header import ImageHeader
from segdata.images.values import ValueRange
from segdata.records.manifest import ClassInfo, ImageInfo
from segdata.records.schema import Row, Schema, TaskName

_T = TypeVar("_T")


@dataclass(frozen=True)
class Rows(Generic[_T]):
    """Checked rows of one task, in the order of the list or JSON.

    Attributes:
        items: one for each row.
        read: reads the row of an item again, with its `change_mark`.
        keys: unique keys that determine the seeded order, one for each item.
        sizes: `RowSize` of each row, ``(rows, 3)`` int64.
        change_marks: hashes that detect rows changed since the check, ``(rows,)`` uint64; see `change_mark`.
        samples: number of checked samples.
        empty: number of images left out because they have no instances.
        fatal: faults that leaving out samples does not cure.
        faults: everything that was left out, and why.
        warnings: what `check` warns of in these rows and is easily overlooked: rotated images, and boxes that
            contradict their masks.
        images: kinds of image among the rows.
        value_range: samples of deep images that mean black and white.
        options: options of the check that affect the bytes of the rows.
    """

    task: TaskName
    schema: Schema
    items: tuple[_T, ...]
    keys: tuple[str, ...]
    read: Callable[[_T], tuple[Row, int]]
    sizes: npt.NDArray[np.int64]
    change_marks: npt.NDArray[np.uint64]
    payload_bytes: int
    classes: tuple[ClassInfo, ...]
    ignore_label: int | None
    ignore_pixels: int
    samples: int
    empty: int
    fatal: tuple[Fault, ...]
    faults: tuple[Fault, ...]
    warnings: tuple[Fault, ...]
    images: ImageInfo
    value_range: ValueRange | None = None
    options: dict[str, Any] = field(default_factory=dict)


class ImageTotals:
    """Counts the kinds of image in a set."""

    def __init__(self) -> None:
        """Start at zero."""
        self._dtypes = Counter[str]()
        self._color = 0

    def add(self, header: ImageHeader) -> None:
        """Count an image."""
        self._dtypes[header.dtype] += 1
        self._color += header.bands == 3

    def update(self, other: ImageTotals) -> None:
        """Add the counts of `other`."""
        self._dtypes.update(other._dtypes)
        self._color += other._color

    def summary(self) -> ImageInfo:
        """Return the counts."""
        return ImageInfo(samples=dict(sorted(self._dtypes.items())), color=self._color)


def change_mark(*parts: object) -> int:
    """Return a 64-bit hash of `parts`; pass the size and modification time of a file in place of its content."""
    return int.from_bytes(hashlib.blake2b(repr(parts).encode(), digest_size=8).digest(), "little")


def odd_image(name: str, header: ImageHeader | None) -> list[Fault]:
    """Return a fault if the pixels of an image are stored rotated."""
    if header is None or header.orientation == 1:
        return []
    return [Fault("rotated", name, f"EXIF orientation {header.orientation}")]


def read_checked(read: Callable[[_T], tuple[Row, int]], checked: tuple[_T, int]) -> Row:
    """Return the row of an item, given with the change mark that it had when it was checked.

    Raises:
        InvalidInputError: when the mark has changed, or a file cannot be read.
    """
    item, mark = checked
    faults: list[Fault] = []
    with collecting(faults, "row"):
        row, now = read(item)
        if now == mark:
            return row
        faults.append(Fault("invalid", row["file_name"], "the image or its label was modified or replaced"))
    raise InvalidInputError(
        f"{faults[0]}. It changed after it was checked: write the set again when its files no longer change"
    )
