"""Recount of what the manifest of a record set says, from its rows."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from segdata.coco.rle import to_rle
from segdata.errors import InvalidInputError
from segdata.images.header import ImageHeader
from segdata.images.reading import read_image_header
from segdata.labels.masks import count_index_png, counts_by_value
from segdata.parallel import Progress, default_workers, kind_for, ordered_map
from segdata.records.manifest import Manifest
from segdata.records.reader import RecordSet
from segdata.records.rows import ImageTotals
from segdata.records.schema import KEY, Row, TaskName, fingerprint_of, unpack_masks
from segdata.worker import check_stopped, report_progress

#: Sets of format version 1 have no kinds of image, and some count pixels of the ignore label twice.
_COUNTED_FROM = 2

#: Parts for each worker, so that all of them end at about the same time; and the fewest rows of a part.
_PARTS, _PART = 4, 16


@dataclass(frozen=True)
class RowCount:
    """One row: its key, fingerprint, bytes of image and labels, pixels and instances by label, and header."""

    key: str
    fingerprint: bytes
    payload: int
    pixels: Counter[int]
    instances: Counter[int]
    header: ImageHeader


@dataclass
class RowTotals:
    """The sums over all rows."""

    keys: Counter[str] = field(default_factory=Counter)
    payload: int = 0
    pixels: Counter[int] = field(default_factory=Counter)
    images: Counter[int] = field(default_factory=Counter)
    instances: Counter[int] = field(default_factory=Counter)
    kinds: ImageTotals = field(default_factory=ImageTotals)

    def add(self, row: RowCount) -> None:
        """Add the counts of a row."""
        # Counter.update takes as long as the rest of the work on a row's counts.
        self.keys[row.key] += 1
        self.payload += row.payload
        for label, pixels in row.pixels.items():
            self.pixels[label] += pixels
            self.images[label] += 1
        for label, instances in row.instances.items():
            self.instances[label] += instances
        self.kinds.add(row.header)

    def update(self, other: RowTotals) -> None:
        """Add the sums of `other`."""
        self.keys.update(other.keys)
        self.payload += other.payload
        self.pixels.update(other.pixels)
        self.images.update(other.images)
        self.instances.update(other.instances)
        self.kinds.update(other.kinds)


def recount(found: RecordSet, progress: Progress) -> Iterator[str]:
    """Read all rows of a set and yield each difference from its manifest.

    Raises:
        InvalidInputError: when a row cannot be read; names the shard and the row.
    """
    manifest = found.manifest
    totals, inputs = RowTotals(), hashlib.sha256()
    workers, rows = default_workers(), range(len(found))
    size = max(_PART, -(-len(rows) // (_PARTS * workers)))
    # Workers get numbers, not rows: each has one row in memory.
    parts = [rows[start : start + size] for start in rows[::size]]
    found.check_unchanged()
    with progress(total=len(rows), label="rows") as advance:
        count = partial(_count_rows, found)
        for sums, fingerprints in ordered_map(count, parts, workers=workers, kind=kind_for(len(rows)), advance=advance):
            inputs.update(fingerprints)
            totals.update(sums)
    found.check_unchanged()
    if repeated := next((key for key, count in totals.keys.items() if count > 1), None):
        yield f"{KEY[manifest.task]} {repeated}: in more than one row; expected each once"
    if inputs.hexdigest() != manifest.inputs:
        yield "the rows differ from those that were written (the manifest has another fingerprint of the inputs)"
    if manifest.format_version >= _COUNTED_FROM:
        yield from _differences(manifest, totals)


def _count_rows(found: RecordSet, numbers: range) -> tuple[RowTotals, bytes]:
    """Return the sums over some rows, and their concatenated fingerprints."""
    totals, fingerprints = RowTotals(), bytearray()
    for number in numbers:
        check_stopped()
        row = count_row(found.task, found[number])
        totals.add(row)
        fingerprints += row.fingerprint
        report_progress(1)
    return totals, bytes(fingerprints)


def count_row(task: TaskName, row: Row) -> RowCount:
    """Count the pixels and instances of a row.

    Raises:
        InvalidInputError: when its label, masks or image cannot be read.
    """
    key = str(row[KEY[task]])
    pixels, instances = Counter[int](), Counter[int]()
    try:
        if task == "semantic":
            _, counts = count_index_png(row["label"])
            pixels = Counter(counts_by_value(counts))
        else:
            instances.update(row["labels"].tolist())
            for label, area in zip(row["labels"].tolist(), _areas(row), strict=True):
                pixels[label] += area
        header = read_image_header(row["data"])
    except InvalidInputError as error:
        raise InvalidInputError(f"row {row['file_name']}: {error}", "record_damaged") from error
    return RowCount(key, fingerprint_of(task, row), row_payload(row), pixels, instances, header)


def row_payload(row: Row) -> int:
    """Return the bytes of the image and the label, or of the image and all arrays, of a row."""
    return sum(
        value.nbytes if isinstance(value, np.ndarray) else len(value)
        for value in row.values()
        if isinstance(value, bytes | np.ndarray)
    )


def _areas(row: Row) -> list[int]:
    """Return the pixels of each instance."""
    from pycocotools import mask

    size = row["height"], row["width"]
    rles = [to_rle({"size": [*size], "counts": counts}, *size) for counts in unpack_masks(row["masks"])]
    return [int(mask.area(rle)) for rle in rles]


def _differences(manifest: Manifest, totals: RowTotals) -> Iterator[str]:
    ignored = 0
    if manifest.ignore_label is not None:
        # Ignored pixels have no class, also if the ignore label is among the class ids.
        ignored = totals.pixels.pop(manifest.ignore_label, 0)
        totals.images.pop(manifest.ignore_label, 0)
    for info in manifest.classes:
        counted = replace(
            info,
            pixels=totals.pixels.pop(info.id, 0),
            images=totals.images[info.id],
            instances=None if manifest.task == "semantic" else totals.instances[info.id],
        )
        yield from _compare(f"class {info.name!r}: ", counted, info, ("pixels", "images", "instances"))
    if totals.pixels:
        yield f"labels {sorted(totals.pixels)[:10]}: in the rows, but not among the classes of the manifest"
    counted_set = replace(manifest, payload_bytes=totals.payload, ignore_pixels=ignored, images=totals.kinds.summary())
    yield from _compare("", counted_set, manifest, ("payload_bytes", "ignore_pixels", "images"))


def _compare(where: str, counted: object, said: object, names: tuple[str, ...]) -> Iterator[str]:
    for name in names:
        if (now := getattr(counted, name)) != (then := getattr(said, name)):
            yield f"{where}{name}: the rows have {now}; the manifest says {then}"
