"""A list file or a COCO JSON to a record set: check, plan, write, publish."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal, Protocol, TypeVar

from segdata.errors import FaultsError
from segdata.files import check_target_directory, staged_directory
from segdata.parallel import Progress, default_workers, silent
from segdata.records.manifest import MANIFEST, ClassInfo, Manifest, read_manifest, write_manifest
from segdata.records.plan import Plan, make_plan, set_name
from segdata.records.rows import Rows
from segdata.records.writer import ShardJob, ShardResult, shard_names, write_shards

T = TypeVar("T")

OnError = Literal["fail", "skip"]


@dataclass(frozen=True)
class ConvertReport:
    """What a conversion did or, on a dry run, would do. Bytes on disk are apparent sizes."""

    target: str
    written: bool
    samples: int
    rows: int
    shard_rows: tuple[int, ...]
    payload_bytes: int
    bytes_on_disk: int
    classes: tuple[ClassInfo, ...]
    ignore_label: int | None
    ignore_pixels: int
    empty: int
    faults: tuple[str, ...]
    rotated: tuple[str, ...]


class Source(Protocol[T]):
    """Samples that may become rows: `segdata.records.semantic.ListSource` or `segdata.records.instance.CocoSource`."""

    def check(self, *, decode: bool, workers: int, progress: Progress) -> Rows[T]:
        """Look at every sample and return those that may be written."""
        ...


def to_mindrecord(
    source: Source[T],
    dst_path: Path,
    *,
    num_shards: int = 8,
    shuffle: bool = True,
    seed: int = 0,
    on_error: OnError = "fail",
    decode: bool = False,
    workers: int | None = None,
    overwrite: bool = False,
    dry_run: bool = False,
    progress: Progress = silent,
) -> ConvertReport:
    """Write the samples of a list file or of a COCO JSON as a record set (``docs/formats.md``).

    Every sample is checked before anything is written. The bytes depend on the samples and on the options that the
    manifest names, never on `workers`.

    Args:
        source: a `ListSource` (semantic task) or a `CocoSource` (instance task).
        dst_path: the set's directory; its name, without a ``.mindrecord`` at the end, is the set's name.
        num_shards: shard files; their row counts differ by one at most.
        shuffle: order rows by a seeded digest of their key; otherwise as listed.
        seed: of that order.
        on_error: what a fault does: fail, or leave out what has it, and count it.
        decode: decode every image too.
        workers: processes that check (from some thousands of pairs on) and threads that write; all processors by
            default.
        overwrite: replace a record set that lies at `dst_path`.
        dry_run: check everything, write nothing.
        progress: shows how far it is.

    Raises:
        FaultsError: naming everything that cannot be a row.
        InvalidInputError: when list or JSON cannot be read, there are fewer rows than shards, or MindRecord does not
            take the name.
        TargetExistsError: when `dst_path` is taken.
    """
    ours = _old_files(dst_path)
    check_target_directory(dst_path, overwrite=overwrite, ours=ours)
    workers = workers or default_workers()
    rows = source.check(decode=decode, workers=workers, progress=progress)
    if rows.faults and on_error == "fail":
        raise FaultsError(f"{len(rows.faults)} faults; nothing was written", [str(fault) for fault in rows.faults])
    plan = make_plan(rows, set_name(dst_path), num_shards=num_shards, seed=seed if shuffle else None)
    results: list[ShardResult] = []
    if not dry_run:
        with staged_directory(dst_path, overwrite=overwrite, ours=ours) as staging:
            results = write_shards(_jobs(plan, rows, staging), workers=workers, progress=progress)
            write_manifest(staging, _manifest(plan, rows, results))
    return _report(dst_path, plan, rows, results)


def _jobs(plan: Plan[T], rows: Rows[T], directory: Path) -> list[ShardJob[T]]:
    names = shard_names(plan.name, len(plan.shards))
    return [
        ShardJob(directory, names, index, plan.layout, rows.schema, items, rows.read)
        for index, items in enumerate(plan.shards)
    ]


def _manifest(plan: Plan[T], rows: Rows[T], results: Sequence[ShardResult]) -> Manifest:
    return Manifest(
        task=rows.task,
        name=plan.name,
        schema=rows.schema,
        classes=rows.classes,
        ignore_label=rows.ignore_label,
        ignore_pixels=rows.ignore_pixels,
        rows=len(rows.items),
        payload_bytes=rows.payload_bytes,
        inputs=hashlib.sha256(b"".join(result.fingerprints for result in results)).hexdigest(),
        options={"num_shards": len(plan.shards), "shuffle": plan.seed is not None, "seed": plan.seed},
        program={name: metadata.version(name) for name in ("segdata", "mindspore")},
        shards=tuple(result.shard for result in results),
    )


def _report(target: Path, plan: Plan[T], rows: Rows[T], results: Sequence[ShardResult]) -> ConvertReport:
    return ConvertReport(
        target=str(target),
        written=bool(results),
        samples=rows.samples,
        rows=len(rows.items),
        shard_rows=tuple(len(items) for items in plan.shards),
        payload_bytes=rows.payload_bytes,
        bytes_on_disk=sum(result.shard.bytes + result.shard.index_bytes for result in results),
        classes=rows.classes,
        ignore_label=rows.ignore_label,
        ignore_pixels=rows.ignore_pixels,
        empty=rows.empty,
        faults=tuple(map(str, rows.faults)),
        rotated=rows.rotated,
    )


def _old_files(target: Path) -> tuple[str, ...]:
    """Return the files of the record set that lies at `target`; none where there is no manifest to say so."""
    return read_manifest(target / MANIFEST).files if (target / MANIFEST).is_file() else ()
