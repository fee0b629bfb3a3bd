"""Semantic task: check which pairs of a list can become rows, and read the rows."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from segdata.cluster import Workers
from segdata.errors import Code, Fault, InvalidInputError
from segdata.files import resolve
from segdata.images.header import ImageHeader, missing_text
from segdata.images.reading import inspect_image
from segdata.images.values import ValueRange
from segdata.labels.classes import Classes
from segdata.labels.colormap import voc_colormap
from segdata.labels.masks import count_values, decode_index_png, first_pixel
from segdata.lists import Pair
from segdata.parallel import Progress, if_worth, ordered_map
from segdata.records.layout import blob_overhead, row_faults
from segdata.records.manifest import ClassInfo
from segdata.records.rows import ImageTotals, Rows, change_mark
from segdata.records.schema import SEMANTIC, Row
from segdata.regular import read_regular
from segdata.text import plural

#: Minimum number of pairs for worker processes; fewer are checked before a process has started.
PROCESSES_FROM = 2000


@dataclass(frozen=True)
class PairReport:
    """Result of checking a pair; fields of a file that cannot be read are empty.

    Attributes:
        image: the encoded image, or its path.
        header: header of the image.
        encoded: content of the label file.
        label: class ids ``(H, W)`` uint8.
        pixels: label pixels by value, ``(256,)``.
        faults: faults of the image, of the label and of their combination.
    """

    image: Path | bytes | None
    header: ImageHeader | None
    encoded: bytes
    label: npt.NDArray[np.uint8] | None
    pixels: npt.NDArray[np.int64]
    faults: tuple[Fault, ...]


@dataclass(frozen=True)
class PairCheck:
    """Summary of one pair: bytes of its row, change mark, label pixels by value, faults and EXIF orientation."""

    size: int
    change_mark: int
    pixels: npt.NDArray[np.int64]
    faults: tuple[Fault, ...]
    orientation: int
    header: ImageHeader | None


def check_pairs(
    pairs: Sequence[Pair],
    root: Path,
    classes: Classes,
    *,
    value_range: ValueRange | None,
    decode: bool,
    workers: Workers,
    progress: Progress,
) -> Rows[Pair]:
    """Check every pair: both files exist, are readable and equal in size, and the label has only known values.

    Labels are always decoded (they are small); images only with `decode`, otherwise only their header is read.
    """
    pixels, images = np.zeros(256, np.int64), np.zeros(256, np.int64)
    sizes: list[int] = []
    change_marks: list[int] = []
    good: list[Pair] = []
    faults: list[Fault] = []
    rotated: list[str] = []
    root = root.absolute()
    check = partial(check_pair, root, classes, value_range, decode)
    images_of = ImageTotals()
    workers = if_worth(workers, decode or len(pairs) >= PROCESSES_FROM)
    with progress(total=len(pairs), label="check") as advance:
        for pair, result in zip(
            pairs, ordered_map(check, pairs, workers=workers, kind="processes", chunk=32), strict=True
        ):
            advance(1)
            faults.extend(result.faults)
            if result.orientation != 1:
                rotated.append(f"{pair.image}: EXIF orientation {result.orientation}")
            if not result.faults:
                good.append(pair)
                sizes.append(result.size)
                images_of.add(result.header)
                change_marks.append(result.change_mark)
                pixels += result.pixels
                images += result.pixels > 0
    # Ignored pixels have no class, also if the ignore label is among the class ids (ADE20K: 0 is void).
    ignored = int(pixels[classes.ignore_label])
    pixels[classes.ignore_label] = images[classes.ignore_label] = 0
    return Rows(
        task="semantic",
        schema=SEMANTIC,
        items=tuple(good),
        keys=tuple(pair.image for pair in good),
        read=partial(read_pair_row, root),
        sizes=np.array(sizes, np.int64) + blob_overhead(SEMANTIC),
        change_marks=np.array(change_marks, np.uint64),
        payload_bytes=sum(sizes),
        classes=tuple(
            ClassInfo(id=id_, name=name, original_id=id_, pixels=int(pixels[id_]), images=int(images[id_]))
            for id_, name in enumerate(classes.names)
        ),
        ignore_label=classes.ignore_label,
        ignore_pixels=ignored,
        samples=len(pairs),
        empty=0,
        faults=tuple(faults),
        rotated=tuple(rotated),
        images=images_of.summary(),
        value_range=value_range,
    )


def check_pair(root: Path, classes: Classes, value_range: ValueRange | None, decode: bool, pair: Pair) -> PairCheck:
    """Check one pair; report faults instead of raising."""
    find_image, find_label = partial(resolve, root, pair.image), partial(resolve, root, pair.label)
    look = inspect_pair(pair, find_image, find_label, classes, value_range, decode=decode)
    orientation = look.header.orientation if look.header else 1
    if look.faults:
        return PairCheck(0, 0, look.pixels, look.faults, orientation, look.header)
    status = find_image().stat()
    size = status.st_size + len(look.encoded)
    mark = change_mark(pair, size, status.st_mtime_ns, zlib.crc32(look.encoded))
    return PairCheck(size, mark, look.pixels, (), orientation, look.header)


def inspect_pair(
    pair: Pair,
    find_image: Callable[[], Path | bytes],
    find_label: Callable[[], Path | bytes],
    classes: Classes,
    value_range: ValueRange | None = None,
    *,
    decode: bool,
) -> PairReport:
    """Check one pair; report faults instead of raising.

    Args:
        pair: names of image and label in faults.
        find_image: returns the encoded image or its path, or raises an error if there is no image.
        find_label: the same for the label.
        classes: allowed values of the label.
        value_range: value range of the data set.
        decode: decode the image instead of only reading its header.
    """
    faults: list[Fault] = []
    pixels = np.zeros(256, np.int64)
    image = header = label = None
    encoded = b""
    try:
        image = find_image()
        header = inspect_image(image, value_range, decode=decode)
    except (InvalidInputError, OSError) as error:
        faults.append(file_fault(pair.image, error, "missing_image"))
    try:
        found = find_label()
        encoded = found if isinstance(found, bytes) else read_regular(found)
        label = decode_index_png(encoded)
        pixels = count_values(label)
        _check_values(label, pixels, classes)
    except (InvalidInputError, OSError) as error:
        faults.append(file_fault(pair.label, error, "missing_label"))
    if header and label is not None and (header.height, header.width) != label.shape:
        turned = f" (EXIF orientation {header.orientation})" if header.orientation != 1 else ""
        sizes = f"{header.size} pixels{turned}, but its label has {label.shape[1]} x {label.shape[0]}"
        faults.append(Fault("size_mismatch", pair.image, sizes))
    if header and image is not None:
        faults += row_faults(pair.image, encoded_size(image) + len(encoded) + blob_overhead(SEMANTIC))
    return PairReport(image, header, encoded, label, pixels, tuple(faults))


def encoded_size(image: Path | bytes) -> int:
    """Return the bytes of an encoded image."""
    return len(image) if isinstance(image, bytes) else image.stat().st_size


def file_fault(where: str, error: InvalidInputError | OSError, missing: Code) -> Fault:
    """Return the fault of a file that cannot be read; `missing` is the code for a file that does not exist."""
    if isinstance(error, InvalidInputError):
        return Fault(error.code, where, str(error))
    if isinstance(error, FileNotFoundError):
        return Fault(missing, where, missing_text(where))
    return Fault("unreadable", where, f"cannot be read: {error.strerror}")


def _check_values(label: npt.NDArray[np.uint8], pixels: npt.NDArray[np.int64], classes: Classes) -> None:
    values = np.flatnonzero(pixels)
    foreign = values[~classes.allowed()[values]]
    if not len(foreign):
        return
    if gray := voc_colormap().gray_diagnosis(values):
        raise InvalidInputError(gray, "gray_from_color")
    expected = f"expected 0 to {len(classes.names) - 1} or {classes.ignore_label}"
    count = plural(len(foreign), "such value")
    raise InvalidInputError(
        f"{first_pixel(label == foreign[0])} has value {foreign[0]}; {expected} ({count})",
        "value_outside_classes",
    )


def read_pair_row(root: Path, pair: Pair) -> Row:
    """Read the row of a pair: both files, byte for byte."""
    return {
        "file_name": pair.image,
        "data": read_regular(resolve(root, pair.image)),
        "label": read_regular(resolve(root, pair.label)),
    }
