"""Resume interrupted conversions, and recognize finished ones.

An interrupted conversion leaves one folder in the staging directory, named after its plan. The folder contains the plan
and a subfolder for each finished shard. A run can resume only if it computes the same plan.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt

from segdata.cluster import Workers
from segdata.errors import SegDataError, TargetExistsError
from segdata.files.publishing import empty, staging_directory
from segdata.parallel import Progress, kind_for, progress_map
from segdata.records.fetch import find_set
from segdata.records.manifest import Manifest
from segdata.records.plan import Plan
from segdata.records.rows import Rows, read_checked
from segdata.records.schema import Row, TaskName, fingerprint_of
from segdata.records.verify import verify
from segdata.store.transfer import object_size
from segdata.store.url import Url

_T = TypeVar("_T")

_PREFIX = "plan-"
_PLAN, _MARKS = "plan.json", "change_marks.npy"
SHARD_PREFIX = "shard-"


class PlanChangedError(SegDataError):
    """The interrupted run had a different plan than this run."""


@dataclass(frozen=True)
class _Saved:
    """Saved plan: everything that determines the bytes of the set, except the content of the rows."""

    program: dict[str, str]
    task: str
    options: dict[str, Any]
    classes: list[tuple[int, str, int]]
    ignore_label: int | None
    rows: int
    layout: tuple[int, int]
    change_marks: str


def open_work(
    staging: Path, plan: Plan, rows: Rows[_T], *, options: dict[str, Any], program: dict[str, str], resume: bool
) -> Path:
    """Return the folder of `staging` for the shards of this plan.

    With `resume`, the folder may already contain the shards that an interrupted run finished; otherwise everything in
    `staging` is removed.

    Raises:
        PlanChangedError: when inputs, options or versions differ from the interrupted run; names the first difference.
    """
    saved = _Saved(
        program=program,
        task=rows.task,
        options=options,
        classes=[(info.id, info.name, info.original_id) for info in rows.classes],
        ignore_label=rows.ignore_label,
        rows=len(rows.items),
        layout=(plan.form.page_size, plan.form.header_size),
        change_marks=hashlib.sha256(rows.change_marks.tobytes()).hexdigest(),
    )
    text = msgspec.json.encode(saved)
    work = staging / f"{_PREFIX}{hashlib.sha256(text).hexdigest()[:16]}"
    if resume:
        for left in sorted(staging.glob(f"{_PREFIX}*/{_PLAN}")):
            if left.parent != work:
                raise PlanChangedError(_difference(left, saved, rows.change_marks, rows.keys))
    if not (resume and (work / _PLAN).is_file()):
        empty(staging)
        work.mkdir()
        np.save(work / _MARKS, rows.change_marks)
        # Write this file last: a run can resume only from a folder that has it.
        (work / _PLAN).write_bytes(text)
    return work


def _difference(left: Path, now: _Saved, change_marks: npt.NDArray[np.uint64], keys: Sequence[str]) -> str:
    start = f"{left.parent.parent}: cannot resume the interrupted run"
    try:
        then = msgspec.json.decode(left.read_bytes(), type=_Saved)
        old = np.load(left.parent / _MARKS, allow_pickle=False)
    except (msgspec.DecodeError, OSError, ValueError) as error:
        return f"{start}: its saved plan is damaged ({error})"
    for name, value in msgspec.to_builtins(now).items():
        before = msgspec.to_builtins(getattr(then, name))
        if name == "change_marks":
            break
        if before != value:
            name, before, value = _differing(name, before, value)
            return f"{start}: {name} was {before!r} and is now {value!r}"
    changed = int(np.argmax(old != change_marks)) if len(old) == len(change_marks) else 0
    return f"{start}: sample {changed + 1}, {keys[changed]}, was modified or replaced"


def _differing(name: str, before: Any, value: Any) -> tuple[str, Any, Any]:
    """Return a setting that differs; of an object, the first member that does."""
    if isinstance(before, dict) and isinstance(value, dict):
        name = next(key for key in before | value if before.get(key) != value.get(key))
        return name, before.get(name), value.get(name)
    return name, before, value


def finished_set(
    place: Path | Url, plan: Plan, rows: Rows[_T], options: dict[str, Any], *, workers: Workers, progress: Progress
) -> Manifest:
    """Return the manifest of the set that an earlier run of the same conversion finished at `place`.

    Options and counts are compared, the names and sizes of the files at `place`, and then the fingerprint of all rows:
    samples are read once more, since another image can have the same size. The set itself is not read.

    Raises:
        InvalidInputError: when samples change meanwhile.
        TargetExistsError: when the set there is another one, or files are missing or have another size.
    """
    _, found = find_set(place)
    wanted = {
        "task": rows.task,
        "options": options,
        "classes": rows.classes,
        "ignore_label": rows.ignore_label,
        "ignore_pixels": rows.ignore_pixels,
        "rows": len(rows.items),
        "payload_bytes": rows.payload_bytes,
        "images": rows.images,
        "value_range": (rows.value_range.low, rows.value_range.high) if rows.value_range else None,
        "name": plan.name,
    }
    for name, value in msgspec.to_builtins(wanted).items():
        if (before := msgspec.to_builtins(getattr(found, name))) != value:
            name, before, value = _differing(name, before, value)
            raise TargetExistsError(
                f"{place}: already exists with other contents: {name} is {before!r} there, {value!r} here",
                replaceable=True,
            )
    if damage := _damage(place, found):
        raise TargetExistsError(f"{place}: already exists, and is damaged: {damage}", replaceable=True)
    if _inputs(plan, rows, workers, progress) != found.inputs:
        raise TargetExistsError(
            f"{place}: already exists with other contents: images, annotations or their names have changed since",
            replaceable=True,
        )
    return found


def _inputs(plan: Plan, rows: Rows[_T], workers: Workers, progress: Progress) -> str:
    """Return the fingerprint of all rows, as the manifest has it."""
    order = list(chain.from_iterable(plan.shards))
    marks = rows.change_marks.tolist()
    inputs = hashlib.sha256()
    for fingerprint in progress_map(
        partial(_fingerprint, rows.task, partial(read_checked, rows.read)),
        ((rows.items[number], marks[number]) for number in order),
        total=len(order),
        label="compare",
        progress=progress,
        workers=workers,
        kind=kind_for(len(order)),
        chunk=32,
    ):
        inputs.update(fingerprint)
    return inputs.hexdigest()


def _fingerprint(task: TaskName, read: Callable[[_T], Row], item: _T) -> bytes:
    return fingerprint_of(task, read(item))


def _damage(place: Path | Url, manifest: Manifest) -> str | None:
    """Return the first problem of the files at `place`; in a store, only names and sizes are compared."""
    if isinstance(place, Path):
        return next(iter(verify(place, quick=True).problems), None)
    for name, size, _ in chain.from_iterable(shard.files for shard in manifest.shards):
        if (found := object_size(place / name)) != size:
            return f"{name}: " + ("does not exist" if found is None else f"has {found} bytes; the manifest says {size}")
    return None


def finished_shards(target: Path) -> int:
    """Return the number of finished shards that an interrupted conversion to `target` left."""
    return len(list(staging_directory(target).glob(f"{_PREFIX}*/{SHARD_PREFIX}*")))
