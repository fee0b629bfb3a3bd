"""Semantic task: check which pairs of a list can become rows, and read the rows."""

from __future__ import annotations

import os
import zlib
from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from pathlib import Path

import numpy as np
import numpy.typing as npt

from segdata.cluster import Workers
from segdata.encoded import Encoded, File
from segdata.errors import Fault, FaultsError, collecting, faults_at
from segdata.images.header import ImageHeader, check_size
from segdata.images.reading import inspect_image
from segdata.images.values import ValueRange
from segdata.labels.binary import BinaryLabels
from segdata.labels.classes import Classes
from segdata.labels.masks import count_index_png, counts_by_value
from segdata.lists import Pair
from segdata.mindrecord.rows import RowSize, measure_row
from segdata.parallel import PROCESSES_FROM, Progress, if_worth, map_faults
from segdata.records.layout import row_faults
from segdata.records.manifest import ClassInfo
from segdata.records.rows import ImageTotals, Rows, change_mark, odd_image
from segdata.records.schema import ROW_SCHEMAS, SEMANTIC, Row
from segdata.text import plural


@dataclass(frozen=True)
class PairReport:
    """Result of inspecting a pair; fields of a file that cannot be read are empty.

    Attributes:
        image: the encoded image, or its path.
        status: size, times and identity of the image's file, from before it was read.
        header: header of the image.
        encoded: content of the label file.
        label: class ids ``(H, W)`` uint8.
        pixels: label pixels by value, ``(256,)``.
        row: bytes that its row takes.
        faults: faults of the image, of the label and of their combination.
    """

    image: Path | bytes | None
    status: os.stat_result | None
    header: ImageHeader | None
    encoded: bytes
    label: npt.NDArray[np.uint8] | None
    pixels: npt.NDArray[np.int64]
    row: RowSize | None
    faults: tuple[Fault, ...]


@dataclass(frozen=True)
class PairCheck:
    """Summary of a valid pair: bytes of its files and of its row, change mark, label pixels by value, and header.

    A process passes it to another one, which takes ten times as long with the pixels as an array.
    """

    pair: Pair
    size: int
    row: RowSize
    change_mark: int
    pixels: dict[int, int]
    header: ImageHeader


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
    pixels, images = Counter[int](), Counter[int]()
    good: list[Pair] = []
    sizes = array("q")
    payload = 0
    change_marks: list[int] = []
    faults: list[Fault] = []
    warnings: list[Fault] = []
    root = root.absolute()
    images_of = ImageTotals()
    binary = BinaryLabels(classes)
    for check in map_faults(
        partial(check_pair, root, classes, value_range, decode),
        pairs,
        faults,
        name=attrgetter("image"),
        total=len(pairs),
        label="check",
        progress=progress,
        workers=if_worth(workers, decode or len(pairs) >= PROCESSES_FROM),
        kind="processes",
        chunk=128,
    ):
        good.append(check.pair)
        sizes.extend(check.row)
        payload += check.size
        change_marks.append(check.change_mark)
        warnings += odd_image(check.pair.image, check.header)
        images_of.add(check.header)
        binary.add(check.pair.image, check.pixels)
        for value, count in check.pixels.items():
            pixels[value] += count
            images[value] += 1
    values = set(pixels)
    # Ignored pixels have no class, also if the ignore label is among the class ids (ADE20K: 0 is void).
    ignored = pixels.pop(classes.ignore_label, 0)
    images.pop(classes.ignore_label, 0)
    return Rows(
        task="semantic",
        schema=SEMANTIC,
        items=tuple(good),
        keys=tuple(pair.image for pair in good),
        read=partial(read_pair_row, root),
        sizes=np.array(sizes, np.int64).reshape(-1, 3),
        change_marks=np.array(change_marks, np.uint64),
        payload_bytes=payload,
        classes=tuple(
            ClassInfo(id=id_, name=name, original_id=id_, pixels=pixels[id_], images=images[id_])
            for id_, name in enumerate(classes.names)
        ),
        ignore_label=classes.ignore_label,
        ignore_pixels=ignored,
        samples=len(pairs),
        empty=0,
        fatal=tuple(classes.check_all(values)),
        faults=tuple(faults),
        warnings=(*warnings, *binary.faults()),
        images=images_of.summary(),
        value_range=value_range,
    )


def check_pair(root: Path, classes: Classes, value_range: ValueRange | None, decode: bool, pair: Pair) -> PairCheck:
    """Check one pair.

    Raises:
        FaultsError: with all its faults.
    """
    image, label = pair_files(root, pair)
    look = inspect_pair(image, label, classes, value_range, decode=decode)
    status = look.status
    if look.faults or not look.header or not look.row or not status:
        raise FaultsError(f"{pair.image}: {plural(len(look.faults), 'fault')}", look.faults)
    size = status.st_size + len(look.encoded)
    mark = _change_mark(pair, size, status, look.encoded)
    return PairCheck(pair, size, look.row, mark, counts_by_value(look.pixels), look.header)


def pair_files(root: Path, pair: Pair) -> tuple[File, File]:
    """Return the files of a pair."""
    return File(root, pair.image), File(root, pair.label, "missing_label")


def inspect_pair(
    image: Encoded,
    label: Encoded,
    classes: Classes,
    value_range: ValueRange | None = None,
    *,
    decode: bool,
    read: bool = False,
) -> PairReport:
    """Find the faults of one pair.

    Args:
        image: the image.
        label: the label.
        classes: allowed values of the label.
        value_range: value range of the data set.
        decode: decode the image instead of only reading its header.
        read: read the file of the image completely.
    """
    faults: list[Fault] = []
    pixels = np.zeros(256, np.int64)
    found = header = ids = row = None
    encoded = b""
    # Taken first, so that a change while the image is inspected is found later.
    status = image.status()
    with collecting(faults, image.name):
        found = image.read() if read else image.find()
        header = inspect_image(found, value_range, decode=decode)
    with collecting(faults, label.name):
        encoded = label.read()
        ids, pixels = count_index_png(encoded)
        classes.check(ids, pixels)
    with collecting(faults, image.name):
        if header and ids is not None:
            check_size(header.shape, ids.shape, "its label has", orientation=header.orientation)
    with collecting(faults, image.name):
        if header:
            size = status.st_size if status else len(image.read())
            fields = {"file_name": image.name, "data": size, "label": encoded}
            row = measure_row(ROW_SCHEMAS["semantic"], fields)
            faults += row_faults(image.name, row)
    return PairReport(found, status, header, encoded, ids, pixels, row, tuple(faults))


def read_pair_row(root: Path, pair: Pair) -> tuple[Row, int]:
    """Read the row of a pair, both files, byte for byte; and its change mark."""
    image, label = pair_files(root, pair)
    status = image.status()
    with faults_at(pair.image):
        data = image.read()
    with faults_at(pair.label):
        encoded = label.read()
    # The bytes are counted, since the file may change while it is read.
    mark = _change_mark(pair, len(data) + len(encoded), status, encoded)
    return {"file_name": pair.image, "data": data, "label": encoded}, mark


def _change_mark(pair: Pair, size: int, status: os.stat_result | None, label: bytes) -> int:
    return change_mark(pair.image, pair.label, size, status.st_mtime_ns if status else 0, zlib.crc32(label))
