"""A list file or a COCO JSON to a record set: check, plan, write, publish."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Literal, Protocol, TypeVar

from segdata.coco_json import read_coco
from segdata.errors import FaultsError
from segdata.files import check_target_directory, staged_directory
from segdata.lists import read_list
from segdata.parallel import Progress, default_workers, silent
from segdata.records.instance import check_images
from segdata.records.manifest import MANIFEST, ClassInfo, Manifest, read_manifest, write_manifest
from segdata.records.plan import Plan, make_plan, set_name
from segdata.records.rows import Rows
from segdata.records.semantic import Classes, check_pairs
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


def to_mindrecord(
    data_root: Path,
    data_lst: Path,
    dst_path: Path,
    *,
    num_shards: int = 8,
    shuffle: bool = True,
    seed: int = 0,
    classes: Classes | None = None,
    on_error: OnError = "fail",
    decode: bool = False,
    workers: int | None = None,
    overwrite: bool = False,
    dry_run: bool = False,
    progress: Progress = silent,
) -> ConvertReport:
    """Write the samples of a list file as a semantic record set (``docs/formats.md``).

    Every pair is checked before anything is written. The bytes depend on the list, the files and the options
    that the manifest names, never on `workers`.

    Args:
        data_root: what the list's paths are relative to.
        data_lst: a list file.
        dst_path: the set's directory; its name, without a ``.mindrecord`` at the end, is the set's name.
        num_shards: shard files; their row counts differ by one at most.
        shuffle: order rows by a seeded digest of their path; otherwise list order.
        seed: of that order.
        classes: names and ignore label; VOC's by default.
        on_error: what a fault does: fail, or leave the pair out and count it.
        decode: decode every image too.
        workers: processes that check (from some thousands of pairs on) and threads that write; all processors by
            default.
        overwrite: replace a record set that lies at `dst_path`.
        dry_run: check everything, write nothing.
        progress: shows how far it is.

    Raises:
        FaultsError: naming every pair that cannot be a row.
        InvalidInputError: when there are fewer rows than shards, or a name that MindRecord does not take.
        TargetExistsError: when `dst_path` is taken.
    """
    check = partial(check_pairs, read_list(data_lst), data_root, classes or Classes(), decode=decode)
    return convert(
        check,
        dst_path,
        num_shards=num_shards,
        seed=seed if shuffle else None,
        on_error=on_error,
        workers=workers or default_workers(),
        overwrite=overwrite,
        dry_run=dry_run,
        progress=progress,
    )


def coco_to_mindrecord(
    annotations: Path,
    images: Path,
    dst_path: Path,
    *,
    num_shards: int = 8,
    shuffle: bool = True,
    seed: int = 0,
    keep_empty: bool = False,
    on_error: OnError = "fail",
    decode: bool = False,
    workers: int | None = None,
    overwrite: bool = False,
    dry_run: bool = False,
    progress: Progress = silent,
) -> ConvertReport:
    """Write the images of a COCO JSON as an instance record set (``docs/formats.md``).

    Categories become the labels 1 to K in the order of their ids; masks become compressed RLE, whatever they came as.

    Args:
        annotations: COCO instances as JSON.
        images: the folder that its file names are relative to.
        keep_empty: write images without instances too; otherwise they are left out and counted.
        on_error: what a fault does: fail, or leave the annotation (or the image) out and count it.

    The other arguments and errors are those of `to_mindrecord`.
    """
    check = partial(check_images, read_coco(annotations), images, keep_empty=keep_empty, decode=decode)
    return convert(
        check,
        dst_path,
        num_shards=num_shards,
        seed=seed if shuffle else None,
        on_error=on_error,
        workers=workers or default_workers(),
        overwrite=overwrite,
        dry_run=dry_run,
        progress=progress,
    )


class Check(Protocol[T]):
    """Looks at everything that is to become a row."""

    def __call__(self, *, workers: int, progress: Progress) -> Rows[T]:
        """Return the rows that may be written."""
        ...


def convert(
    check: Check[T],
    target: Path,
    *,
    num_shards: int,
    seed: int | None,
    on_error: OnError,
    workers: int,
    overwrite: bool,
    dry_run: bool,
    progress: Progress,
) -> ConvertReport:
    """Check, plan, write and publish, whatever the task; `seed` None keeps the given order."""
    ours = _old_files(target)
    check_target_directory(target, overwrite=overwrite, ours=ours)
    rows = check(workers=workers, progress=progress)
    if rows.faults and on_error == "fail":
        raise FaultsError(f"{len(rows.faults)} faults; nothing was written", rows.faults)
    plan = make_plan(rows, set_name(target), num_shards=num_shards, seed=seed)
    results: list[ShardResult] = []
    if not dry_run:
        with staged_directory(target, overwrite=overwrite, ours=ours) as staging:
            results = write_shards(_jobs(plan, rows, staging), workers=workers, progress=progress)
            write_manifest(staging, _manifest(plan, rows, results))
    return _report(target, plan, rows, results)


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
        faults=rows.faults,
        rotated=rows.rotated,
    )


def _old_files(target: Path) -> tuple[str, ...]:
    """Return the files of the record set that lies at `target`; none where there is no manifest to say so."""
    return read_manifest(target / MANIFEST).files if (target / MANIFEST).is_file() else ()
