"""The `info` command: what a data set contains."""

from __future__ import annotations

from typing import Any

import click

from segdata.console.location import existing_location
from segdata.console.options import field_options, json_option
from segdata.console.render import emit, not_known, table
from segdata.images.values import ValueRange
from segdata.inspect.foreign_info import ForeignInfo
from segdata.inspect.info import SetInfo, SourceInfo, info
from segdata.records.manifest import ClassInfo, Manifest
from segdata.text import megabytes, plural


@click.command("info")
@click.argument("location", metavar="LIST|JSON|SET", callback=existing_location)
@field_options
@json_option
def info_command(as_json: bool, **options: Any) -> None:
    """Show what a data set contains, without reading its samples.

    For a record set: rows, classes, shards and sizes, from its manifest alone. For MindRecord files without a manifest:
    fields, shards and first rows. For a list file or a COCO JSON: counts.

    \b
    Example:
      segdata info records/voc_train
      segdata info others/train.mindrecord0
    """
    emit(info(**options), as_json, _info_text)


def _info_text(found: SetInfo | ForeignInfo | SourceInfo) -> str:
    if isinstance(found, SetInfo):
        return _manifest_text(found.manifest)
    return _foreign_text(found) if isinstance(found, ForeignInfo) else _source_text(found)


def _source_text(found: SourceInfo) -> str:
    if found.kind == "list":
        return f"{found.path}: list file of {plural(found.samples, 'sample')}"
    rows: list[tuple[str, ...]] = [("id", "category", "annotations")]
    rows += [(str(each.id), each.name, str(each.annotations)) for each in found.categories]
    annotations = f"{plural(found.annotations or 0, 'annotation')}, {found.crowds} of them crowds"
    images = f"{plural(found.samples, 'image')}, {found.without_annotations} of them without annotations"
    return f"{found.path}: COCO JSON of {images}\n{annotations}\n\n{table(rows, right=(0, 2))}"


def _foreign_text(found: ForeignInfo) -> str:
    size = sum(shard.bytes + shard.index_bytes for shard in found.shards)
    task = f"{found.task} record set" if found.task else "MindRecord files"
    lines = [
        f"{found.name}: {task} without a manifest, MindRecord {found.version}, schema {found.description!r}",
        f"rows       {found.rows} in {_shards([shard.rows for shard in found.shards])}",
        f"size       {megabytes(size)}",
        *not_known(found.unknown),
    ]
    fields: list[tuple[str, ...]] = [("field", "type", "role")]
    fields += [(field.name, field.type, field.role or "") for field in found.fields]
    first: list[tuple[str, ...]] = [("row", "field", "value")]
    first += [(str(number), name, str(value)) for number, row in enumerate(found.first) for name, value in row.items()]
    return "\n".join([*lines, "", table(fields), "", table(first, right=(0,))])


def _manifest_text(manifest: Manifest) -> str:
    size = sum(shard.bytes + shard.index_bytes for shard in manifest.shards)
    programs = ", ".join(f"{name} {version}" for name, version in manifest.program.items())
    order = f"seed {manifest.options['seed']}" if manifest.options["shuffle"] else "as listed"
    lines = [
        f"{manifest.name}: {manifest.task} record set, {'adopted' if manifest.adopted else 'written'} by {programs}",
        f"rows      {manifest.rows} in {_shards([shard.rows for shard in manifest.shards])}",
        f"size      {megabytes(size)} for {megabytes(manifest.payload_bytes)} of images and labels",
        f"order     {'of the program that wrote it' if manifest.adopted else order}",
    ]
    if manifest.images:
        kinds = ", ".join(f"{count} {dtype}" for dtype, count in manifest.images.samples.items())
        lines.append(f"images    {kinds}; {manifest.images.color} in color")
    if manifest.image_range:
        lines.append(f"range     {_range(manifest.image_range)}")
    total = sum(each.pixels for each in manifest.classes)
    if manifest.ignore_label is not None:
        share = _share(manifest.ignore_pixels, total + manifest.ignore_pixels)
        lines.append(f"ignored   label {manifest.ignore_label}, {share} of all pixels")
    if manifest.task == "instance":
        lines.append("counts    crowds included, which segdata stats counts separately")
    return "\n".join([*lines, "", _class_table(manifest.classes, total)])


def _range(found: ValueRange) -> str:
    return f"{found.low:g} becomes black, {found.high:g} white"


def _shards(rows: list[int]) -> str:
    return f"{plural(len(rows), 'shard')} of {' or '.join(map(str, sorted(set(rows))))}"


def _class_table(classes: tuple[ClassInfo, ...], total: int) -> str:
    """Return the table of classes, with instances and original ids if the set has them.

    Shares are those of `segdata stats`: of the pixels that have a class.
    """
    rows: list[tuple[str, ...]] = [("id", "class", "pixels", "share", "images", "instances", "original id")]
    for each in classes:
        pixels = (str(each.pixels), _share(each.pixels, total), str(each.images))
        rows.append((str(each.id), each.name, *pixels, str(each.instances), str(each.original_id)))
    instance = any(each.instances is not None for each in classes)
    return table(rows if instance else [row[:5] for row in rows], right=(0, 2, 3, 4, 5, 6))


def _share(pixels: int, total: int) -> str:
    return f"{pixels / max(total, 1):.2%}"
