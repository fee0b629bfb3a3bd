"""The `merge` command: several data sets of one type become one."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import click

from segdata.console.location import location_option, read_location, work_dir_option
from segdata.console.options import (
    EXISTING_DIR,
    EXISTING_FILE,
    cluster_options,
    dry_run_option,
    json_option,
    overwrite_option,
)
from segdata.console.render import emit, progress_bar, table
from segdata.errors import name_first
from segdata.labels.classes import read_class_names
from segdata.labels.mask_mapping import Unknown
from segdata.lists.merge import ListMergeReport
from segdata.merging import merge
from segdata.mindrecord.header import SHARDS_MAX
from segdata.records.merge import SetMergeReport
from segdata.records.plan import NUM_SHARDS
from segdata.sources.coco.merge import CocoMergeReport
from segdata.store.url import Location
from segdata.text import plural


def _locations(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> tuple[Location, ...]:
    places = tuple(place for value in values if (place := read_location(context, parameter, value)))
    for place in places:
        if isinstance(place, Path) and not place.exists():
            raise click.BadParameter(f"{place}: does not exist")
    return places


def _names(
    _context: click.Context, _parameter: click.Parameter, files: tuple[Path, ...]
) -> tuple[tuple[str, ...], ...]:
    return tuple(map(read_class_names, files))


@click.command("merge")
@click.argument("parts", metavar="LIST|JSON|SET...", nargs=-1, required=True, callback=_locations)
@location_option("--dst_path", required=True, help="List, COCO JSON or record set to write")
@click.option(
    "--data_root",
    type=EXISTING_DIR,
    multiple=True,
    help="For lists: folder that their paths are relative to; one for all, or one for each in their order "
    "[default: each list's folder]",
)
@click.option(
    "--images",
    type=EXISTING_DIR,
    multiple=True,
    help="For JSONs: folder of their images; one for all, or one for each in their order "
    "[default: images next to its folder, or its own folder]",
)
@click.option(
    "--class_names",
    type=EXISTING_FILE,
    multiple=True,
    callback=_names,
    help="For JSONs and sets: the classes of the result, one per line. For lists: those of each list, to compare",
)
@click.option(
    "--unknown",
    type=click.Choice(get_args(Unknown)),
    default="error",
    show_default=True,
    help="With --class_names: objects and pixels of other classes are an error, or left out and counted",
)
@click.option("--prefix", is_flag=True, help="For sets: put the name of each set's directory before its file names")
@click.option(
    "--num_shards",
    type=click.IntRange(1, SHARDS_MAX),
    default=NUM_SHARDS,
    show_default=True,
    help="For sets: number of shards",
)
@click.option(
    "--shuffle/--no-shuffle",
    default=True,
    show_default=True,
    help="For sets: shuffle rows with --seed, or keep their order",
)
@click.option("--seed", type=int, default=0, show_default=True, help="For sets: seed for --shuffle")
@click.option("--resume", is_flag=True, help="For sets: keep the shards that an interrupted run of this merge finished")
@cluster_options
@work_dir_option
@overwrite_option
@dry_run_option
@json_option
def merge_command(as_json: bool, **options: Any) -> None:
    """Merge lists into a list, COCO JSONs into a COCO JSON, or record sets into a record set.

    Classes of JSONs and sets are united by name and keep the ids of the first part that has them; labels of sets are
    rewritten only where ids change. With --class_names, the result has exactly these classes. Labels of lists are not
    rewritten: their values must mean the same classes. --class_names, once for each list, compares them.

    What several parts contain is written once and counted. Conflicts are errors: an image with two labels or two sizes,
    rows of one name that differ, sets with different value ranges. Other ids that collide get a free number.

    Paths in a merged list or JSON are relative to the nearest folder above all data roots or image folders; the report
    names it. The samples themselves are not read; check does that. Rows of sets are read and counted. A single
    part can be merged too, to change its classes or shards.

    \b
    Example:
      segdata merge voc/voc_train_lst.txt isbi/train_lst.txt --dst_path train_lst.txt
      segdata merge a/instances.json b/instances.json --images a/images --images b/images --dst_path both.json
      segdata merge records/a records/b --dst_path records/both --num_shards 16
    """
    report = merge(progress=progress_bar, **options)
    emit(report, as_json, _merge_text)


def _merge_text(report: ListMergeReport | CocoMergeReport | SetMergeReport) -> str:
    lines = [table([("part", "samples"), *((name, str(count)) for name, count in report.parts.items())], right=(1,))]
    if isinstance(report, ListMergeReport):
        lines += [
            f"{plural(report.samples, 'sample')} {_verb(report.written)} {report.path}",
            f"in several lists: {report.repeated}",
            f"data root, to use with the list: --data_root {report.root}",
        ]
    elif isinstance(report, CocoMergeReport):
        lines += _coco_lines(report)
    else:
        lines += _set_lines(report)
    return "\n".join(lines)


def _coco_lines(report: CocoMergeReport) -> list[str]:
    counts = ", ".join(f"{name}: {count}" for name, count in report.categories.items())
    lines = [
        f"{plural(report.samples, 'image')} with {plural(report.annotations, 'annotation')} {_verb(report.written)} "
        f"{report.path}",
        f"annotations by category: {counts or 'none'}",
        f"in several JSONs: {plural(report.shared, 'image')}, {plural(report.repeated, 'annotation')}",
        "new ids: " + ", ".join(f"{count} {what}" for what, count in report.renumbered.items()),
        *_left_out_lines(report.left_out, "annotation"),
        f"image folder, to use with the JSON: --images {report.root}",
    ]
    return lines + ([f"kept from the first JSON:\n{name_first(report.warnings)}"] if report.warnings else [])


def _set_lines(report: SetMergeReport) -> list[str]:
    rows = f"{plural(report.rows, 'row')} in {plural(len(report.shard_rows), 'shard')}"
    unit = "pixel" if report.ignore_label is not None else "instance"
    counts = ", ".join(f"{each.name}: {each.images}" for each in report.classes)
    lines = [
        f"{rows} {_verb(report.written)} {report.path}"
        if not report.finished
        else f"{rows} in {report.path} already: an earlier run finished this merge; nothing was written",
        f"images by class: {counts}",
        f"in several sets: {plural(report.repeated, 'row')}; labels changed: {plural(report.labels_changed, 'row')}; "
        f"new image ids: {report.image_ids_changed}",
        *_left_out_lines(report.left_out, unit),
    ]
    if report.ignore_label is not None:
        lines.append(f"ignore label: {report.ignore_label}")
    return lines


def _left_out_lines(left_out: dict[str, int], unit: str) -> list[str]:
    counts = [f"{plural(count, unit)} of class {name!r}" for name, count in left_out.items()]
    return [f"left out: {', '.join(counts)}"] if counts else []


def _verb(written: bool) -> str:
    return "written to" if written else "would be written to"
