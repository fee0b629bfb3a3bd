"""The `tif-slice` command for TIFF stacks."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import click

from segdata.console.options import (
    ANY_PATH,
    EXISTING_FILE,
    cluster_options,
    dry_run_option,
    json_option,
    names_in_file,
    overwrite_option,
    value_range_option,
)
from segdata.console.render import emit, progress_bar
from segdata.errors import InvalidInputError
from segdata.images.tiff_directories import axes_words
from segdata.images.values import Percentiles, ValueRange, parse_value_range
from segdata.labels.map_file import load_map
from segdata.labels.mask_mapping import Unknown
from segdata.labels.value_map import ValueMap
from segdata.lists.folds import Fold, LastBlock, Order
from segdata.sources.instance_masks.convert import DEFAULT_CLASS
from segdata.sources.tif.meaning import MAX_BORDER
from segdata.sources.tif.report import SliceReport
from segdata.sources.tif.slice import tif_slice
from segdata.sources.tif.values import Depth, Format
from segdata.text import plural


def _pages(_context: click.Context, _parameter: click.Parameter, text: str | None) -> list[int] | None:
    if text is None:
        return None
    pages: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,7})(?:-(\d{1,7}))?\s*", part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if last < first:
            raise click.BadParameter(f"{part!r}; expected page numbers and ranges, as in 0-23,28")
        pages += range(first, last + 1)
    return pages


def _map(_context: click.Context, _parameter: click.Parameter, text: str | None) -> ValueMap | None:
    return None if text is None else load_map(text)


def _old_range(
    _context: click.Context, _parameter: click.Parameter, text: str | None
) -> ValueRange | Percentiles | None:
    try:
        return None if text is None else parse_value_range(text)
    except InvalidInputError as error:
        raise click.BadParameter(str(error)) from error


@click.command("tif-slice")
@click.option("--images", type=EXISTING_FILE, required=True, metavar="STACK", help="TIFF of the images")
@click.option("--labels", type=EXISTING_FILE, metavar="STACK", help="TIFF of the labels")
@click.option("--dst_path", type=ANY_PATH, required=True, metavar="OUT", help="Directory to write")
@click.option(
    "--map", callback=_map, metavar="VALUE:CLASS,…|FILE|NAME", help="Class of each label value [default: the value]"
)
@click.option("--label_map", "old_map", callback=_map, hidden=True, help="Earlier name of --map")
@click.option(
    "--unknown",
    type=click.Choice(get_args(Unknown)),
    default="error",
    show_default=True,
    help="Label values that the map does not name: an error, or the ignore label 255",
)
@click.option("--instances", is_flag=True, help="Label values are object ids: write a COCO JSON")
@click.option(
    "--border",
    type=click.IntRange(1, MAX_BORDER),
    metavar="N",
    help="Label values are object ids: write index masks with an extra class for pixels up to N from two objects",
)
@click.option("--class_name", metavar="NAME", help=f"Class of all objects, without a map [default: {DEFAULT_CLASS}]")
@click.option(
    "--class_names",
    type=EXISTING_FILE,
    callback=names_in_file,
    help="Names of the classes of --map from 0, one per line",
)
@click.option("--axes", metavar="TZYX", help="Axes of the images, such as T2Z5YX [default: from the metadata]")
@click.option("--label_axes", metavar="ZYX", help="Axes of the labels [default: from the metadata]")
@click.option("--channel", metavar="N|NAME", help="Channel to slice, counted from 0")
@click.option("--level", type=click.IntRange(min=0), default=0, help="Resolution of a pyramid [default: the full one]")
@click.option("--pages", callback=_pages, metavar="0-23,28", help="Slices to write, counted from 0 [default: all]")
@click.option("--depth", type=click.Choice(get_args(Depth)), default="keep", show_default=True, help="Bits per sample")
@value_range_option
@click.option("--range", "old_range", callback=_old_range, hidden=True, help="Earlier name of --value_range")
@click.option("--folds", type=click.IntRange(min=2), metavar="K", help="Divide the pages into K folds")
@click.option("--fold", type=click.IntRange(min=0), metavar="I", help="Fold to validate on, counted from 0")
@click.option("--order", type=click.Choice(get_args(Order)), help="How pages are assigned to folds [default: blocks]")
@click.option("--val-block", type=click.IntRange(min=1), metavar="N", help="Validate on the last N pages")
@click.option(
    "--format",
    "image_format",
    type=click.Choice(get_args(Format)),
    default="png",
    show_default=True,
    help="Format of the images; labels are always PNGs",
)
@click.option(
    "--max-page-mb",
    type=click.IntRange(min=1),
    default=1024,
    show_default=True,
    help="Refuse pages that claim more memory, in MB",
)
@cluster_options
@overwrite_option
@dry_run_option
@json_option
def tif_slice_command(
    images: Path,
    old_map: ValueMap | None,
    folds: int | None,
    fold: int | None,
    order: Order | None,
    val_block: int | None,
    old_range: ValueRange | Percentiles | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Slice a TIFF stack into images/NAME_0007.png and its labels into index masks, and write list files.

    Images and labels are paired by their axes (T, Z, C), from OME, ImageJ and other metadata or from --axes and
    --label_axes. Slices are numbered along T, then Z, then other axes. Of several channels, --channel chooses one.

    Samples keep their values unless --depth 8bit is given; it scales all slices alike, by --value_range. --map turns
    label values into class ids, as in mask-map: 0:0,255:1, 1-300:1 or *:1, a file, or a name such as binary.

    If label values are object ids, 0 is background. --instances writes a COCO JSON, instances_all.json, beside the
    slices. --border N writes index masks: 0 background, 1 objects, 2 what is up to N pixels from two objects; this
    separates touching cells. --map gives the ids their classes, and the border is the class after the last one.

    Neighboring slices are similar, so --folds uses contiguous blocks; --order course shuffles pages as the U-Net course
    does. The lists are all_lst.txt, or train_lst.txt and val_lst.txt; the JSONs are named alike.

    \b
    Example:
      segdata tif-slice --images train-volume.tif --labels train-labels.tif --map 0:0,255:1 --dst_path isbi
      segdata tif-slice --images cells.ome.tif --channel DAPI --depth 8bit --value_range auto --dst_path cells
      segdata tif-slice --images nuclei.tif --labels ids.tif --instances --class_name nucleus --dst_path nuclei
      segdata tif-slice --images nuclei.tif --labels ids.tif --border 2 --dst_path nuclei
    """
    options["value_range"] = options["value_range"] or old_range
    options["map"] = options["map"] or old_map
    for label_option in ("map", "instances", "border", "label_axes"):
        if options[label_option] and not options["labels"]:
            raise click.UsageError(f"--{label_option} needs --labels")
    if options["value_range"] and options["depth"] == "keep":
        raise click.UsageError("--value_range needs --depth 8bit")
    split = _split(folds, fold, order, val_block)
    emit(tif_slice(images, split=split, progress=progress_bar, **options), as_json, _slice_text)


