"""Commands that write and verify record sets."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, get_args

import click

from segdata.coco.annotations import Boxes
from segdata.console.location import existing_location, location_option, work_dir_option
from segdata.console.options import (
    CLASS_OPTIONS,
    EXISTING_DIR,
    EXISTING_FILE,
    class_options,
    cluster_options,
    crowd_option,
    dry_run_option,
    images_option,
    json_option,
    on_error_option,
    overwrite_option,
    read_classes,
    strip_prefix_option,
    value_range_option,
)
from segdata.console.render import FAILED, emit, not_known, progress_bar
from segdata.dataset import CocoDataset, ListDataset
from segdata.errors import Code, Fault, name_first
from segdata.mindrecord.header import SHARDS_MAX
from segdata.opening import open_dataset
from segdata.recorded import ForeignDataset, RecordDataset
from segdata.records.convert import to_mindrecord
from segdata.records.convert_report import ConvertReport
from segdata.records.manifest import Manifest
from segdata.records.plan import NUM_SHARDS
from segdata.records.verify import VerifyReport, verify
from segdata.store.url import Location
from segdata.text import megabytes, plural


@click.command("to-mindrecord")
@click.argument("path", metavar="[LIST|JSON]", type=EXISTING_FILE, required=False)
@click.option("--data_lst", type=EXISTING_FILE, help="Same as LIST, under its published name")
@click.option("--annotations", type=EXISTING_FILE, help="Same as JSON, under its published name")
@click.option(
    "--data_root",
    type=EXISTING_DIR,
    help="For a list: folder that its paths are relative to [default: the list's folder]",
)
@images_option
@strip_prefix_option
@crowd_option
@location_option("--dst_path", required=True, help="Directory to write the record set to")
@click.option(
    "--num_shards", type=click.IntRange(1, SHARDS_MAX), default=NUM_SHARDS, show_default=True, help="Number of shards"
)
@click.option(
    "--shuffle/--no-shuffle", default=True, show_default=True, help="Shuffle rows with --seed, or keep their order"
)
@click.option("--seed", type=int, default=0, show_default=True, help="Seed for --shuffle")
@class_options
@value_range_option
@click.option("--drop-empty", is_flag=True, help="For a JSON: leave out images without instances")
@click.option(
    "--boxes",
    type=click.Choice(get_args(Boxes)),
    default="json",
    show_default=True,
    help="For a JSON: take its boxes, or make all boxes from the masks",
)
@on_error_option
@click.option("--decode", is_flag=True, help="Decode every image, to find truncated ones")
@click.option("--resume", is_flag=True, help="Keep the shards, or the set, that an earlier run finished")
@cluster_options
@work_dir_option
@overwrite_option
@dry_run_option
@json_option
def to_mindrecord_command(dst_path: Location, as_json: bool, **options: Any) -> None:
    """Write the samples of a list file or a COCO JSON as MindRecord shards with a manifest.

    Every sample is checked first. Its files must be readable, image and label must have the same size, and the label
    must be an 8-bit index mask with known values. For COCO, image sizes must match the JSON, and every mask and box
    must have an area; boxes that contradict their masks are reported. The result is byte-for-byte the same for any
    --workers, and opening any one shard gives all rows.

    \b
    Example:
      segdata to-mindrecord data/voc_train_lst.txt --dst_path records/voc_train --num_shards 8
      segdata to-mindrecord subset/annotations/instances.json --dst_path records/books
    """
    dataset = _open(**{name: options.pop(name) for name in _DATASET}, workers=options["workers"])
    report = to_mindrecord(dataset, dst_path, progress=progress_bar, **options)
    emit(report, as_json, partial(_convert_text, unknown=dataset.unknown))


#: The options that name the data set and say how to open it.
_DATASET = (
    *("path", "data_lst", "annotations", "data_root", "images", "strip_prefix", "crowd", "value_range"),
    *CLASS_OPTIONS,
)


def _open(
    path: Path | None,
    data_lst: Path | None,
    annotations: Path | None,
    num_classes: int | None,
    class_names: Path | None,
    ignore_label: int | None,
    **places: Any,
) -> ListDataset | CocoDataset | RecordDataset | ForeignDataset:
    """Open the one data set that is named, in any of the three ways."""
    named = [name for name in (path, data_lst, annotations) if name]
    if len(named) != 1:
        found = "no data set given" if not named else "several data sets given"
        raise click.UsageError(f"{found}; expected LIST or JSON, or one of --data_lst and --annotations")
    classes = read_classes(num_classes, class_names, ignore_label)
    # Lines and objects that are not samples become faults of the data set, named together with all others.
    return open_dataset(named[0], classes=classes, faults=[], progress=progress_bar, **places)


def _convert_text(report: ConvertReport, unknown: Sequence[str]) -> str:
    shards = len(report.shard_rows)
    rows = f"{plural(report.rows, 'row')} in {plural(shards, 'shard')}"
    lines = [f"{rows} would be written to {report.path}"]
    if report.finished:
        lines = [f"{rows} in {report.path} already: an earlier run finished this conversion; nothing was written"]
    elif report.written:
        lines = [
            f"{rows} written to {report.path}: {megabytes(report.bytes_on_disk)} "
            f"for {megabytes(report.payload_bytes)} of images and labels"
        ]
    if report.shards_kept:
        lines.append(f"kept {plural(report.shards_kept, 'shard')} of an interrupted run")
    lines += unused_classes(report)
    if report.empty:
        lines.append(f"{plural(report.empty, 'image')} without instances left out")
    if report.value_range:
        black, white = str(report.value_range).split(":")
        lines.append(f"value range {report.value_range}: {black} becomes black, {white} white")
    lines += not_known(unknown)
    lines += warning_lines(report.warnings)
    if report.faults:
        lines.append(f"{report.rows} of {plural(report.samples, 'sample')} written; left out:")
        lines.append(name_first(report.faults))
    return "\n".join(lines)


def unused_classes(counted: ConvertReport | Manifest) -> list[str]:
    """Return the line about classes without pixels, if there are any.

    With ``--ignore_label 0``, the ignored pixels are those of a class.
    """
    pixels = {each.name: each.pixels for each in counted.classes}
    pixels |= {each.name: counted.ignore_pixels for each in counted.classes if each.id == counted.ignore_label}
    unused = [name for name, count in pixels.items() if not count]
    return [f"classes without pixels ({len(unused)} of {len(pixels)}): {', '.join(unused)}"] if unused else []


#: What each kind of warning means here; others are named by their code.
_WARNINGS: dict[Code, str] = {
    "rotated": "images stored rotated, kept as stored",
    "binary_among_classes": "labels of only 0 and 255, which is ignored; if 255 is an object in them, give it its "
    "class with segdata mask-map (of a set: after segdata unpack)",
    "only_crowds": "training ignores crowds; if each crowd is one object, use --crowd object",
    "box_mismatch": "boxes that contradict their masks, kept as stated (--boxes masks makes boxes from the masks)",
}


def warning_lines(warnings: Sequence[Fault]) -> list[str]:
    """Return a heading for each kind of warning, each with the first of them."""
    lines = []
    for code in dict.fromkeys(fault.code for fault in warnings):
        found = [fault for fault in warnings if fault.code == code]
        lines += [f"{_WARNINGS.get(code, code)} ({len(found)}):", name_first(found)]
    return lines


@click.command("verify")
@click.argument("record_set", metavar="SET", callback=existing_location)
@click.option("--quick", is_flag=True, help="Check names, sizes and headers only, not digests and rows")
@click.option("--with-mindspore", is_flag=True, help="Also compare the rows that MindSpore reads, by each shard")
@work_dir_option
@json_option
@click.pass_context
def verify_command(
    context: click.Context,
    record_set: Location,
    quick: bool,
    with_mindspore: bool,
    work_dir: Path | None,
    as_json: bool,
) -> None:
    """Check that a record set is intact; otherwise report the reason and exit with status 1.

    SET is the directory, the manifest or any one shard, as a path or a URL. Checks the text of the manifest, the name,
    size and SHA-256 of every file, each row, and all that the manifest says about the rows and their labels.

    \b
    Example:
      segdata verify records/voc_train
    """
    report = verify(record_set, quick=quick, with_mindspore=with_mindspore, work_dir=work_dir, progress=progress_bar)
    emit(report, as_json, _verify_text)
    context.exit(0 if report.ok else FAILED)


def _verify_text(report: VerifyReport) -> str:
    if report.ok:
        depth = "names, sizes and headers" if report.quick else "files, digests and rows"
        depth += " and MindSpore's reading" if report.with_mindspore else ""
        rows = plural(report.rows, "row")
        shards = plural(report.shards, "shard")
        return f"{report.path}: {rows} in {shards}, intact ({depth} checked)"
    problems = plural(len(report.problems), "problem")
    return f"{report.path}: {problems}\n{name_first(report.problems)}"
