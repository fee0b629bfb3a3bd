"""Command that cures faults."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import click

from segdata.console.options import (
    ANY_PATH,
    EXISTING_DIR,
    EXISTING_FILE,
    against_options,
    class_options,
    dry_run_option,
    images_option,
    json_option,
    overwrite_option,
    read_classes,
    value_range_option,
    workers_option,
)
from segdata.console.render import emit, progress_bar, root_line, table
from segdata.errors import Code
from segdata.inspect.check.overlap import open_others
from segdata.inspect.fix import fix
from segdata.inspect.fix.report import FixedCode, FixReport
from segdata.inspect.fix.rounds import OF_THE_SET
from segdata.inspect.fix.upright import JPEG_QUALITY, Upright
from segdata.labels.map_file import load_map
from segdata.sources.coco.media import Media
from segdata.text import plural


@click.command("fix")
@click.argument("source", metavar="LIST|JSON", type=EXISTING_FILE)
@click.option("--dst_path", type=ANY_PATH, required=True, help="List or JSON to write")
@click.option(
    "--data_root",
    type=EXISTING_DIR,
    help="For a list: folder that its paths are relative to [default: the list's folder]",
)
@images_option
@class_options
@value_range_option
@click.option(
    "--only",
    type=click.Choice(get_args(Code)),
    multiple=True,
    metavar="CODE",
    help="Cure only faults with this code; can be repeated",
)
@click.option(
    "--drop",
    type=click.Choice([*get_args(Code), "errors"]),
    multiple=True,
    metavar="CODE",
    help="Drop samples or annotations with this code, or with any error (errors), where no cure is certain; can be "
    "repeated",
)
@against_options
@click.option(
    "--drop-from",
    type=EXISTING_FILE,
    metavar="LIST|JSON",
    help="Drop the images shared with --against from this data set",
)
@click.option(
    "--upright",
    type=click.Choice(get_args(Upright)),
    help=f"Save rotated images upright (JPEG quality {JPEG_QUALITY}); rotate (turn) or keep labels and annotations",
)
@click.option("--resize-labels", is_flag=True, help="Resize labels of an exact multiple or fraction, by nearest pixel")
@click.option("--map", "map_text", metavar="VALUE:CLASS,…|FILE|NAME", help="For a list: class of each label value")
@click.option("--hash", is_flag=True, help="Compare the contents of images, not only their names")
@click.option("--decode", is_flag=True, help="Decode every image, to find truncated ones")
@click.option("--near", is_flag=True, help="Find similar images: resized, cropped slightly, mirrored or rotated")
@click.option("--quality", is_flag=True, help="Find dark, bright, low-contrast, blurry and very elongated images")
@click.option(
    "--media",
    type=click.Choice(get_args(Media)[:-1]),
    default="copy",
    show_default=True,
    help="How unchanged files get into the folder of the changed files",
)
@workers_option
@overwrite_option
@dry_run_option
@json_option
def fix_command(
    against: tuple[Path, ...],
    against_images: Path | None,
    map_text: str | None,
    num_classes: int | None,
    class_names: Path | None,
    ignore_label: int | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Correct the faults that check finds in a list file or a COCO JSON, where the cure is certain.

    The source does not change. Lines and objects without a fault keep their text; without any fault, the result has the
    same bytes. Faults without a certain cure are left, each with a question to answer. With --drop CODE, their samples
    or annotations are dropped instead, and with --drop errors those of all errors. docs/check.md, in
    the repository, lists all cures.

    Pixels change only with --upright, --resize-labels or --map, or if labels have VOC's colors or more than 8 bits. The
    changed files are then in the folder NAME_files beside the list or JSON, with all other files of the set.

    \b
    Example:
      segdata fix annotations/instances.json --dst_path annotations/fixed.json
      segdata fix train_lst.txt --dst_path good_lst.txt --drop errors
      segdata fix train_lst.txt --dst_path train_fixed_lst.txt --against val_lst.txt --drop-from train_lst.txt
    """
    classes = read_classes(num_classes, class_names, ignore_label)
    value_map = load_map(map_text, classes.ignore_label if classes else 255) if map_text else None
    others = open_others(against, against_images, data_root=options["data_root"], images=options["images"])
    report = fix(against=others, classes=classes, map=value_map, progress=progress_bar, **options)
    emit(report, as_json, _text)


def _text(report: FixReport) -> str:
    verb = "written to" if report.written else "would be written to"
    lines = [
        f"{plural(report.samples, 'sample')} {verb} {report.path}: "
        f"{plural(report.cured, 'fault')} cured, {report.left} left",
        root_line(report.root, coco=report.kind == "coco"),
    ]
    if report.new_files:
        lines.append(f"files with changed pixels: {report.new_files}")
    rows = [(one.code, one.severity, *map(str, (one.found, one.cured, one.left))) for one in report.codes]
    if not rows:
        return "\n".join(["no faults found; the result has the same bytes", *lines])
    header, *cells = table([("code", "severity", "found", "cured", "left"), *rows], right=(2, 3, 4)).split("\n")
    blocks = ["\n".join((line, *_details(one))) for line, one in zip(cells, report.codes, strict=True)]
    if left := [f"--drop {one.code}" for one in report.codes if one.left and one.code not in OF_THE_SET]:
        lines.append(f"to drop the samples or annotations that still have a fault: {' '.join(left)}")
    return "\n\n".join([header, *blocks, "\n".join(lines)])


def _details(one: FixedCode) -> list[str]:
    more = one.left - len(one.examples)
    cured = [f"  ✓ {one.cure}"] if one.cure else []
    unnamed = [f"  … and {more} more"] if more else []
    question = [f"  ? {one.question}"] if one.question else []
    return [*cured, *(f"  {example}" for example in one.examples), *unnamed, *question]
