"""Options that several commands share.

`workers_option`, `cluster_options` and `json_option` mean the same in every command that has them. Every command that
writes has `overwrite_option` and `dry_run_option`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar, get_args

import click

from segdata.cluster import Cluster
from segdata.coco.file import CrowdMeaning
from segdata.console.location import LOCAL_DATASET, LocalPath
from segdata.console.render import progress_bar
from segdata.errors import InvalidInputError, OnError
from segdata.images.values import Percentiles, ValueRange, parse_value_range
from segdata.labels.classes import Classes, read_class_names
from segdata.labels.colormap import IGNORE, VOC_CLASSES
from segdata.opening import open_dataset
from segdata.parallel import default_workers

_C = TypeVar("_C", bound=Callable[..., Any])

EXISTING_DIR = LocalPath(exists=True, file_okay=False)
EXISTING_FILE = LocalPath(exists=True, dir_okay=False)
ANY_PATH = LocalPath()


def _workers(_context: click.Context, _parameter: click.Parameter, value: int | None) -> int:
    return value or default_workers()


def png_name(_context: click.Context, _parameter: click.Parameter, value: Path | None) -> Path | None:
    """Return `value`, or refuse a name that does not end in .png; a callback for options."""
    if value and value.suffix.lower() != ".png":
        raise click.BadParameter(f"{value}: not a PNG; expected a name that ends in .png")
    return value


def names_in_file(_context: click.Context, _parameter: click.Parameter, file: Path | None) -> tuple[str, ...] | None:
    """Return the class names in `file`; a callback for options."""
    return read_class_names(file) if file else None


workers_option = click.option(
    "--workers", type=click.IntRange(min=1), callback=_workers, help="Parallel workers [default: all CPU cores]"
)
overwrite_option = click.option("--overwrite", is_flag=True, help="Replace what an earlier run wrote")
dry_run_option = click.option("--dry-run", is_flag=True, help="Show what would be done, but write nothing")
json_option = click.option("--json", "as_json", is_flag=True, help="Print the report as JSON")


def cluster_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --workers and --scheduler; the command receives `workers`, a number or a cluster."""

    @wraps(command)
    def choosing(scheduler: str | None, workers: int | None, **options: Any) -> Any:
        if scheduler and workers:
            raise click.UsageError("--workers is for this machine; --scheduler brings its own workers. Give only one.")
        return command(workers=Cluster(scheduler) if scheduler else workers or default_workers(), **options)

    for option in (
        click.option("--scheduler", metavar="tcp://HOST:PORT", help="Run on this Dask cluster instead of this machine"),
        click.option("--workers", type=click.IntRange(min=1), help="Parallel workers [default: all CPU cores]"),
    ):
        choosing = option(choosing)
    return choosing


on_error_option = click.option(
    "--on-error",
    type=click.Choice(get_args(OnError)),
    default="fail",
    show_default=True,
    help="On a bad sample: fail, or leave it out and count it",
)


