"""The command that divides a list into training and validation."""

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


@click.command("split")
@click.argument("data_lst", metavar="LIST", type=EXISTING_FILE)
@click.option(
    "--ratio",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    required=True,
    help="Share for training, such as 0.8",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the draw")
@click.option("--stratify", is_flag=True, help="Keep the shares of classes even, by the labels")
@click.option("--group", metavar="REGEX", help="Keep images together in whose path this finds the same")
@click.option("--data_root", type=EXISTING_DIR, help="With --stratify: what LIST is relative to [default: its folder]")
@click.option("--dst_path", type=ANY_PATH, metavar="DIR", help="Folder to write the lists to [default: LIST's]")
@workers_option
@overwrite_option
@dry_run_option
@json_option
def split_command(data_lst: Path, as_json: bool, **options: Any) -> None:
    """Split a list into NAME_train.txt and NAME_val.txt, each in the order of LIST.

    NAME is LIST's name without its ending, and without _lst or _list before it. The side of an image depends on
    the seed and its path alone: it stays when other images are added or removed. So the ratio is met on average,
    not exactly.

    --group keeps what belongs together (frames of a video, slices of a patient) on one side: images whose paths agree
    in what REGEX finds, or in what its first parenthesis does.

    --stratify divides the images, or groups, by the rarest class in them and takes the ratio of each part, so that
    every class is about as frequent on both sides. 255 is no class. When samples are added, images at the boundary of
    their part may then change sides, and those for which another class has become the rarest.

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
        grouped = f" in {groups} groups" if report.groups != report.samples else ""
        lines.append(f"{samples} samples{grouped} ({share}) {verb} {path}")
    if report.classes:
        rows: list[tuple[str, ...]] = [("class", "images", "of train", "of val")]
        rows += [(str(item.id), str(item.images), f"{item.train:.1%}", f"{item.val:.1%}") for item in report.classes]
        lines += ["", table(rows, right=range(4))]
    return "\n".join(lines)
