"""Commands for existing record sets: take them apart, and adopt those of other programs."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import click

from segdata.cli.records import unused_classes, warning_lines
from segdata.console.location import LocalPath, existing_location, location_option, work_dir_option
from segdata.console.options import (
    EXISTING_FILE,
    class_options,
    dry_run_option,
    field_options,
    json_option,
    overwrite_option,
    read_classes,
    value_range_option,
    workers_option,
)
from segdata.console.render import emit, progress_bar
from segdata.errors import name_first
from segdata.images.values import Percentiles, ValueRange
from segdata.labels.classes import read_class_names
from segdata.labels.colormap import IGNORE
from segdata.records.adopt import AdoptReport, adopt
from segdata.records.plan import NUM_SHARDS
from segdata.records.unpack import UnpackReport, unpack
from segdata.text import plural


@click.command("unpack")
@click.argument("location", metavar="SET", callback=existing_location)
@location_option("--dst_path", required=True, help="Directory to write")
@field_options
@click.option(
    "--class_names", "names_file", type=EXISTING_FILE, help="For a set without a manifest: class names in id order"
)
@click.option(
    "--ignore_label",
    type=click.IntRange(0, 255),
    help="For a set without a manifest: label of pixels without a class [default: 255]",
)
@workers_option
@work_dir_option
@overwrite_option
@dry_run_option
@json_option
def unpack_command(names_file: Path | None, ignore_label: int | None, as_json: bool, **options: Any) -> None:
    """Take a record set apart: back to images, index PNGs and a list file, or to images and a COCO JSON.

    Images and labels are the bytes of the rows, under the names of the rows; labels are in the folder labels, masks of
    instances are RLE. The report names the command that writes the same rows again.

    MindRecord files of other programs are taken apart too. The fields of the model zoo are known: data and label of
    DeepLabV3, and image, annotation, mask and mask_shape of Mask R-CNN. Images without a name are numbered by row. Of
    several rows with one name, the later ones get a number.

    \b
    Example:
      segdata unpack records/voc_train --dst_path voc_train
      segdata unpack others/train.mindrecord0 --image_field picture --label_field mask --dst_path others_train
    """
    names = read_class_names(names_file, IGNORE if ignore_label is None else ignore_label) if names_file else None
    report = unpack(class_names=names, ignore_label=ignore_label, progress=progress_bar, **options)
    emit(report, as_json, _unpack_text)


def _unpack_text(report: UnpackReport) -> str:
    verb = "written to" if report.written else "would be written to"
    what = "images and labels" if report.task == "semantic" else "images"
    instances = "" if report.instances is None else f", {plural(report.instances, 'instance')}"
    listing = report.file.removeprefix(f"{report.path}/")
    lines = [f"{what} of {plural(report.rows, 'row')}{instances} {verb} {report.path}, listed in {listing}"]
    if report.renamed:
        renamed = plural(len(report.renamed), "image")
        lines += [f"{renamed} renamed, because another row has the same name:", name_first(report.renamed)]
    if report.odd:
        lines += [f"{plural(len(report.odd), 'label')} that to-mindrecord refuses:", name_first(report.odd)]
    return "\n".join([*lines, f"to write them again: {_command(report)}"])


def _command(report: UnpackReport) -> str:
    """Return the command that reads the files as the set does."""
    options = {
        "class_names": report.class_names_file,
        "ignore_label": report.ignore_label,
        "value_range": report.value_range,
        "num_shards": report.rows if report.rows < NUM_SHARDS else None,
    }
    given = [part for name, value in options.items() if value is not None for part in (f"--{name}", str(value))]
    return shlex.join(["segdata", "to-mindrecord", report.file, *given, "--no-shuffle", "--dst_path", "SET"])


@click.command("adopt")
@click.argument("path", metavar="SET", type=LocalPath(exists=True))
@class_options
@value_range_option
@click.option("--decode", is_flag=True, help="Decode every image, to find truncated ones")
@workers_option
@dry_run_option
@json_option
def adopt_command(
    num_classes: int | None,
    class_names: Path | None,
    ignore_label: int | None,
    value_range: ValueRange | Percentiles | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Check MindRecord files of another program, and write the manifest that verify and segtrain need.

    The rows must have the fields of segdata: file_name, data and label, as the model zoo's DeepLabV3 has them, or those
    of instances. Every row is checked as to-mindrecord checks its files. The MindRecord files are not changed. Sets
    with other fields, or with two rows of one name, are refused: unpack takes them apart, and to-mindrecord writes them
    again.

    \b
    Example:
      segdata adopt others/voc_mindrecord --class_names classes.txt
      segdata verify others/voc_mindrecord
    """
    if isinstance(value_range, Percentiles):
        raise click.UsageError("--value_range: percentiles are found in files only; expected LOW:HIGH")
    classes = read_classes(num_classes, class_names, ignore_label)
    report = adopt(classes=classes, value_range=value_range, progress=progress_bar, **options)
    emit(report, as_json, _adopt_text)


def _adopt_text(report: AdoptReport) -> str:
    manifest = report.manifest
    verb = "adopted: its manifest is written" if report.written else "can be adopted"
    shards = plural(len(manifest.shards), "shard")
    lines = [f"{report.path}: {plural(manifest.rows, 'row')} in {shards}, {verb}"]
    lines += unused_classes(manifest)
    return "\n".join([*lines, *warning_lines(report.warnings)])
