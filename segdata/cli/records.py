"""Commands that write and look at record sets."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import click

from segdata.console.location import location_option, read_location, work_dir_option
from segdata.console.options import (
    CLASS_OPTIONS,
    EXISTING_DIR,
    EXISTING_FILE,
    class_options,
    cluster_options,
    dry_run_option,
    json_option,
    overwrite_option,
    read_classes,
)
from segdata.console.render import FAILED, emit, progress_bar, table
from segdata.errors import name_first
from segdata.labels.classes import Classes
from segdata.records import convert, fetch, publish
from segdata.records.instance import CocoSource
from segdata.records.manifest import ClassInfo, Manifest
from segdata.records.plan import MAX_SHARDS
from segdata.records.semantic import ListSource
from segdata.records.verify import VerifyReport
from segdata.store.url import Location


@click.command("to-mindrecord")
@click.option("--data_root", type=EXISTING_DIR, help="What the list's paths are relative to")
@click.option("--data_lst", type=EXISTING_FILE, help="List file: image path and label path a line")
@click.option("--annotations", type=EXISTING_FILE, help="Instead of a list: COCO instances as JSON")
@click.option("--images", type=EXISTING_DIR, help="and the folder that its file names are relative to")
@location_option("--dst_path", required=True, help="Directory to write the record set to")
@click.option("--num_shards", type=click.IntRange(1, MAX_SHARDS), default=8, show_default=True, help="Shards")
@click.option("--shuffle/--no-shuffle", default=True, show_default=True, help="Order rows by the seed, or as listed")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the order")
@class_options
@click.option("--keep-empty", is_flag=True, help="With --annotations: write images without instances too")
@click.option(
    "--on-error",
    type=click.Choice(get_args(convert.OnError)),
    default="fail",
    show_default=True,
    help="What a bad sample does: fail, or be left out and counted",
)
@click.option("--decode", is_flag=True, help="Decode every image too, to find truncated ones")
@click.option("--resume", is_flag=True, help="Keep the shards that an interrupted run of this command has finished")
@cluster_options
@work_dir_option
@overwrite_option
@dry_run_option
@json_option
def to_mindrecord_command(dst_path: Location, as_json: bool, **options: Any) -> None:
    """Write the samples of a list file, or of a COCO JSON, as MindRecord shards with a manifest.

    Every sample is checked first: files readable, image and label equal in size, the label an 8-bit index mask with
    known values; for COCO, sizes as the JSON says, every mask and box with an area. The result is the same byte for
    byte whatever --workers is, and opening any one shard gives all rows.

    \b
    Example:
      segdata to-mindrecord --data_root data --data_lst data/voc_train_lst.txt \\
          --dst_path records/voc_train --num_shards 8
      segdata to-mindrecord --annotations subset/annotations/instances.json \\
          --images subset/images --dst_path records/books
    """
    source = _source(**{name: options.pop(name) for name in _SOURCE})
    report = publish.write_location(source, dst_path, progress=progress_bar, **options)
    emit(report, as_json, _convert_text)


#: The options that say what is converted.
_SOURCE = (
    *("data_root", "data_lst", *CLASS_OPTIONS),
    *("annotations", "images", "keep_empty"),
)


def _source(
    data_root: Path | None,
    data_lst: Path | None,
    num_classes: int | None,
    class_names: Path | None,
    ignore_label: int | None,
    annotations: Path | None,
    images: Path | None,
    keep_empty: bool,
) -> convert.Source[Any]:
    """Choose the source; options of the other one must not be given."""
    if annotations and images and not any((data_root, data_lst, num_classes, class_names, ignore_label is not None)):
        return CocoSource(annotations, images, keep_empty)
    if data_root and data_lst and not any((annotations, images, keep_empty)):
        classes = read_classes(num_classes, class_names, ignore_label)
        return ListSource(data_root, data_lst, classes or Classes())
    raise click.UsageError(
        "give --data_root and --data_lst (with --num_classes, --class_names, --ignore_label), or --annotations and "
        "--images (with --keep-empty; classes come from the JSON)"
    )


def _convert_text(report: convert.ConvertReport) -> str:
    shards = len(report.shard_rows)
    lines = [f"{report.rows} rows in {shards} shards would be written to {report.target}"]
    if report.written:
        lines = [
            f"{report.rows} rows in {shards} shards written to {report.target}: {_megabytes(report.bytes_on_disk)} "
            f"for {_megabytes(report.payload_bytes)} of images and labels"
        ]
    if report.shards_kept:
        lines.append(f"{report.shards_kept} of the shards were finished by an interrupted run and kept")
    unused = [info.name for info in report.classes if not info.pixels]
    if unused:
        lines.append(f"no pixel of {len(unused)} of {len(report.classes)} classes: {', '.join(unused)}")
    if report.empty:
        lines.append(f"{report.empty} images without instances left out")
    if report.rotated:
        lines.append(f"{len(report.rotated)} images are stored turned; rows keep them as stored:")
        lines.append(name_first(report.rotated))
    if report.faults:
        lines.append(f"{report.rows} of {report.samples} samples written; left out:")
        lines.append(name_first(report.faults))
    return "\n".join(lines)


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"


@click.command("verify")
@click.argument("record_set", metavar="SET", callback=read_location)
@click.option("--quick", is_flag=True, help="Names, sizes and headers only; no digest, no row is read")
@work_dir_option
@json_option
@click.pass_context
def verify_command(
    context: click.Context, record_set: Location, quick: bool, work_dir: Path | None, as_json: bool
) -> None:
    """Check that a record set is what was written; exit 1 with the reason otherwise.

    SET is its directory, its manifest or any one shard, as a path or a URL. Checked are names, sizes, rows and SHA-256
    of every file, and that MindSpore, opening any single shard, yields every row exactly once.

    \b
    Example:
      segdata verify records/voc_train
    """
    report = fetch.verify_location(record_set, quick=quick, work_dir=work_dir, progress=progress_bar)
    emit(report, as_json, _verify_text)
    context.exit(0 if report.ok else FAILED)


def _verify_text(report: VerifyReport) -> str:
    if report.ok:
        depth = "names, sizes and headers" if report.quick else "files, digests and rows"
        return f"{report.directory}: {report.rows} rows in {report.shards} shards, whole ({depth} checked)"
    return f"{report.directory}: {len(report.problems)} problems\n{name_first(report.problems)}"


@click.command("info")
@click.argument("record_set", metavar="SET", callback=read_location)
@json_option
def info_command(record_set: Location, as_json: bool) -> None:
    """Say what is in a record set: rows, classes, shards and sizes, from its manifest alone.

    \b
    Example:
      segdata info records/voc_train
    """
    emit(fetch.open_manifest(record_set), as_json, _info_text)


def _info_text(manifest: Manifest) -> str:
    size = sum(shard.bytes + shard.index_bytes for shard in manifest.shards)
    rows = sorted({shard.rows for shard in manifest.shards})
    written_by = ", ".join(f"{name} {version}" for name, version in manifest.program.items())
    lines = [
        f"{manifest.name}: {manifest.task} record set, written by {written_by}",
        f"rows      {manifest.rows} in {len(manifest.shards)} shards of {' or '.join(map(str, rows))}",
        f"size      {_megabytes(size)} for {_megabytes(manifest.payload_bytes)} of images and labels",
        f"order     {'seed ' + str(manifest.options['seed']) if manifest.options['shuffle'] else 'as listed'}",
    ]
    total = sum(info.pixels for info in manifest.classes) + manifest.ignore_pixels
    if manifest.ignore_label is not None:
        share = _share(manifest.ignore_pixels, total)
        lines.append(f"ignored   label {manifest.ignore_label}, {share} of the pixels")
    return "\n".join([*lines, "", _class_table(manifest.classes, total)])


def _class_table(classes: tuple[ClassInfo, ...], total: int) -> str:
    """List the classes; instances and original ids where the set has them."""
    rows: list[tuple[str, ...]] = [("id", "class", "pixels", "share", "images", "instances", "original id")]
    for info in classes:
        pixels = (str(info.pixels), _share(info.pixels, total), str(info.images))
        rows.append((str(info.id), info.name, *pixels, str(info.instances), str(info.original_id)))
    instance = any(info.instances is not None for info in classes)
    return table(rows if instance else [row[:5] for row in rows], right=(0, 2, 3, 4, 5, 6))


def _share(pixels: int, total: int) -> str:
    return f"{pixels / max(total, 1):.2%}"
