"""Plan to shards: the only place that writes MindRecord.

One single-shard `FileWriter` for each shard, its rows decided by the plan: MindRecord's own multi-shard writer
spreads rows by an unseeded draw, and drops rows that break the schema without a word.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np

from segdata.errors import SegDataError
from segdata.files import file_mode
from segdata.parallel import Advance, Progress, ordered_map
from segdata.records.layout import BATCH_BYTES, Layout
from segdata.records.manifest import INDEX_SUFFIX, Shard
from segdata.records.schema import Row, Schema
from segdata.records.stitch import count_rows, read_header, stitch

T = TypeVar("T")


@dataclass(frozen=True)
class ShardJob(Generic[T]):
    """One shard, the unit of work: which rows, read how, written where.

    Attributes:
        directory: where the files go.
        names: every shard file of the set, in order.
        index: which of them this is.
        rows: what `read_row` makes a row of, in row order.
    """

    directory: Path
    names: tuple[str, ...]
    index: int
    layout: Layout
    schema: Schema
    rows: Sequence[T]
    read_row: Callable[[T], Row]


@dataclass(frozen=True)
class ShardResult:
    """A finished shard, and the fingerprints of its rows, one after the other."""

    shard: Shard
    fingerprints: bytes


def shard_names(name: str, num_shards: int) -> tuple[str, ...]:
    """Return the file names that MindRecord gives `num_shards` shards: zero-padded, no number when it is one."""
    stem = f"{name}.mindrecord"
    width = len(str(num_shards - 1))
    return (stem,) if num_shards == 1 else tuple(f"{stem}{index:0{width}}" for index in range(num_shards))


def write_shards(jobs: Sequence[ShardJob[T]], *, workers: int, progress: Progress) -> list[ShardResult]:
    """Write all shards; threads, since MindRecord's writer and the digests leave the interpreter lock."""
    with progress(total=sum(len(job.rows) for job in jobs), label="write") as advance:
        return list(ordered_map(partial(write_shard, advance=advance), jobs, workers=workers))


def write_shard(job: ShardJob[T], *, advance: Advance) -> ShardResult:
    """Write one shard and make it part of its set.

    Raises:
        SegDataError: when MindRecord fails or does not hold every row.
        OSError: when a file of a row cannot be read any more.
    """
    from mindspore.mindrecord import FileWriter

    path = job.directory / job.names[job.index]
    fingerprints = bytearray()
    try:
        writer = FileWriter(str(path), 1)
        writer.set_header_size(job.layout.header_size)
        writer.set_page_size(job.layout.page_size)
        writer.add_schema(dict(job.schema), "segdata")
        for batch in _batches(map(job.read_row, job.rows)):
            fingerprints += b"".join(row_fingerprint(row, job.schema) for row in batch)
            advance(len(batch))
            writer.write_raw_data(batch)
        writer.commit()
    except RuntimeError as error:
        raise SegDataError(f"{path}: MindRecord cannot write it: {_first_line(error)}") from error
    written = count_rows(read_header(path))
    if written != len(job.rows):
        raise SegDataError(f"{path}: holds {written} rows after writing {len(job.rows)}")
    stitch(path, job.names, job.index)
    return ShardResult(_describe(path, written), bytes(fingerprints))


def _batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    batch: list[Row] = []
    size = 0
    for row in rows:
        batch.append(row)
        size += _row_bytes(row)
        if size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _row_bytes(row: Row) -> int:
    return sum(len(value) for value in row.values() if isinstance(value, bytes))


def row_fingerprint(row: Row, schema: Schema) -> bytes:
    """Return what tells a row from another: of each field, in schema order, length (8 bytes) and CRC-32 (4 bytes).

    A CRC is enough to know inputs again, at a quarter of the time; a set as a whole is secured by its SHA-256.
    """
    fields = [field_bytes(row[name]) for name in schema]
    return b"".join(struct.pack("<QI", len(data), zlib.crc32(data)) for data in fields)


def field_bytes(value: Any) -> bytes:
    """Return a field as the bytes that are fingerprinted: UTF-8 for a string, 8 bytes little-endian for a number."""
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, int):
        return value.to_bytes(8, "little", signed=True)
    return value if isinstance(value, bytes) else np.ascontiguousarray(value).tobytes()


def _describe(path: Path, rows: int) -> Shard:
    """Give the files the mode of any new file (MindRecord leaves 0600) and digest them."""
    index = path.with_name(path.name + INDEX_SUFFIX)
    for file in (path, index):
        file.chmod(file_mode())
    return Shard(
        file=path.name,
        rows=rows,
        bytes=path.stat().st_size,
        sha256=file_digest(path),
        index_bytes=index.stat().st_size,
        index_sha256=file_digest(index),
    )


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file in hex."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines()]
    return next((line for line in lines if line and not line.startswith("-")), type(error).__name__)
