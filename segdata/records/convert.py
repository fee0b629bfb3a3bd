"""A list file to a record set: plan, check, write, publish."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Literal

import numpy as np

from segdata.errors import FaultsError, InvalidInputError
from segdata.files import check_target_directory, staged_directory
from segdata.lists import Pair, read_list
from segdata.parallel import Progress, default_workers, silent
from segdata.records import layout
from segdata.records.manifest import MANIFEST, ClassInfo, Manifest, read_manifest, write_manifest
from segdata.records.schema import SEMANTIC
from segdata.records.semantic import Audit, Classes, audit, read_row
from segdata.records.writer import ShardJob, ShardResult, shard_names, write_shards

OnError = Literal["fail", "skip"]

#: Limits and forbidden characters of MindRecord's `FileWriter`.
MAX_SHARDS = 1000
_FORBIDDEN = set("\\/:*?\"<>|`&';")


@dataclass(frozen=True)
class Plan:
    """What would be written: the rows in set order, and how they are cut into shards."""

    target: Path
    name: str
    classes: Classes
    seed: int | None
    shards: tuple[tuple[Pair, ...], ...]
    layout: layout.Layout
    audit: Audit

    @property
    def rows(self) -> int:
        """How many rows the set has."""
        return sum(len(shard) for shard in self.shards)


@dataclass(frozen=True)
class ConvertReport:
    """What `to_mindrecord` did or, on a dry run, would do. Bytes on disk are apparent sizes."""

    target: str
    written: bool
    samples: int
    rows: int
    shard_rows: tuple[int, ...]
    payload_bytes: int
    bytes_on_disk: int
    classes: tuple[ClassInfo, ...]
    ignore_label: int
    ignore_pixels: int
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
        workers: threads; all processors by default.
        overwrite: replace a record set that lies at `dst_path`.
        dry_run: check everything, write nothing.
        progress: shows how far it is.

    Raises:
        FaultsError: naming every pair that cannot be a row.
        InvalidInputError: when there are fewer rows than shards, or a name that MindRecord does not take.
        TargetExistsError: when `dst_path` is taken.
    """
    ours = _old_files(dst_path)
    check_target_directory(dst_path, overwrite=overwrite, ours=ours)
    workers = workers or default_workers()
    classes = classes or Classes()
    found = audit(read_list(data_lst), data_root, classes, decode=decode, workers=workers, progress=progress)
    if found.faults and on_error == "fail":
        raise FaultsError(f"{len(found.faults)} faults in {data_lst}; nothing was written", found.faults)
    plan = make_plan(found, dst_path, classes, num_shards=num_shards, seed=seed if shuffle else None)
    results: list[ShardResult] = []
    if not dry_run:
        with staged_directory(dst_path, overwrite=overwrite, ours=ours) as staging:
            results = write_shards(_jobs(plan, data_root, staging), workers=workers, progress=progress)
            write_manifest(staging, _manifest(plan, results))
    return _report(plan, results)


def make_plan(found: Audit, target: Path, classes: Classes, *, num_shards: int, seed: int | None) -> Plan:
    """Decide the rows' order and shards; `seed` None keeps the order of the list. Writes nothing."""
    name = _set_name(target)
    rows = len(found.good)
    if not 1 <= num_shards <= MAX_SHARDS:
        raise InvalidInputError(f"{num_shards} shards; MindRecord takes 1 to {MAX_SHARDS}")
    if rows < num_shards:
        raise InvalidInputError(f"{rows} rows are fewer than {num_shards} shards; ask for {max(rows, 1)} or fewer")
    order = np.arange(rows) if seed is None else _seeded_order(found.good, seed)
    parts = list(np.array_split(order, num_shards))
    overhead = layout.ROW_OVERHEAD + layout.FIELD_OVERHEAD * 2
    return Plan(
        target=target,
        name=name,
        classes=classes,
        seed=seed,
        shards=tuple(tuple(found.good[index] for index in part) for part in parts),
        layout=layout.fit([found.sizes[part] + overhead for part in parts], name_bytes=len(name.encode()) + 16),
        audit=found,
    )


def _set_name(target: Path) -> str:
    name = target.resolve().name.removesuffix(".mindrecord")
    if not name or _FORBIDDEN & set(name) or name != name.strip():
        raise InvalidInputError(
            f"{target}: MindRecord takes no file name {name!r}; avoid {' '.join(sorted(_FORBIDDEN))}"
        )
    return name


def _seeded_order(pairs: Sequence[Pair], seed: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Order rows by the digest of seed and path: the same on every platform, whatever the order of the list."""
    keys = [hashlib.sha256(f"{seed}\0{pair.image}\0{pair.label}".encode()).digest() for pair in pairs]
    return np.array(sorted(range(len(keys)), key=keys.__getitem__), np.int64)


def _jobs(plan: Plan, data_root: Path, directory: Path) -> list[ShardJob[Pair]]:
    names = shard_names(plan.name, len(plan.shards))
    read = partial(read_row, data_root)
    return [
        ShardJob(directory, names, index, plan.layout, SEMANTIC, rows, read) for index, rows in enumerate(plan.shards)
    ]


def _manifest(plan: Plan, results: Sequence[ShardResult]) -> Manifest:
    inputs = hashlib.sha256()
    for result in results:
        inputs.update(result.digests)
    return Manifest(
        task="semantic",
        name=plan.name,
        schema=SEMANTIC,
        classes=_class_infos(plan),
        ignore_label=plan.classes.ignore_label,
        ignore_pixels=int(plan.audit.pixels[plan.classes.ignore_label]),
        rows=plan.rows,
        payload_bytes=sum(result.payload_bytes for result in results),
        inputs=inputs.hexdigest(),
        options={"num_shards": len(plan.shards), "shuffle": plan.seed is not None, "seed": plan.seed},
        program={name: metadata.version(name) for name in ("segdata", "mindspore")},
        shards=tuple(result.shard for result in results),
    )


def _class_infos(plan: Plan) -> tuple[ClassInfo, ...]:
    return tuple(
        ClassInfo(
            id=id_, name=name, original_id=id_, pixels=int(plan.audit.pixels[id_]), images=int(plan.audit.images[id_])
        )
        for id_, name in enumerate(plan.classes.names)
    )


def _report(plan: Plan, results: Sequence[ShardResult]) -> ConvertReport:
    return ConvertReport(
        target=str(plan.target),
        written=bool(results),
        samples=plan.audit.samples,
        rows=plan.rows,
        shard_rows=tuple(len(rows) for rows in plan.shards),
        payload_bytes=int(plan.audit.sizes.sum()),
        bytes_on_disk=sum(result.shard.bytes + result.shard.index_bytes for result in results),
        classes=_class_infos(plan),
        ignore_label=plan.classes.ignore_label,
        ignore_pixels=int(plan.audit.pixels[plan.classes.ignore_label]),
        faults=plan.audit.faults,
        rotated=plan.audit.rotated,
    )


def _old_files(target: Path) -> tuple[str, ...]:
    """Return the files of the record set that lies at `target`; none where there is no manifest to say so."""
    return read_manifest(target / MANIFEST).files if (target / MANIFEST).is_file() else ()
