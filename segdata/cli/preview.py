"""The command that shows a data set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from segdata.console.options import (
    ANY_PATH,
    dataset_options,
    json_option,
    overwrite_option,
    png_name,
    workers_option,
)
from segdata.console.render import emit, progress_bar
from segdata.errors import name_first
from segdata.inspect.preview import MAX_COUNT, PreviewReport
from segdata.inspect.preview import preview as show


@click.command("preview")
@dataset_options
@click.option("--out", type=ANY_PATH, callback=png_name, metavar="FILE.png", help="Contact sheet to write")
@click.option("--html", type=ANY_PATH, metavar="DIR", help="Directory to write the page index.html to")
@click.option("--count", type=click.IntRange(1, MAX_COUNT), default=16, show_default=True, help="Samples to show")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the choice")
@click.option("--classes", "wanted", metavar="NAME|ID", multiple=True, help="Only samples with one; may be repeated")
@click.option(
    "--alpha", type=click.FloatRange(0, 1), default=0.5, show_default=True, help="Strength of the colors, 0 to 1"
)
@workers_option
@overwrite_option
@json_option
def preview_command(
    out: Path | None, html: Path | None, wanted: tuple[str, ...], as_json: bool, **options: Any
) -> None:
    """Show a data set: images under their labels, as a contact sheet, as a page, or both.

    LIST, JSON or SET is a list file, a COCO JSON or a record set. Which samples are shown depends on their names and
    the seed alone: a list and the record set made of it show the same. Ids of --classes are those that segdata stats
    shows.

    The page is one file that needs no network. It also holds what segdata stats and segdata check say of the whole
    data set; its pictures can be enlarged and filtered by class.

    \b
    Example:
      segdata preview data/voc_train_lst.txt --out voc_train.png --html voc_train --classes cat --classes dog
    """
    if not out and not html:
        raise click.UsageError("name the contact sheet with --out, the directory of the page with --html, or both")
    report = show(out=out, html=html, classes=wanted, progress=progress_bar, **options)
    emit(report, as_json, _preview_text)


def _preview_text(report: PreviewReport) -> str:
    targets = " and ".join(target for target in (report.out, report.html) if target)
    of_class = "" if report.found == report.samples else f" {report.found} that have one of the classes, of"
    lines = [f"{len(report.shown)} of{of_class} {report.samples} samples shown in {targets}"]
    if report.classes:
        lines.append(f"classes: {', '.join(report.classes)}")
    left_out = {
        "samples cannot be read": report.unreadable,
        "annotations are no instances and not drawn": report.annotations_left_out,
    }
    for what, faults in left_out.items():
        if faults:
            lines += [f"{len(faults)} {what} (segdata check says more):", name_first(faults)]
    return "\n".join(lines)
