"""Write the shards of a plan.

Each shard is written in its own folder, which gets its final name when the shard is complete: wherever a process dies,
a folder named ``shard-0003`` contains a complete shard. MindRecord files can move to another folder, but cannot be
renamed.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Generic, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt

from segdata.cluster import Cluster, Workers, check_shared
from segdata.files.paths import file_digest
from segdata.files.publishing import naming
from segdata.mindrecord.form import SetForm
from segdata.mindrecord.index import index_path
from segdata.mindrecord.writer import ShardWriter
from segdata.parallel import Progress, if_worth, kind_for, ordered_map
from segdata.records.manifest import Shard
from segdata.records.resume import SHARD_PREFIX
from segdata.records.schema import Row, row_fingerprint
from segdata.worker import check_stopped, report_progress

_T = TypeVar("_T")

_RESULT = "result.msgpack"

#: Bytes of the mean row from which on threads are worth it: reading, writing and digests release the GIL, but for short
#: rows so briefly that two threads take longer than one.
_THREADS_FROM = 1 << 18


@dataclass(frozen=True)
class SetJob(Generic[_T]):
    """Everything that the shards of a set have in common while they are written; workers get it once.

    Attributes:
        directory: parent directory of the folders of the shards.
        form: properties that all shards of the set share.
        fields: fields of a row, in the order of its fingerprint.
        read_row: turns the item of a row into the row.
    """

    directory: Path
    form: SetForm
    fields: tuple[str, ...]
    read_row: Callable[[_T], Row]

    def folder(self, index: int) -> Path:
        """Return the folder of a finished shard."""
        return self.directory / f"{SHARD_PREFIX}{index:04}"


@dataclass(frozen=True)
class ShardJob(Generic[_T]):
    """One shard, the unit of work.

    Attributes:
        index: number of this shard in the set.
        rows: their items, in row order.
        sizes: `RowSize` of each row, ``(rows, 3)`` int64.
    """

    index: int
    rows: Sequence[_T]
    sizes: npt.NDArray[np.int64]


@dataclass(frozen=True)
class ShardResult:
    """A finished shard, the concatenated fingerprints of its rows, and whether an earlier run wrote it."""

    shard: Shard
    fingerprints: bytes
    kept: bool = False


def write_shards(
    common: SetJob[_T], jobs: Sequence[ShardJob[_T]], *, workers: Workers, progress: Progress
) -> list[ShardResult]:
    """Write all shards; local workers of many rows are processes, and of a few long rows threads."""
    write = partial(write_shard, common)
    rows = sum(len(job.rows) for job in jobs)
    with progress(total=rows, label="write") as advance:
        if not isinstance(workers, Cluster):
            kind = kind_for(rows)
            workers = if_worth(workers, kind == "processes" or _mean_bytes(jobs) >= _THREADS_FROM)
            return list(ordered_map(write, jobs, workers=workers, kind=kind, advance=advance))
        check_shared(workers, common.directory)
        results = []
        for job, result in zip(jobs, ordered_map(write, jobs, workers=workers), strict=True):
            results.append(result)
            advance(len(job.rows))
        return results


def _mean_bytes(jobs: Sequence[ShardJob[_T]]) -> float:
    return float(np.concatenate([job.sizes[:, 0] for job in jobs]).mean())


def move_shards(common: SetJob[_T], directory: Path) -> None:
    """Move finished shards to `directory`."""
    for index, name in enumerate(common.form.addresses):
        for path in (common.folder(index) / name, index_path(common.folder(index) / name)):
            path.rename(directory / path.name)


def write_shard(common: SetJob[_T], job: ShardJob[_T]) -> ShardResult:
    """Write one shard of a set; keep a shard that an earlier run finished if it is unchanged.

    Raises:
        InvalidInputError: when a row is not the one that was checked.
        OSError: when the shard cannot be written.
    """
    folder, name = common.folder(job.index), common.form.addresses[job.index]
    if kept := _kept(job, folder, name):
        report_progress(len(job.rows))
        return kept
    unfinished = Path(tempfile.mkdtemp(prefix=f"unfinished-{job.index:04}-", dir=common.directory))
    try:
        with naming(common.directory / name):
            result = _write(common, job, unfinished / name)
            (unfinished / _RESULT).write_bytes(msgspec.msgpack.encode(result))
            shutil.rmtree(folder, ignore_errors=True)
            unfinished.rename(folder)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        # A cluster gives the work of a lost worker to another; the lost worker may still have finished first.
        if kept := _kept(job, folder, name):
            return kept
        raise
    return result


def _kept(job: ShardJob[_T], folder: Path, name: str) -> ShardResult | None:
    path = folder / name
    index = index_path(path)
    try:
        result = msgspec.msgpack.decode((folder / _RESULT).read_bytes(), type=ShardResult)
        shard = result.shard
        found = (path.name, len(job.rows), file_digest(path), file_digest(index))
    except (OSError, msgspec.DecodeError):
        return None
    if found != (shard.file, shard.rows, shard.sha256, shard.index_sha256):
        return None
    return replace(result, kept=True)


def _write(common: SetJob[_T], job: ShardJob[_T], path: Path) -> ShardResult:
    fingerprints = bytearray()
    with ShardWriter(path, common.form, job.index, job.sizes) as writer:
        for row in map(common.read_row, job.rows):
            check_stopped()
            fingerprints += row_fingerprint(writer.write(row), common.fields)
            report_progress(1)
        done = writer.close()
    shard = Shard(
        file=path.name,
        rows=done.rows,
        bytes=done.bytes,
        sha256=done.sha256,
        index_bytes=done.index_bytes,
        index_sha256=done.index_sha256,
    )
    return ShardResult(shard, bytes(fingerprints))