def _split(folds: int | None, fold: int | None, order: Order | None, val_block: int | None) -> Fold | LastBlock | None:
    if (folds is None) != (fold is None):
        raise click.UsageError("--folds, --fold: expected both of them, as in --folds 5 --fold 0")
    if val_block is not None and folds is not None:
        raise click.UsageError("--val-block, --folds: both define the split; expected only one of them")
    if order is not None and folds is None:
        raise click.UsageError("--order needs --folds")
    if folds is not None and fold is not None:
        if fold >= folds:
            raise click.UsageError(f"--fold {fold} is outside --folds {folds}; expected 0 to {folds - 1}")
        return Fold(folds, fold, order or "blocks")
    return LastBlock(val_block) if val_block is not None else None


def _slice_text(report: SliceReport) -> str:
    verb = "written to" if report.written else "would be written to"
    pages = f"{report.pages} of {plural(report.stack_pages, 'page')}"
    lines = [f"{pages}, {report.form}, {verb} {report.path}"]
    lines.append(_axes_line(report))
    if report.scaled:
        low, high = report.scaled
        clipped = f"{plural(report.clipped, 'sample')} clipped"
        lines.append(f"scaled to 8 bits: {low:g} to {high:g} became 0 to 255, {clipped}")
    if report.label_pixels:
        total = sum(report.label_pixels.values())
        shares = ", ".join(f"{id_}: {count / total:.1%}" for id_, count in report.label_pixels.items())
        lines.append(f"label pixels by class id: {shares}")
    if report.border_class is not None:
        lines.append(f"class {report.border_class}: border between touching objects")
    if report.objects:
        categories = ", ".join(f"{name}: {count}" for name, count in report.objects.items())
        lines.append(f"{plural(sum(report.objects.values()), 'object')} by category: {categories}")
        lines.append(f"image folder, to use with the JSON: --images {report.path}")
    if report.binary:
        lines.append(
            "labels are black and white, one object for each page (tif-slice --map '0:0,*:1', then masks-to-coco "
            "--components, separates the parts)"
        )
    if report.class_names_file:
        lines.append(f"class names, for --class_names: {report.class_names_file}")
    if report.split:
        lines.append(f"split: {report.split}; val pages {_ranges(report.split_pages['val'])}")
    for part, path in report.files.items():
        samples = len(report.split_pages[part])
        lines.append(f"{plural(samples, 'image' if report.objects else 'sample')} in {path}")
    return "\n".join(lines)


def _axes_line(report: SliceReport) -> str:
    line = f"axes: {axes_words(report.axes, report.sizes)}"
    if report.channel is not None:
        line += f"; channel {report.channel}"
    if report.level:
        line += f"; level {report.level}"
    return f"{line}; labels paired by {report.pairing}" if report.pairing else line


def _ranges(pages: Sequence[int]) -> str:
    """Return page numbers in the format of --pages."""
    runs: list[list[int]] = []
    for page in sorted(pages):
        if runs and runs[-1][-1] == page - 1:
            runs[-1][1:] = [page]
        else:
            runs.append([page])
    return ",".join("-".join(map(str, run)) for run in runs)
