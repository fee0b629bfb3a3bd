"""Convert a list file or a COCO JSON to a record set: check, plan, write, publish."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

from segdata import __version__
from segdata.arguments import FilePath, check_choice, check_opened, local_path
from segdata.cluster import Workers
from segdata.coco.annotations import Boxes
from segdata.errors import FaultsError, InvalidInputError, OnError, SegDataError
from segdata.files.ownership import check_target_directory
from segdata.files.publishing import staged_directory
from segdata.parallel import Progress, chosen_workers, silent
from segdata.records.convert_report import ConvertReport, make_report
from segdata.records.manifest import MANIFEST, Manifest, Shard
from segdata.records.manifest_file import encode_manifest, read_manifest, write_manifest
from segdata.records.plan import NUM_SHARDS, Plan, make_plan, set_name
from segdata.records.resume import finished_set, finished_shards, open_work
from segdata.records.rows import Rows, read_checked
from segdata.records.writer import SetJob, ShardJob, ShardResult, move_shards, write_shards
from segdata.store.access import writing
from segdata.store.product import Product
from segdata.store.publishing import find_published
from segdata.store.url import Location, Url, local_place, parse_location
from segdata.text import plural

_T = TypeVar("_T")

#: The files of a record set: those that its manifest lists.
RECORD_SET = Product("set", MANIFEST, lambda directory, _sizes: read_manifest(directory / MANIFEST).files, pinned=True)


class Convertible(Protocol[_T]):
    """A data set that can become a record set: a list file or a COCO JSON that `segdata.open_dataset` opened."""

    path: Path

    def check_rows(
        self, *, decode: bool, drop_empty: bool, boxes: Boxes, workers: Workers, progress: Progress
    ) -> Rows[_T]:
        """Check every sample and return the rows that can be written."""
        ...


def to_mindrecord(
    dataset: Convertible[_T],
    dst_path: Location,
    *,
    num_shards: int = NUM_SHARDS,
    shuffle: bool = True,
    seed: int = 0,
    on_error: OnError = "fail",
    decode: bool = False,
    drop_empty: bool = False,
    boxes: Boxes = "json",
    workers: Workers | None = None,
    overwrite: bool = False,
    resume: bool = False,
    dry_run: bool = False,
    work_dir: FilePath | None = None,
    progress: Progress = silent,
) -> ConvertReport:
    """Write the samples of a list file or of a COCO JSON as a record set (``docs/formats.md``).

    Every sample is checked before anything is written. The bytes depend on the samples and on the options in the
    manifest, never on `workers`.

    Args:
        dataset: an open list file (semantic task) or COCO JSON (instance task); see `segdata.open_dataset`.
        dst_path: the set's directory or URL; its name, without a ``.mindrecord`` suffix, becomes the set's name. For a
            URL, the set is written to `work_dir` and then uploaded.
        num_shards: number of shard files; their row counts differ by at most one.
        shuffle: order rows by a seeded digest of their key; otherwise keep the listed order.
        seed: seed of that order.
        on_error: ``fail`` stops at faults; ``skip`` leaves out the samples that have them and counts them.
        decode: also decode every image.
        drop_empty: leave out and count images of a COCO JSON without instances. They belong into sets for evaluation,
            where a detection on them counts as wrong; training leaves them out by itself.
        boxes: ``json`` takes the boxes of a COCO JSON, and reports those that contradict their masks; ``masks`` makes
            all boxes from the masks.
        workers: number of processes (from a few thousand samples) or threads for checking and writing, one per
            CPU core by default; or a cluster that sees the samples and the set under the same paths.
        overwrite: replace an existing record set at `dst_path`.
        resume: keep the shards that an interrupted run of the same conversion finished, and a set at `dst_path`
            that it finished from the same samples; otherwise write them again.
        dry_run: check everything, write nothing.
        work_dir: directory for the set before its upload; by default ``~/.cache/segdata``.
        progress: reports progress.

    Raises:
        FaultsError: when samples cannot become rows; names all of them.
        InvalidInputError: when the list or JSON cannot be read, there are fewer rows than shards, a class has no name,
            or MindRecord does not accept the name or the length of the path.
        TargetExistsError: when `dst_path` already exists.
        PlanChangedError: with `resume`, when samples, options or versions differ from the interrupted run.
        UnfinishedError: when writing failed; nothing is at `dst_path`, and finished shards are kept for `resume`.
        SegDataError: when a store cannot be reached or denies access. The finished set then stays in `work_dir`.
    """
    check_opened("dataset", dataset)
    work_dir = local_path(work_dir)
    check_choice("on_error", on_error, OnError)
    check_choice("boxes", boxes, Boxes)
    workers = chosen_workers(workers)

    def check(name: str) -> tuple[Rows[_T], Plan]:
        rows = dataset.check_rows(decode=decode, drop_empty=drop_empty, boxes=boxes, workers=workers, progress=progress)
        _stop_at_faults(dataset.path, rows, on_error)
        _stop_without_rows(dataset.path, rows)
        plan = make_plan(rows, name, num_shards=num_shards, seed=seed if shuffle else None)
        _check_description(dataset.path, plan, rows)
        return rows, plan

    place = parse_location(dst_path)
    if resume and not overwrite and _is_finished(place):
        rows, plan = check(set_name(place if isinstance(place, Path) else local_place(place, work_dir)))
        manifest = finished_set(place, plan, rows, _options(plan, rows), workers=workers, progress=progress)
        disk = sum(shard.bytes + shard.index_bytes for shard in manifest.shards)
        return replace(make_report(str(place), plan, rows, []), bytes_on_disk=disk, finished=True)
    with writing(
        place, RECORD_SET, overwrite=overwrite, dry_run=dry_run, work_dir=work_dir, progress=progress
    ) as directory:
        # What a failed upload left in the working directory is replaced.
        overwrite = overwrite or directory != place
        ours = _old_files(directory)
        check_target_directory(directory, overwrite=overwrite, ours=ours)
        rows, plan = check(set_name(directory))
        results: list[ShardResult] = []
        if not dry_run:
            with staged_directory(directory, overwrite=overwrite, ours=ours, keep=True) as staging:
                work = open_work(staging, plan, rows, options=_options(plan, rows), program=_program(), resume=resume)
                common = SetJob(work, plan.form, tuple(rows.schema), partial(read_checked, rows.read))
                with _counting_finished(directory, len(plan.shards)):
                    results = write_shards(common, _jobs(plan, rows), workers=workers, progress=progress)
                    move_shards(common, staging)
                    shutil.rmtree(work)
                    write_manifest(staging, _manifest(plan, rows, results))
    return make_report(str(place), plan, rows, results)


def _stop_at_faults(path: Path, rows: Rows[_T], on_error: OnError) -> None:
    # Where no sample is left, the faults are the reason.
    skipped = rows.faults if on_error == "skip" and rows.items else ()
    faults = [*rows.fatal, *rows.faults[len(skipped) :]]
    if not faults:
        return
    skip = "" if rows.fatal or not rows.items else ", or leave them out with --on-error skip"
    cure = f"Correct the samples (segdata check says how){skip}"
    raise FaultsError(f"{path}: {plural(len(faults), 'fault')}; nothing was written. {cure}", faults)


def _stop_without_rows(path: Path, rows: Rows[_T]) -> None:
    if rows.items:
        return
    if not rows.empty:
        raise InvalidInputError(f"{path}: contains no images")
    raise InvalidInputError(
        f"{path}: no image has instances ({plural(rows.empty, 'image')} left out); expected at least 1. Omit "
        "--drop-empty."
    )


def _check_description(path: Path, plan: Plan, rows: Rows[_T]) -> None:
    """Refuse what no manifest can say, such as a class without a name, before the shards are written."""
    digest = "0" * 64
    shards = (
        Shard(file=name, rows=len(part), bytes=0, sha256=digest, index_bytes=0, index_sha256=digest)
        for name, part in zip(plan.form.addresses, plan.shards, strict=True)
    )
    try:
        encode_manifest(_manifest(plan, rows, [ShardResult(shard, b"") for shard in shards]))
    except InvalidInputError as error:
        raise InvalidInputError(f"{path}: {error}", error.code) from error


class UnfinishedError(SegDataError):
    """Writing failed; finished shards are kept, so that the same conversion can resume later."""


@contextmanager
def _counting_finished(target: Path, shards: int) -> Iterator[None]:
    """Add the number of finished shards to the error when writing fails or is interrupted."""
    try:
        yield
    except KeyboardInterrupt as error:
        raise type(error)(f"{finished_shards(target)} of {plural(shards, 'shard')} finished") from error
    except (SegDataError, OSError) as error:
        reason = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) else str(error)
        raise UnfinishedError(f"{reason}; {finished_shards(target)} of {plural(shards, 'shard')} finished") from error


def _jobs(plan: Plan, rows: Rows[_T]) -> list[ShardJob[tuple[_T, int]]]:
    marks = rows.change_marks.tolist()
    return [
        ShardJob(index=index, rows=[(rows.items[row], marks[row]) for row in part], sizes=rows.sizes[list(part)])
        for index, part in enumerate(plan.shards)
    ]


def _options(plan: Plan, rows: Rows[_T]) -> dict[str, Any]:
    return {"num_shards": len(plan.shards), "shuffle": plan.seed is not None, "seed": plan.seed, **rows.options}


def _program() -> dict[str, str]:
    return {"segdata": __version__}


def _manifest(plan: Plan, rows: Rows[_T], results: Sequence[ShardResult]) -> Manifest:
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
        options=_options(plan, rows),
        images=rows.images,
        value_range=(rows.value_range.low, rows.value_range.high) if rows.value_range else None,
        program=_program(),
        shards=tuple(result.shard for result in results),
    )


def _is_finished(place: Path | Url) -> bool:
    """Return whether there is a complete record set at `place`."""
    if isinstance(place, Path):
        return bool(_old_files(place))
    there = find_published(place, RECORD_SET)
    return bool(there.index) and there.upload is None


def _old_files(target: Path) -> tuple[str, ...]:
    """Return the files of the record set at `target`; an empty tuple if there is no manifest."""
    return read_manifest(target / MANIFEST).files if (target / MANIFEST).is_file() else ()
