"""The `split` command: split a list into training and validation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from segdata.console.options import (
    ANY_PATH,
    EXISTING_DIR,
    EXISTING_FILE,
    dry_run_option,
    json_option,
    overwrite_option,
    workers_option,
)
from segdata.console.render import emit, progress_bar, table
from segdata.lists.split import SplitReport, split_list
from segdata.text import plural


@click.command("split")
@click.argument("data_lst", metavar="LIST", type=EXISTING_FILE)
@click.option(
    "--ratio",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    required=True,
    help="Share of the training side, such as 0.8",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the split")
@click.option("--stratify", is_flag=True, help="Balance the classes between both sides, using the labels")
@click.option("--group", metavar="REGEX", help="Keep images together if REGEX finds the same text in their paths")
@click.option(
    "--data_root",
    type=EXISTING_DIR,
    help="With --stratify: folder that LIST's paths are relative to [default: LIST's folder]",
)
@click.option("--dst_path", type=ANY_PATH, metavar="DIR", help="Folder to write the lists to [default: LIST's folder]")
@workers_option
@overwrite_option
@dry_run_option
@json_option
def split_command(data_lst: Path, as_json: bool, **options: Any) -> None:
    """Split a list into NAME_train.txt and NAME_val.txt, each in the order of LIST.

    NAME is LIST's name without its extension and without _lst or _list before it. The side of an image depends only on
    the seed and its path, so it stays the same when other images are added or removed. The ratio is therefore met on
    average, not exactly.

    --group keeps related images (frames of a video, slices of a patient) on one side: those whose paths have the same
    match of REGEX, or of its first group if it has one.

    --stratify divides the images, or groups, into parts by the rarest class in them and applies the ratio to each part,
    so that every class is about equally frequent on both sides. 255 is not a class. When samples are added, images at
    the boundary of their part may change sides, and so may images for which another class has become the rarest.

    \b
    Example:
      segdata split data/train_lst.txt --ratio 0.8 --group '(patient_\\d+)'
    """
    report = split_list(data_lst, progress=progress_bar, **options)
    emit(report, as_json, _split_text)


def _split_text(report: SplitReport) -> str:
    verb = "written to" if report.written else "would be written to"
    lines = []
    for side, path in report.lists.items():
        samples, groups = report.samples[side], report.groups[side]
        share = f"{samples / sum(report.samples.values()):.1%}"
        grouped = f" in {plural(groups, 'group')}" if report.groups != report.samples else ""
        lines.append(f"{plural(samples, 'sample')}{grouped} ({share}) {verb} {path}")
    if report.classes:
        rows: list[tuple[str, ...]] = [("class", "images", "of train", "of val")]
        rows += [(str(item.id), str(item.images), f"{item.train:.1%}", f"{item.val:.1%}") for item in report.classes]
        lines += ["", table(rows, right=range(4))]
    return "\n".join(lines)
