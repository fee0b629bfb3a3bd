"""The `stats` command: count the contents of a data set."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click

from segdata.console.options import ANY_PATH, cluster_options, dataset_options, json_option, overwrite_option, png_name
from segdata.console.render import emit, not_known, progress_bar, table
from segdata.draw.figures import to_png
from segdata.errors import name_first
from segdata.files.ownership import check_target_file
from segdata.files.publishing import write_file
from segdata.inspect.inputs import input_files
from segdata.inspect.stats import ClassStats, SizeCount, StatsReport, plots, stats as count
from segdata.text import plural


@click.command("stats")
@dataset_options
@click.option(
    "--plot", type=ANY_PATH, callback=png_name, metavar="FILE.png", help="Also plot classes, sizes and instances"
)
@cluster_options
@overwrite_option
@json_option
def stats_command(plot: Path | None, overwrite: bool, as_json: bool, **options: Any) -> None:
    """Show statistics: pixels and images per class, image sizes, mean and standard deviation of the colors.

    LIST, JSON or SET is a list file, a COCO JSON or a record set. Mean and standard deviation are taken over all
    pixels, not over images. The weights balance the classes in training (median-frequency balancing): the weight of a
    class is the median of all class frequencies divided by its own frequency, which is the share of the class in the
    images that show it.

    For instances, a pixel under two masks counts twice. Crowds are counted separately and are in no other number.

    \b
    Example:
      segdata stats data/voc_train_lst.txt --plot voc_train.png
    """
    if plot:
        check_target_file(plot, overwrite=overwrite, inputs=input_files(options["dataset"]))
    report = count(progress=progress_bar, **options)
    if plot:
        write_file(plot, to_png(plots.figure(report)), overwrite=overwrite)
    emit(report, as_json, partial(_stats_text, plot=plot))


def _stats_text(report: StatsReport, plot: Path | None) -> str:
    of_all = f"{report.samples - len(report.unreadable)} of {report.samples}" if report.unreadable else report.samples
    samples = f"{of_all} sample{'s' if report.samples != 1 else ''}"
    lines = [f"{report.path}: {report.task} data set, {samples} counted", "", _class_table(report), ""]
    if report.ignore_label is not None:
        lines.append(f"ignored    label {report.ignore_label}, {report.ignore_share:.2%} of all pixels")
    if report.instances_per_image is not None:
        crowds = plural(report.crowds or 0, "crowd")
        lines.append(f"instances  {_instances(report.instances_per_image)}; plus {crowds}")
    lines += [
        f"sizes      {_sizes(report.sizes)}",
        f"mean       {_color(report.mean)}",
        f"std        {_color(report.std)}",
    ]
    if plot:
        lines.append(f"plot       {plot}")
    lines += not_known(report.unknown)
    left_out = {"sample": report.unreadable, "annotation": report.annotations_left_out}
    for what, faults in left_out.items():
        if faults:
            left = f"{len(faults)} {what}{'s' if len(faults) != 1 else ''} left out"
            lines += [f"{left} (run segdata check for details):", name_first(faults)]
    if report.task == "semantic":
        weights = ",".join(_weight(item, "0", ".4g") for item in report.classes)
        lines += ["", f"--set class_weights=[{weights}]"]
    return "\n".join(lines)


def _class_table(report: StatsReport) -> str:
    """Return the table of classes: with instances for an instance set, with weights for a semantic set."""
    last = "weight" if report.task == "semantic" else "instances"
    rows: list[tuple[str, ...]] = [("id", "class", "pixels", "share", "images", last)]
    for item in report.classes:
        end = str(item.instances) if report.task == "instance" else _weight(item, "-", ".3f")
        rows.append((str(item.id), item.name, str(item.pixels), f"{item.share:.2%}", str(item.images), end))
    return table(rows, right=(0, 2, 3, 4, 5))


def _weight(item: ClassStats, unseen: str, form: str) -> str:
    return unseen if item.weight is None else format(item.weight, form)


def _instances(images: Sequence[int]) -> str:
    """Summarize the instances, given how many images have 0, 1, 2, … of them."""
    total = sum(number * count for number, count in enumerate(images))
    of_images = plural(sum(images), "image")
    return f"{total} in {of_images}, {images[0]} of them empty, at most {len(images) - 1} per image"


def _sizes(sizes: Sequence[SizeCount]) -> str:
    widths, heights = [size.width for size in sizes], [size.height for size in sizes]
    most = sizes[0]
    often = f"{most.width} x {most.height} pixels, {plural(most.images, 'image')}"
    if len(sizes) == 1:
        return often
    ranges = f"{min(widths)} to {max(widths)} wide, {min(heights)} to {max(heights)} high"
    return f"{len(sizes)} different, {ranges}; most frequent: {often}"


def _color(values: Sequence[float]) -> str:
    red, green, blue = values
    scaled = ", ".join(f"{value / 255:.4f}" for value in values)
    return f"R {red:.2f}  G {green:.2f}  B {blue:.2f}  (scaled to 1: {scaled})"
