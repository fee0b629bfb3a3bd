"""Adopt a record set that another program wrote: check every row and write the manifest."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from segdata import __version__
from segdata.arguments import FilePath, local_path
from segdata.errors import Fault, FaultsError, InvalidInputError, OptionError, SegDataError, TargetExistsError
from segdata.files.ownership import check_target_file
from segdata.files.paths import FileState, file_digest, file_state
from segdata.files.publishing import write_file
from segdata.images.values import ValueRange
from segdata.labels.binary import BinaryLabels
from segdata.labels.classes import Classes
from segdata.mindrecord.index import index_path
from segdata.mindrecord.reader import ShardReader
from segdata.mindrecord.shards import SetReader
from segdata.parallel import Progress, chosen_workers, map_faults, ordered_map, silent
from segdata.records.adopt_rows import RowInspector
from segdata.records.fields import describe_fields
from segdata.records.foreign import open_shards, shards_name
from segdata.records.manifest import ADOPTED, MANIFEST, ClassInfo, Manifest, Shard
from segdata.records.manifest_file import encode_manifest, read_manifest
from segdata.records.recount import RowTotals
from segdata.records.schema import KEY, ROW_SCHEMAS, SCHEMAS, TaskName
from segdata.text import plural

#: What to do with a set that cannot be adopted as it is.
_CURE = "Take it apart with segdata unpack, and write it again with segdata to-mindrecord"


@dataclass(frozen=True)
class AdoptReport:
    """Report of `adopt`.

    Attributes:
        path: directory of the set.
        manifest: the manifest, written or to be written.
        warnings: what is odd but was adopted.
        written: false after a dry run.
    """

    path: str
    manifest: Manifest
    warnings: tuple[Fault, ...]
    written: bool


def adopt(
    path: FilePath,
    *,
    classes: Classes | None = None,
    value_range: ValueRange | None = None,
    decode: bool = False,
    workers: int | None = None,
    dry_run: bool = False,
    progress: Progress = silent,
) -> AdoptReport:
    """Check MindRecord files without a manifest, and write the manifest that `verify` and segtrain need.

    The rows must have the fields of segdata, which are those of the model zoo's DeepLabV3. Every row is checked as
    `to_mindrecord` does. The MindRecord files are not changed. The manifest says that the set was adopted; its
    fingerprint is that of the rows as they are, not of the files that they were made from.

    Args:
        path: directory of the set, or any of its files.
        classes: classes of the labels; those of VOC by default. An instance set needs them: names of the labels 1 to K.
        value_range: samples of deep images that mean black and white.
        decode: also decode every image.
        workers: number of threads; all CPU cores by default.
        dry_run: check everything, but write nothing.
        progress: reports progress.

    Example:
        >>> adopt(Path("voc_mindrecord"), classes=Classes()).manifest.rows
        1464

    Raises:
        InvalidInputError: when there is no set, it is damaged, or it has other fields.
        OptionError: when the classes of an instance set are not given.
        FaultsError: when rows have faults or a key occurs twice, or the directory has other record files; names them.
        TargetExistsError: when there is a manifest.
        SegDataError: when the files are changed meanwhile.
    """
    path = local_path(path)
    workers = chosen_workers(workers)
    directory = path if path.is_dir() else path.parent
    _check_free(directory)
    reader = open_shards(path)
    before = _state(reader)
    task = _task(path, reader)
    _check_alone(directory, reader)
    if task == "instance" and classes is None:
        raise OptionError(f"{path}: is an instance set; expected the names of its classes. Give --class_names.")
    classes = classes or Classes()
    inspector = RowInspector(reader, task, classes, value_range, decode)
    totals, fingerprint, warnings = _count(path, inspector, workers, progress)
    shards = tuple(ordered_map(_shard, reader.shards, workers=workers))
    manifest = Manifest(
        task=task,
        name=shards_name(reader),
        schema=SCHEMAS[task],
        classes=_class_infos(task, classes, totals),
        ignore_label=classes.ignore_label if task == "semantic" else None,
        ignore_pixels=totals.pixels[classes.ignore_label] if task == "semantic" else 0,
        rows=len(reader),
        payload_bytes=totals.payload,
        inputs=fingerprint,
        options={"num_shards": len(shards), "shuffle": False, "seed": None, ADOPTED: True},
        images=totals.kinds.summary(),
        value_range=(value_range.low, value_range.high) if value_range else None,
        program={"segdata": __version__},
        shards=shards,
    )
    if _state(reader) != before:
        raise SegDataError(f"{path}: was changed while it was checked. Wait until the other program has finished.")
    text = encode_manifest(manifest)
    if not dry_run:
        write_file(directory / MANIFEST, text, overwrite=False)
        manifest = read_manifest(directory / MANIFEST)
    return AdoptReport(str(directory), manifest, tuple(warnings), not dry_run)


def _check_free(directory: Path) -> None:
    target = directory / MANIFEST
    if target.exists():
        raise TargetExistsError(
            f"{target}: already exists, so the set has a manifest. Check it with segdata verify; to adopt the set "
            "again, with other classes, remove this file first.",
            replaceable=False,
        )
    check_target_file(target, overwrite=False)


def _task(path: Path, reader: SetReader) -> TaskName:
    """Return the task whose rows have exactly the fields of the set."""
    for task, schema in ROW_SCHEMAS.items():
        if schema.fields == reader.schema.fields:
            return task
    expected = ", ".join(f"{name} ({form['type']})" for name, form in SCHEMAS["semantic"].items())
    raise InvalidInputError(
        f"{path}: its fields are {describe_fields(reader.schema)}; expected {expected}, or those of instances. If it "
        f"has images and labels in other fields, {_CURE[0].lower()}{_CURE[1:]}."
    )


def _check_alone(directory: Path, reader: SetReader) -> None:
    """Refuse a directory with record files of other sets, which `verify` would report."""
    ours = {name for shard in reader.shards for name in (shard.path.name, index_path(shard.path).name)}
    if others := sorted(path.name for path in directory.glob("*.mindrecord*") if path.name not in ours):
        raise FaultsError(
            f"{directory}: contains record files of other sets; expected one set in its own directory. Move its files "
            "together, without renaming them",
            others,
        )


def _count(path: Path, inspector: RowInspector, workers: int, progress: Progress) -> tuple[RowTotals, str, list[Fault]]:
    """Check all rows; return their totals, the fingerprint and the warnings."""
    totals, inputs = RowTotals(), hashlib.sha256()
    faults: list[Fault] = []
    warnings: list[Fault] = []
    binary = BinaryLabels(inspector.classes)
    for row, odd in map_faults(
        inspector,
        range(len(inspector.reader)),
        faults,
        name="row {}".format,
        total=len(inspector.reader),
        label="rows",
        progress=progress,
        workers=workers,
    ):
        inputs.update(row.fingerprint)
        totals.add(row)
        warnings += odd
        if inspector.task == "semantic":
            binary.add(row.key, row.pixels)
    key = KEY[inspector.task]
    faults += [
        Fault("duplicate_image", f"{key} {name}", f"is in {count} rows; expected a different one in each")
        for name, count in totals.keys.items()
        if count > 1
    ]
    if inspector.task == "semantic":
        faults += inspector.classes.check_all(totals.pixels.keys())
    if faults:
        found = plural(len(faults), "fault")
        raise FaultsError(f"{path}: {found}; nothing was written. {_CURE} without them", faults)
    return totals, inputs.hexdigest(), [*warnings, *binary.faults()]


def _class_infos(task: TaskName, classes: Classes, totals: RowTotals) -> tuple[ClassInfo, ...]:
    semantic = task == "semantic"
    ignored = classes.ignore_label if semantic else None
    return tuple(
        ClassInfo(
            id=id_,
            name=name,
            original_id=id_,
            # Ignored pixels have no class, also if the ignore label is among the class ids.
            pixels=0 if id_ == ignored else totals.pixels[id_],
            images=0 if id_ == ignored else totals.images[id_],
            instances=None if semantic else totals.instances[id_],
        )
        for id_, name in enumerate(classes.names, start=0 if semantic else 1)
    )


def _shard(shard: ShardReader) -> Shard:
    index = index_path(shard.path)
    return Shard(
        file=shard.path.name,
        rows=len(shard),
        bytes=shard.path.stat().st_size,
        sha256=file_digest(shard.path),
        index_bytes=index.stat().st_size,
        index_sha256=file_digest(index),
    )


def _state(reader: SetReader) -> Sequence[FileState]:
    return [file_state(path) for shard in reader.shards for path in (shard.path, index_path(shard.path))]
