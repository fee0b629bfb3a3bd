"""Command that turns masks of any kind into index masks."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import click

from segdata.console.options import (
    ANY_PATH,
    EXISTING_DIR,
    cluster_options,
    dry_run_option,
    json_option,
    overwrite_option,
)
from segdata.console.render import emit, progress_bar, table
from segdata.labels.map_file import load_map
from segdata.labels.mask_mapping import Unknown
from segdata.sources.mask_map import MaskMapReport, mask_map
from segdata.text import plural

#: The masks of Cityscapes whose values are label ids; beside them are colors, instances and train ids of the same.
CITYSCAPES_SUFFIX = "_labelIds"

#: Number of values that the text shows; the JSON has all.
_SHOWN = 40


@click.command("mask-map")
@click.argument("src_path", metavar="SRC", type=EXISTING_DIR)
@click.option(
    "--map",
    "map_text",
    metavar="VALUE:CLASS,…|FILE|NAME",
    help="Class of each value or color [required unless --threshold]",
)
@click.option("--dst_path", type=ANY_PATH, required=True, help="Folder to write")
@click.option(
    "--threshold", type=click.IntRange(1, 65535), metavar="T", help="Without --map: gray from T on is class 1, others 0"
)
@click.option(
    "--nearest",
    type=click.FloatRange(min=0),
    metavar="N",
    help="Give unknown values the nearest class: gray up to N away, colors up to Euclidean distance N in RGB",
)
@click.option(
    "--unknown",
    type=click.Choice(get_args(Unknown)),
    default="error",
    show_default=True,
    help="Values without a class: an error, or the ignore label",
)
@click.option(
    "--mask_suffix",
    help="Ending of mask names before the extension; other files are left out [default: none; cityscapes: _labelIds]",
)
@click.option(
    "--ignore_label", type=click.IntRange(0, 255), default=255, show_default=True, help="Label of void pixels"
)
@cluster_options
@overwrite_option
@dry_run_option
@json_option
def mask_map_command(
    src_path: Path, map_text: str | None, mask_suffix: str | None, ignore_label: int, as_json: bool, **options: Any
) -> None:
    """Turn the masks in a folder into index masks: 8-bit gray PNGs whose pixels are class ids.

    Masks are PNG, TIFF or BMP: gray, palette, RGB or RGBA, in subfolders too. JPEGs need --nearest or --threshold,
    since compression changes their values. Values without a class are an error, and nothing is written. The report
    counts the pixels of each value; with --dry-run, nothing is written.

    --map takes classes of values, such as 0:0,255:1, with ranges (1-300:1, 1-3:0-2) and * for all other values; a file
    with lines 'name r g b' or 'name value', or CVAT's labelmap.txt; or a name: binary, voc, cityscapes, ade20k,
    pascal-context, camvid. Classes named void, ignore, ignored or __ignore__ get the ignore label.

    In palette masks, a map of values reads the indices, and a map of colors the colors. Pixels must be opaque, or all
    zero.

    \b
    Example:
      segdata mask-map masks --map 0:0,255:1 --dst_path index
      segdata mask-map gtFine/train --map cityscapes --dst_path index
    """
    value_map = load_map(map_text, ignore_label) if map_text else None
    if mask_suffix is None:
        mask_suffix = CITYSCAPES_SUFFIX if map_text == "cityscapes" else ""
    options |= {"mask_suffix": mask_suffix, "ignore_label": ignore_label}
    report = mask_map(src_path, map=value_map, progress=progress_bar, **options)
    emit(report, as_json, _text)


def _text(report: MaskMapReport) -> str:
    methods = methods_text(report.mapped, report.rewritten, report.copied)
    verb = "written to" if report.written else "would be written to"
    rows = [(value.source, f"{value.id} ({value.name})", f"{value.pixels:,}") for value in report.values[:_SHOWN]]
    lines = [
        f"{plural(report.masks, 'index mask')} {verb} {report.path} ({methods})",
        table([("value", "class", "pixels"), *rows], right=(2,)),
    ]
    if len(report.values) > _SHOWN:
        lines.append(f"… and {len(report.values) - _SHOWN} more values; --json shows all")
    if report.class_names_file:
        lines.append(f"class names, for --class_names: {report.class_names_file}")
    lines += [f"left out, {kind}: {count}" for kind, count in report.left_out.items()]
    return "\n".join(lines)


def methods_text(mapped: int, rewritten: int, copied: int) -> str:
    """Return how many masks became index masks in which way."""
    counts = {"mapped": mapped, "rewritten without re-encoding": rewritten, "copied": copied}
    return ", ".join(f"{count} {how}" for how, count in counts.items() if count)
