"""Samples of a data set, whose files are read on demand."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from segdata.coco.annotations import Entry
from segdata.errors import Fault, InvalidInputError
from segdata.files import resolve
from segdata.images.header import missing_text
from segdata.images.reading import read_image
from segdata.images.values import ValueRange
from segdata.labels.masks import decode_index_png
from segdata.records.instance import Instances, make_instances
from segdata.regular import read_regular


@dataclass(frozen=True, slots=True)
class File:
    """Location of a file: a path relative to its root."""

    root: Path
    name: str


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample with everything that a worker needs to process it; its files are not yet read or decoded.

    Attributes:
        name: name of the image in the list, JSON or record.
        image: the encoded image, or its location.
        label: semantic: the index PNG, or its location; instance: the instances, or the annotations they come from.
        value_range: value range of the data set.
    """

    name: str
    image: File | bytes
    label: File | bytes | Instances | Entry
    value_range: ValueRange | None = None

    def read_image(self) -> npt.NDArray[Any]:
        """Return the image as RGB ``(H, W, 3)``; see `segdata.images.reading.read_image`.

        Raises:
            InvalidInputError: see `read_encoded`; also when the file is not an image, is damaged or needs a value
                range.
        """
        return read_image(read_encoded(self.image), self.value_range)


def read_encoded(file: File | bytes) -> bytes:
    """Return the bytes of a file.

    Raises:
        InvalidInputError: when it is missing, leaves its root or cannot be read.
    """
    if isinstance(file, bytes):
        return file
    try:
        return read_regular(resolve(file.root, file.name))
    except FileNotFoundError as error:
        raise InvalidInputError(missing_text(file.name)) from error
    except OSError as error:
        raise InvalidInputError(f"cannot be read: {error.strerror}", "unreadable") from error


def check_stated_size(told: tuple[int | None, ...], image: npt.NDArray[Any]) -> None:
    """Check that the height and width `told`, stated by a label or by annotations, match the image.

    Raises:
        InvalidInputError: when they differ; a ``None`` matches any size.
    """
    height, width = image.shape[:2]
    if told[0] not in (None, height) or told[1] not in (None, width):
        raise InvalidInputError(
            f"made for an image of {told[1]} x {told[0]} pixels; the image has {width} x {height}", "size_mismatch"
        )


def read_label(sample: Sample) -> npt.NDArray[np.uint8]:
    """Return the class ids ``(H, W)`` uint8 of a semantic sample.

    Raises:
        InvalidInputError: see `read_encoded` and `decode_index_png`.
    """
    if not isinstance(sample.label, File | bytes):
        raise TypeError(f"{sample.name} has instances, not a label")
    return decode_index_png(read_encoded(sample.label))


def read_instances(sample: Sample, height: int, width: int) -> tuple[Instances, tuple[Fault, ...]]:
    """Return the instances of a sample whose image has `height` x `width` pixels, and faults of its annotations."""
    if isinstance(sample.label, Instances):
        return sample.label, ()
    if not isinstance(sample.label, Entry):
        raise TypeError(f"{sample.name} has a label, not instances")
    instances, _, faults = make_instances(sample.label, height, width)
    return instances, faults
