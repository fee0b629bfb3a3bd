"""Plan to shards: the only place that writes MindRecord.

One single-shard `FileWriter` for each shard, its rows decided by the plan: MindRecord's own multi-shard writer
spreads rows by an unseeded draw, and drops rows that break the schema without a word.

A shard is written in a folder of its own, which gets its name when all of it is there: whoever dies on the way, and
wherever, a folder ``shard-0003`` holds a whole shard. MindRecord's files bear being moved to another folder, though
not another name.
"""

from __future__ import annotations

import hashlib
import shutil
import struct
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec
import numpy as np

from segdata.cluster import Cluster, Workers, check_shared
from segdata.errors import SegDataError
from segdata.files import file_mode
from segdata.parallel import Advance, Progress, check_stopped, ordered_map
from segdata.records.layout import BATCH_BYTES, Layout
from segdata.records.manifest import INDEX_SUFFIX, Shard
from segdata.records.reader import error_line
from segdata.records.resume import SHARD_PREFIX
from segdata.records.schema import Row, Schema
from segdata.records.stitch import count_rows, read_header, stitch

_T = TypeVar("_T")

_RESULT = "result.msgpack"


@dataclass(frozen=True)
class ShardJob(Generic[_T]):
    """One shard, the unit of work: which rows, read how, written where.

    Attributes:
        directory: where the shards' folders are made.
        names: every shard file of the set, in order.
        index: which of them this is.
        rows: what `read_row` makes a row of, in row order.
    """

    directory: Path
    names: tuple[str, ...]
    index: int
    layout: Layout
    schema: Schema
    rows: Sequence[_T]
    read_row: Callable[[_T], Row]

    @property
    def folder(self) -> Path:
        """Return where the shard lies when it is finished."""
        return self.directory / f"{SHARD_PREFIX}{self.index:04}"


@dataclass(frozen=True)
class ShardResult:
    """A finished shard, the fingerprints of its rows, one after the other, and whether an earlier run wrote it."""

    shard: Shard
    fingerprints: bytes
    kept: bool = False


def shard_names(name: str, num_shards: int) -> tuple[str, ...]:
    """Return the file names that MindRecord gives `num_shards` shards: zero-padded, no number when it is one."""
    stem = f"{name}.mindrecord"
    width = len(str(num_shards - 1))
    return (stem,) if num_shards == 1 else tuple(f"{stem}{index:0{width}}" for index in range(num_shards))


def write_shards(jobs: Sequence[ShardJob[_T]], *, workers: Workers, progress: Progress) -> list[ShardResult]:
    """Write all shards; local ones by threads, since MindRecord's writer and the digests leave the interpreter lock."""
    with progress(total=sum(len(job.rows) for job in jobs), label="write") as advance:
        if not isinstance(workers, Cluster):
            return list(ordered_map(partial(write_shard, advance=advance), jobs, workers=workers))
        check_shared(workers, jobs[0].directory)
        results = []
        for job, result in zip(jobs, ordered_map(write_shard, jobs, workers=workers), strict=True):
            results.append(result)
            advance(len(job.rows))
        return results


def move_shards(jobs: Sequence[ShardJob[_T]], directory: Path) -> None:
    """Move finished shards into `directory`, with the mode of any new file (MindRecord leaves 0600)."""
    for job in jobs:
        for name in (job.names[job.index], job.names[job.index] + INDEX_SUFFIX):
            (job.folder / name).chmod(file_mode())
            (job.folder / name).rename(directory / name)


def write_shard(job: ShardJob[_T], *, advance: Advance = lambda _rows: None) -> ShardResult:
    """Write one shard as part of its set; one that an earlier run finished is kept if it is still what was written.

    Raises:
        SegDataError: when MindRecord fails or does not hold every row.
        OSError: when a file of a row cannot be read any more.
    """
    if kept := _kept(job):
        advance(len(job.rows))
        return kept
    unfinished = Path(tempfile.mkdtemp(prefix=f"unfinished-{job.index:04}-", dir=job.directory))
    try:
        result = _write(job, unfinished / job.names[job.index], advance)
        (unfinished / _RESULT).write_bytes(msgspec.msgpack.encode(result))
        shutil.rmtree(job.folder, ignore_errors=True)
        unfinished.rename(job.folder)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        # A cluster gives the work of a worker that it lost to another; the lost one may have been first after all.
        if kept := _kept(job):
            return kept
        raise
    return result


def _kept(job: ShardJob[_T]) -> ShardResult | None:
    try:
        result = msgspec.msgpack.decode((job.folder / _RESULT).read_bytes(), type=ShardResult)
        whole = result.shard == _describe(job.folder / job.names[job.index], len(job.rows))
    except (OSError, msgspec.DecodeError):
        return None
    return replace(result, kept=True) if whole else None


def _write(job: ShardJob[_T], path: Path, advance: Advance) -> ShardResult:
    from mindspore.mindrecord import FileWriter

    fingerprints = bytearray()
    try:
        writer = FileWriter(str(path), 1)
        writer.set_header_size(job.layout.header_size)
        writer.set_page_size(job.layout.page_size)
        writer.add_schema(dict(job.schema), "segdata")
        for batch in _batches(map(job.read_row, job.rows)):
            check_stopped()
            fingerprints += b"".join(row_fingerprint(row, job.schema) for row in batch)
            advance(len(batch))
            writer.write_raw_data(batch)
        writer.commit()
    except RuntimeError as error:
        raise SegDataError(f"{path.name}: MindRecord cannot write it: {error_line(error)}") from error
    written = count_rows(read_header(path))
    if written != len(job.rows):
        raise SegDataError(f"{path.name}: holds {written} rows after writing {len(job.rows)}")
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
    index = path.with_name(path.name + INDEX_SUFFIX)
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
