"""Report of a conversion to a record set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from segdata.errors import Fault
from segdata.images.values import ValueRange
from segdata.records.manifest import ClassInfo, ImageInfo
from segdata.records.plan import Plan
from segdata.records.rows import Rows
from segdata.records.writer import ShardResult

_T = TypeVar("_T")


@dataclass(frozen=True)
class ConvertReport:
    """Report of a conversion or, on a dry run, of what it would do.

    Attributes:
        path: the set's directory or URL.
        written: false after a dry run, and with `finished`.
        shards_kept: number of shards that an interrupted run had finished.
        samples: number of samples of the source.
        rows: number of rows; samples with faults have none.
        shard_rows: number of rows of each shard.
        payload_bytes: size of the images and labels.
        bytes_on_disk: size of the shards and their indexes; 0 after a dry run.
        classes: classes and their counts, by id.
        ignore_label: label of pixels without a class; None in an instance set.
        ignore_pixels: number of pixels with the ignore label.
        empty: number of images left out because they have no instances.
        faults: of the samples that ``on_error="skip"`` left out.
        warnings: what is odd but was written.
        images: kinds of image.
        value_range: samples of deep images that mean black and white; None without deep images.
        finished: whether an earlier run of the same conversion had finished the set, and nothing was written.
    """

    path: str
    written: bool
    shards_kept: int
    samples: int
    rows: int
    shard_rows: tuple[int, ...]
    payload_bytes: int
    bytes_on_disk: int
    classes: tuple[ClassInfo, ...]
    ignore_label: int | None
    ignore_pixels: int
    empty: int
    faults: tuple[Fault, ...]
    warnings: tuple[Fault, ...]
    images: ImageInfo
    value_range: ValueRange | None
    finished: bool = False


def make_report(path: str, plan: Plan, rows: Rows[_T], results: Sequence[ShardResult]) -> ConvertReport:
    """Return the report of a plan and its finished shards; without shards, that of a dry run or of a finished set."""
    return ConvertReport(
        path=path,
        written=bool(results),
        shards_kept=sum(result.kept for result in results),
        samples=rows.samples,
        rows=len(rows.items),
        shard_rows=tuple(len(items) for items in plan.shards),
        payload_bytes=rows.payload_bytes,
        bytes_on_disk=sum(result.shard.bytes + result.shard.index_bytes for result in results),
        classes=rows.classes,
        ignore_label=rows.ignore_label,
        ignore_pixels=rows.ignore_pixels,
        empty=rows.empty,
        faults=rows.faults,
        warnings=rows.warnings,
        images=rows.images,
        value_range=rows.value_range,
    )
