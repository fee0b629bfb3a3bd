"""The `preview` command: show the images and labels of a data set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from segdata.console.options import ANY_PATH, dataset_options, json_option, overwrite_option, png_name, workers_option
from segdata.console.render import emit, not_known, progress_bar
from segdata.draw.lettering import describe_without_font
from segdata.errors import name_first
from segdata.inspect.preview import MAX_COUNT, PreviewReport, preview as show
from segdata.inspect.preview.similar import MAX_PAIRS, describe_similar
from segdata.text import plural


@click.command("preview")
@dataset_options
@click.option("--out", type=ANY_PATH, callback=png_name, metavar="FILE.png", help="Contact sheet to write")
@click.option("--html", "--dst_path", type=ANY_PATH, metavar="DIR", help="Directory to write the page, index.html, to")
@click.option("--count", type=click.IntRange(1, MAX_COUNT), default=16, show_default=True, help="Samples to show")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed for choosing samples")
@click.option(
    "--classes", "wanted", metavar="NAME|ID", multiple=True, help="Only samples with this class; can be repeated"
)
@click.option(
    "--cover",
    is_flag=True,
    help="Choose samples that show every class (or those of --classes), then fill up to --count",
)
@click.option(
    "--alpha", type=click.FloatRange(0, 1), default=0.5, show_default=True, help="Opacity of the label colors, 0 to 1"
)
@click.option("--near", is_flag=True, help=f"Show similar images side by side on the page, the first {MAX_PAIRS} pairs")
@workers_option
@overwrite_option
@json_option
def preview_command(
    out: Path | None, html: Path | None, wanted: tuple[str, ...], as_json: bool, **options: Any
) -> None:
    """Show images overlaid with their labels, as a contact sheet, as an HTML page, or both.

    LIST, JSON or SET is a list file, a COCO JSON or a record set. The choice of samples depends only on their names and
    the seed: a list and the record set made from it show the same samples. --classes takes names, or ids as shown by
    segdata stats. With --cover, labels are read until all classes have been seen.

    The page is a single file that works offline. It also contains the reports of segdata stats and segdata check for
    the entire data set. Its images can be enlarged and filtered by class. With --near, all images are decoded, and the
    page shows in pairs those that segdata check --near finds similar.

    \b
    Example:
      segdata preview data/voc_train_lst.txt --out voc_train.png --html voc_train --classes cat --classes dog
    """
    if not out and not html:
        raise click.UsageError("nothing to write; expected --out FILE.png (contact sheet), --html DIR (page) or both")
    if options["near"] and not html:
        raise click.UsageError("--near: shows similar images on the page. Add --html DIR.")
    if options["cover"] and len(set(wanted)) == 1:
        raise click.UsageError(
            "--cover: has no effect with one class, which all samples show. Give several --classes, or none."
        )
    report = show(out=out, html=html, classes=wanted, progress=progress_bar, **options)
    emit(report, as_json, _preview_text)


def _preview_text(report: PreviewReport) -> str:
    targets = " and ".join(dict.fromkeys([report.path, *([report.html] if report.html else [])]))
    of_class = "" if report.found == report.samples else f" ({report.found} with one of the classes)"
    samples = plural(report.samples, "sample")
    lines = [f"{len(report.shown)} of {samples}{of_class} shown in {targets}"]
    if report.class_names:
        lines.append(f"classes: {', '.join(report.class_names)}")
    if report.not_found:
        lines.append(f"no sample shows {', '.join(report.not_found)}")
    if report.not_shown:
        lines.append(f"not shown, as --count is too small: {', '.join(report.not_shown)}")
    lines += describe_without_font(report.without_font)
    if report.similar is not None:
        lines.append(describe_similar(len(report.similar)))
    lines += not_known(report.unknown)
    left_out = {
        f"sample{'s' if len(report.unreadable) != 1 else ''} cannot be read": report.unreadable,
        f"invalid annotation{'s' if len(report.annotations_left_out) != 1 else ''} not drawn": (
            report.annotations_left_out
        ),
    }
    for what, faults in left_out.items():
        if faults:
            lines += [f"{len(faults)} {what} (run segdata check for details):", name_first(faults)]
    return "\n".join(lines)
