"""The command that counts what a data set holds."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click

from segdata.console.options import (
    ANY_PATH,
    cluster_options,
    dataset_options,
    json_option,
    overwrite_option,
    png_name,
)
from segdata.console.render import emit, progress_bar, table
from segdata.draw.figures import to_png
from segdata.errors import name_first
from segdata.files import check_target_file, write_file
from segdata.inspect.stats import ClassStats, SizeCount, StatsReport, plots
from segdata.inspect.stats import stats as count


@click.command("stats")
@dataset_options
@click.option(
    "--plot", type=ANY_PATH, callback=png_name, metavar="FILE.png", help="Draw classes, sizes and instances too"
)
@cluster_options
@overwrite_option
@json_option
def stats_command(plot: Path | None, overwrite: bool, as_json: bool, **options: Any) -> None:
    """Count a data set: pixels and images of each class, image sizes, mean and deviation of the colors.

    LIST, JSON or SET is a list file, a COCO JSON or a record set. Mean and deviation are those of all pixels, not of
    images. The weights balance the classes in training: the median of the classes' frequencies over the class's own,
    where a frequency is the share of the class in the images that show it (median-frequency balancing).

    Of instances, a pixel under two masks counts twice; crowds are counted on their own and are in no other number.

    \b
    Example:
      segdata stats data/voc_train_lst.txt --plot voc_train.png
    """
    if plot:
        check_target_file(plot, overwrite=overwrite)
    report = count(progress=progress_bar, **options)
    if plot:
        write_file(plot, to_png(plots.figure(report)), overwrite=overwrite)
    emit(report, as_json, partial(_stats_text, plot=plot))


def _stats_text(report: StatsReport, plot: Path | None) -> str:
    of_all = f"{report.samples - len(report.left_out)} of {report.samples}" if report.left_out else report.samples
    lines = [f"{report.path}: {report.task} data set, {of_all} samples counted", "", _class_table(report), ""]
    if report.ignore_label is not None:
        lines.append(f"ignored    label {report.ignore_label}, {report.ignore_share:.2%} of all pixels")
    if report.instances_per_image is not None:
        lines.append(f"instances  {_instances(report.instances_per_image)}; {report.crowds} crowds beside them")
    lines += [
        f"sizes      {_sizes(report.sizes)}",
        f"mean       {_color(report.mean)}",
        f"std        {_color(report.std)}",
    ]
    if plot:
        lines.append(f"plot       {plot}")
    left_out = {"samples": report.left_out, "annotations": report.annotations_left_out}
    for what, faults in left_out.items():
        if faults:
            lines += [f"{len(faults)} {what} left out (segdata check says more):", name_first(faults)]
    if report.task == "semantic":
        weights = ",".join(_weight(item, "0", ".4g") for item in report.classes)
        lines += ["", f"--set class_weights=[{weights}]"]
    return "\n".join(lines)


def _class_table(report: StatsReport) -> str:
    """List the classes: instances in an instance set, weights in a semantic one."""
    last = "weight" if report.task == "semantic" else "instances"
    rows: list[tuple[str, ...]] = [("id", "class", "pixels", "share", "images", last)]
    for item in report.classes:
        end = str(item.instances) if report.task == "instance" else _weight(item, "-", ".3f")
        rows.append((str(item.id), item.name, str(item.pixels), f"{item.share:.2%}", str(item.images), end))
    return table(rows, right=(0, 2, 3, 4, 5))


def _weight(item: ClassStats, unseen: str, form: str) -> str:
    return unseen if item.weight is None else format(item.weight, form)


def _instances(images: Sequence[int]) -> str:
    """Say how many instances there are, given how many images have 0, 1, 2, … of them."""
    total = sum(number * count for number, count in enumerate(images))
    return f"{total} in {sum(images)} images, {images[0]} of them without, at most {len(images) - 1} in one"


def _sizes(sizes: Sequence[SizeCount]) -> str:
    widths, heights = [size.width for size in sizes], [size.height for size in sizes]
    most = sizes[0]
    often = f"{most.width} x {most.height} pixels, {most.images} images"
    if len(sizes) == 1:
        return often
    ranges = f"{min(widths)} to {max(widths)} wide, {min(heights)} to {max(heights)} high"
    return f"{len(sizes)} different, {ranges}; most frequent {often}"


def _color(values: Sequence[float]) -> str:
    red, green, blue = values
    scaled = ", ".join(f"{value / 255:.4f}" for value in values)
    return f"R {red:.2f}  G {green:.2f}  B {blue:.2f}  (of 1: {scaled})"
