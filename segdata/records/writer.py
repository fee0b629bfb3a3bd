"""Write the shards of a plan; no other module writes MindRecord.

Each shard has its own single-shard `FileWriter` and the rows that the plan assigns to it: MindRecord's multi-shard
writer distributes rows by an unseeded draw and silently drops rows that violate the schema.

Each shard is written in its own folder, which gets its final name when the shard is complete: wherever a process dies,
a folder named ``shard-0003`` contains a complete shard. MindRecord files can move to another folder, but cannot be
renamed.
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
    """One shard, the unit of work: its rows, how to read them and where to write them.

    Attributes:
        directory: parent directory of the folders of the shards.
        names: file names of all shards of the set, in order.
        index: index of this shard in `names`.
        rows: items that `read_row` turns into rows, in row order.
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
        """Folder of the finished shard."""
        return self.directory / f"{SHARD_PREFIX}{self.index:04}"


@dataclass(frozen=True)
class ShardResult:
    """A finished shard, the concatenated fingerprints of its rows, and whether an earlier run wrote it."""

    shard: Shard
    fingerprints: bytes
    kept: bool = False


def shard_names(name: str, num_shards: int) -> tuple[str, ...]:
    """Return the file names that MindRecord gives to `num_shards` shards: zero-padded numbers, none for one shard."""
    stem = f"{name}.mindrecord"
    width = len(str(num_shards - 1))
    return (stem,) if num_shards == 1 else tuple(f"{stem}{index:0{width}}" for index in range(num_shards))


def write_shards(jobs: Sequence[ShardJob[_T]], *, workers: Workers, progress: Progress) -> list[ShardResult]:
    """Write all shards; local workers are threads, since MindRecord's writer and the digests release the GIL."""
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
    """Move finished shards to `directory` and give them the mode of any new file (MindRecord sets 0600)."""
    for job in jobs:
        for name in (job.names[job.index], job.names[job.index] + INDEX_SUFFIX):
            (job.folder / name).chmod(file_mode())
            (job.folder / name).rename(directory / name)


def write_shard(job: ShardJob[_T], *, advance: Advance = lambda _rows: None) -> ShardResult:
    """Write one shard of a set; keep a shard that an earlier run finished if it is unchanged.

    Raises:
        SegDataError: when MindRecord fails or loses rows.
        OSError: when a file of a row can no longer be read.
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
        # A cluster gives the work of a lost worker to another; the lost worker may still have finished first.
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
        raise SegDataError(f"{path.name}: MindRecord cannot write this shard: {error_line(error)}") from error
    written = count_rows(read_header(path))
    if written != len(job.rows):
        raise SegDataError(f"{path.name}: row count is {written} after writing; expected {len(job.rows)}")
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
    """Return the fingerprint of a row: length (8 bytes) and CRC-32 (4 bytes) of each field, in schema order.

    A CRC is enough to recognize inputs and takes a quarter of the time of SHA-256, which secures the complete set.
    """
    fields = [field_bytes(row[name]) for name in schema]
    return b"".join(struct.pack("<QI", len(data), zlib.crc32(data)) for data in fields)


def field_bytes(value: Any) -> bytes:
    """Return a field as bytes for the fingerprint: UTF-8 for a string, 8 bytes little-endian for an integer."""
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
