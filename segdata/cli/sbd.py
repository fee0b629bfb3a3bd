"""The `sbd-merge` command for SBD, the Semantic Boundaries Dataset."""

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
from segdata.sources.sbd.merge import AUGMENTED_LIST, MASK_DIR, MAT_DIR, SbdMergeReport, sbd_merge


@click.command("sbd-merge")
@click.option("--data_root", type=EXISTING_DIR, required=True, help="Folder above VOCdevkit and benchmark_RELEASE")
@click.option(
    "--sbd_root", type=EXISTING_DIR, help="benchmark_RELEASE, or the folder above it [default: the data root]"
)
@click.option("--voc_root", type=EXISTING_DIR, help="VOC devkit, or a folder above it [default: the data root]")
@click.option("--dst_path", type=ANY_PATH, help=f"Folder to write the masks to [default: {MASK_DIR} in SBD's dataset]")
@click.option(
    "--list",
    "list_file",
    type=ANY_PATH,
    metavar="NAME",
    default=AUGMENTED_LIST,
    show_default=True,
    help="List file to write, in the data root",
)
# Only one of SBD's two mask folders has class ids; in the other, `inst`, pixel values number the objects of an image.
@click.option(
    "--field",
    type=click.Choice([MAT_DIR]),
    default=MAT_DIR,
    show_default=True,
    expose_value=False,
    help="SBD folder with the class masks",
)
@click.option("--expect-count", type=click.IntRange(min=1), metavar="N", help="Fail unless the result has N samples")
@cluster_options
@overwrite_option
@dry_run_option
@json_option
def sbd_merge_command(as_json: bool, data_root: Path, **options: Any) -> None:
    """Merge SBD with VOC's train split: write index masks from .mat files, and vocaug_train_lst.txt.

    Images in VOC's val split are left out. VOC's own masks are used where they exist; run voc-decolor first to make
    them. The list contains SBD's train split, SBD's val split, then VOC's train split, each in its own order. The
    official lists give 10,582 samples.

    With --dry-run, the four id lists are enough to compute the number of samples; missing files are counted.

    \b
    Example:
      segdata sbd-merge --data_root data --expect-count 10582
    """
    emit(sbd_merge(data_root, progress=progress_bar, **options), as_json, _merge_text)


def _merge_text(report: SbdMergeReport) -> str:
    counts = report.counts
    masks = counts.samples - counts.voc_train
    verb = "written to" if report.written else "would be written to"
    rows: list[tuple[str, ...]] = [
        ("", "ids", ""),
        ("VOC train", f"{counts.voc_train:,}", "VOC's own masks"),
        ("SBD train", f"+ {counts.sbd_train:,}", ""),
        ("SBD val", f"+ {counts.sbd_val:,}", ""),
        ("in both SBD lists", f"- {counts.sbd_both:,}", "counted once"),
        ("in VOC train", f"- {counts.in_voc_train:,}", "VOC's own masks win"),
        ("in VOC val", f"- {counts.in_voc_val:,}", "left out of training"),
        ("samples", f"= {counts.samples:,}", _against_usual(report)),
    ]
    lines = [
        f"{counts.samples:,} sample{'s' if counts.samples != 1 else ''} {verb} {report.list}",
        f"{masks:,} index mask{'s' if masks != 1 else ''} {verb} {report.path}",
        table(rows, right=(1,)),
        *(
            f"missing in {folder}: {count:,} file{'s' if count != 1 else ''}, needed to write the masks and the list"
            for folder, count in report.missing.items()
        ),
    ]
    return "\n".join(lines)


def _against_usual(report: SbdMergeReport) -> str:
    more = report.counts.samples - report.usual
    if not more:
        return "the usual number"
    return f"the usual number is {report.usual:,}: {abs(more):,} {'more' if more > 0 else 'fewer'}"