def _value_range(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> ValueRange | Percentiles | None:
    try:
        return None if value is None else parse_value_range(value)
    except InvalidInputError as error:
        raise click.BadParameter(str(error), context, parameter) from error


value_range_option = click.option(
    "--value_range",
    callback=_value_range,
    metavar="LOW:HIGH|P%:Q%|auto",
    help="For images of more than 8 bits: samples that become black (0) and white (255)",
)


crowd_option = click.option(
    "--crowd",
    type=click.Choice(get_args(CrowdMeaning)),
    default="crowd",
    show_default=True,
    help="Meaning of iscrowd 1 in a JSON: a crowd, or an object, as CVAT writes brush masks",
)
images_option = click.option(
    "--images",
    type=EXISTING_DIR,
    help="For a JSON: folder of its images [default: images next to its folder, or its own folder]",
)
strip_prefix_option = click.option(
    "--strip_prefix", metavar="PREFIX", default="", help="Remove this start of the image names in a JSON"
)


def field_options(command: _C) -> _C:
    """Add --image_field and --label_field, which say what the rows of a set without a manifest mean."""
    for option in (
        click.option(
            "--label_field", metavar="FIELD", help="For a set without a manifest: field of its labels [default: label]"
        ),
        click.option(
            "--image_field", metavar="FIELD", help="For a set without a manifest: field of its images [default: data]"
        ),
    ):
        command = option(command)
    return command


def against_options(command: _C) -> _C:
    """Add --against and --against_images, which name data sets to compare with."""
    for option in (
        click.option(
            "--against_images",
            type=EXISTING_DIR,
            help="Data root of the lists, or folder of the images of the JSONs, that --against names [default: "
            "--data_root or --images]",
        ),
        click.option(
            "--against",
            type=LOCAL_DATASET,
            multiple=True,
            metavar="LIST|JSON|SET",
            help="Data set that must not share images with this one; can be repeated",
        ),
    ):
        command = option(command)
    return command


#: The options that define what the labels of a list mean; `read_classes` reads them.
CLASS_OPTIONS = ("num_classes", "class_names", "ignore_label")


def class_options(command: _C) -> _C:
    """Add the `CLASS_OPTIONS` to a command."""
    for option in (
        click.option(
            "--ignore_label", type=click.IntRange(0, 255), help="Label of pixels without a class [default: 255]"
        ),
        click.option("--class_names", type=EXISTING_FILE, help="Class names in id order, one per line, or a map file"),
        click.option(
            "--num_classes",
            type=click.IntRange(1, 255),
            help="Number of classes; ids are 0 to this minus 1 [default: VOC's 21]",
        ),
    ):
        command = option(command)
    return command


def read_classes(num_classes: int | None, class_names: Path | None, ignore_label: int | None) -> Classes | None:
    """Return the classes that the `CLASS_OPTIONS` define; None if none of them was given."""
    if num_classes is None and class_names is None and ignore_label is None:
        return None
    ignore = IGNORE if ignore_label is None else ignore_label
    return Classes(_names(num_classes, class_names, ignore), ignore)


def _names(num_classes: int | None, file: Path | None, ignore_label: int) -> tuple[str, ...]:
    if file is None:
        count = num_classes or len(VOC_CLASSES)
        return VOC_CLASSES if count == len(VOC_CLASSES) else tuple(f"class_{id_}" for id_ in range(count))
    names = read_class_names(file, ignore_label)
    if num_classes not in (None, len(names)):
        raise click.UsageError(
            f"--num_classes is {num_classes}, but {file} names {len(names)} class{'es' if len(names) != 1 else ''}"
        )
    return names


#: Options of `source_options` that `open_dataset` takes.
_PLACES = ("data_root", "images", "classes", "value_range", "crowd", "strip_prefix", "image_field", "label_field")


def dataset_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of `source_options`; the command receives the opened `dataset` instead."""

    @wraps(command)
    def opening(path: Path, **options: Any) -> Any:
        places = {name: options.pop(name) for name in _PLACES}
        dataset = open_dataset(path, **places, workers=options["workers"], progress=progress_bar)
        return command(dataset=dataset, **options)

    return source_options(opening)


def source_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the argument that names a data set and the options for opening it.

    The command receives the parameters of `open_dataset`.
    """

    @wraps(command)
    def reading(num_classes: int | None, class_names: Path | None, ignore_label: int | None, **options: Any) -> Any:
        return command(classes=read_classes(num_classes, class_names, ignore_label), **options)

    for option in (
        value_range_option,
        class_options,
        field_options,
        crowd_option,
        strip_prefix_option,
        images_option,
        click.option(
            "--data_root",
            type=EXISTING_DIR,
            help="For a list: folder that its paths are relative to [default: the list's folder]",
        ),
        click.argument("path", metavar="LIST|JSON|SET", type=LOCAL_DATASET),
    ):
        reading = option(reading)
    return reading
