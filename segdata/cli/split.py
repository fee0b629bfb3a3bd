"""The `split` command: split a list or a COCO JSON into training, validation and test."""

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
from segdata.errors import InvalidInputError
from segdata.lists.draw import side_shares
from segdata.lists.split import split_list
from segdata.lists.split_report import SplitReport
from segdata.opening import dataset_kind
from segdata.sources.coco.split import split_coco
from segdata.text import plural


def _ratio(_context: click.Context, _parameter: click.Parameter, value: str) -> tuple[float, ...]:
    try:
        shares = tuple(float(share) for share in value.split(","))
        side_shares(shares)
    except ValueError as error:
        raise click.BadParameter(
            f"{value!r}: expected numbers with commas between them, such as 0.8,0.1,0.1"
        ) from error
    except InvalidInputError as error:
        raise click.BadParameter(str(error)) from error
    return shares


@click.command("split")
@click.argument("path", metavar="LIST|JSON", type=EXISTING_FILE)
@click.option(
    "--ratio",
    callback=_ratio,
    required=True,
    metavar="SHARE[,SHARE[,SHARE]]",
    help="Share of the train split, such as 0.8, or shares of train, val and test, such as 0.8,0.1,0.1",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the split")
@click.option("--exact", is_flag=True, help="Meet the ratio exactly; adding images may then move others")
@click.option("--stratify", is_flag=True, help="Balance the classes between the splits, by labels or annotations")
@click.option("--group", metavar="REGEX", help="Keep images together if REGEX finds the same text in their paths")
@click.option(
    "--data_root",
    type=EXISTING_DIR,
    help="With --stratify, for a list: folder that its paths are relative to [default: the list's folder]",
)
@click.option("--dst_path", type=ANY_PATH, metavar="DIR", help="Folder to write to [default: the folder of LIST|JSON]")
@workers_option
@overwrite_option
@dry_run_option
@json_option
def split_command(path: Path, data_root: Path | None, workers: int, as_json: bool, **options: Any) -> None:
    """Split a list or a COCO JSON into NAME_train, NAME_val and, with three shares, NAME_test.

    NAME is the file's name without its extension and without _lst or _list before it. Each result has the order of the
    original. A JSON's images keep all of their annotations, also images without any; all categories are in each result.

    An image's split depends only on the seed and its path, so it stays the same when other images are added or
    removed. The ratio is therefore met on average; the report shows the share that was reached. --exact meets it
    exactly instead, or with --group as nearly as undivided groups allow.

    A result of split can be split again: as long as it keeps its name, its draw does not repeat the earlier one. Under
    another name, choose another --seed.

    --group keeps related images (frames of a video, slices of a patient) in one split: those whose paths have the same
    match of REGEX, or of its first group if it has one.

    --stratify divides the images, or groups, into parts by the rarest class in them and applies the ratio to each part,
    so that every class is about equally frequent in all splits. 255 is not a class. When samples are added, images at
    the boundary of their part may change splits, and so may images for which another class has become the rarest.

    \b
    Example:
      segdata split data/train_lst.txt --ratio 0.8 --group '(patient_\\d+)'
      segdata split annotations/instances.json --ratio 0.8,0.1,0.1 --stratify
    """
    kind = dataset_kind(path)
    if kind == "records":
        raise click.UsageError(f"{path}: is part of a record set; expected a list or a COCO JSON")
    if kind == "coco":
        if data_root:
            raise click.UsageError("--data_root is for lists; a JSON is split by its annotations.")
        report = split_coco(path, **options)
    else:
        report = split_list(path, data_root=data_root, workers=workers, progress=progress_bar, **options)
    emit(report, as_json, _split_text)


def _split_text(report: SplitReport) -> str:
    verb = "written to" if report.written else "would be written to"
    noun = "sample" if report.annotations is None else "image"
    lines = []
    for side, path in report.files.items():
        counts = [plural(report.samples[side], noun)]
        if report.groups != report.samples:
            counts.append(f"in {plural(report.groups[side], 'group')}")
        if report.annotations:
            counts.append(f"with {plural(report.annotations[side], 'annotation')}")
        share = f"{report.reached[side]:.1%}, requested {report.ratio[side] * 100:g}%"
        lines.append(f"{' '.join(counts)} ({share}) {verb} {path}")
    if report.classes:
        rows = [("class", "images", *(f"of {side}" for side in report.files))]
        for item in report.classes:
            shares = (f"{share:.1%}" for share in item.shares.values())
            rows.append((item.name or str(item.id), str(item.images), *shares))
        lines += ["", table(rows, right=range(0 if report.annotations is None else 1, 5))]
    return "\n".join(lines)
