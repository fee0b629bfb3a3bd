"""The command for SBD, the Semantic Boundaries Dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Any

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
from segdata.sources.sbd.merge import AUGMENTED_LIST, MASK_DIR, MAT_DIR, MergeReport, sbd_merge


@click.command("sbd-merge")
@click.option("--data_root", type=EXISTING_DIR, required=True, help="Folder above VOCdevkit and benchmark_RELEASE")
@click.option("--sbd_root", type=EXISTING_DIR, help="benchmark_RELEASE, or the folder above [default: the data root]")
@click.option("--voc_root", type=EXISTING_DIR, help="The devkit, or a folder above it [default: the data root]")
@click.option("--dst_path", type=ANY_PATH, help=f"Folder of masks to write [default: {MASK_DIR} in SBD's dataset]")
@click.option(
    "--list",
    "list_file",
    type=ANY_PATH,
    metavar="NAME",
    default=AUGMENTED_LIST,
    show_default=True,
    help="List in data root",
)
# Of SBD's two folders of masks only one has class ids; in the other, `inst`, pixels number the objects of an image.
@click.option("--field", type=click.Choice([MAT_DIR]), default=MAT_DIR, expose_value=False, help="SBD's class masks")
@click.option("--expect-count", type=click.IntRange(min=1), metavar="N", help="Fail unless N samples result")
@cluster_options
@overwrite_option
@dry_run_option
@json_option
def sbd_merge_command(as_json: bool, data_root: Path, **options: Any) -> None:
    """Merge SBD's masks with VOC's train split: index masks from .mat files, and vocaug_train_lst.txt.

    Images of VOC's val split are left out, and VOC's own masks are used where there are some; voc-decolor makes them
    first. The list holds SBD's train split, SBD's val split, then VOC's, each in its own order. The official lists
    give 10,582 samples.

    With --dry-run the four id lists are enough to learn the number; what is missing is counted.

    \b
    Example:
      segdata sbd-merge --data_root data --expect-count 10582
    """
    emit(sbd_merge(data_root, progress=progress_bar, **options), as_json, _merge_text)


def _merge_text(report: MergeReport) -> str:
    counts = report.counts
    verb = "written to" if report.written else "would be written to"
    rows: list[tuple[str, ...]] = [
        ("", "ids", ""),
        ("VOC train", f"{counts.voc_train:,}", "VOC's own masks"),
        ("SBD train", f"+ {counts.sbd_train:,}", ""),
        ("SBD val", f"+ {counts.sbd_val:,}", ""),
        ("in both of SBD", f"- {counts.sbd_both:,}", "counted once"),
        ("in VOC train", f"- {counts.in_voc_train:,}", "VOC's own masks win"),
        ("in VOC val", f"- {counts.in_voc_val:,}", "left out of training"),
        ("samples", f"= {counts.samples:,}", _against_usual(report)),
    ]
    lines = [
        f"{counts.samples:,} samples {verb} {report.list}",
        f"{counts.samples - counts.voc_train:,} index masks {verb} {report.masks}",
        table(rows, right=(1,)),
        *(f"missing, needed to write: {count:,} files in {folder}" for folder, count in report.missing.items()),
    ]
    return "\n".join(lines)


def _against_usual(report: MergeReport) -> str:
    more = report.counts.samples - report.usual
    if not more:
        return "the usual figure"
    return f"the usual figure is {report.usual:,}: {abs(more):,} {'more' if more > 0 else 'fewer'}"
