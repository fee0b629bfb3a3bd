"""Commands for COCO data sets."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

import click

from segdata.console.options import (
    ANY_PATH,
    EXISTING_DIR,
    EXISTING_FILE,
    crowd_option,
    dry_run_option,
    json_option,
    on_error_option,
    overwrite_option,
    strip_prefix_option,
    workers_option,
)
from segdata.console.render import emit, progress_bar, table
from segdata.errors import name_first
from segdata.labels.colormap import IGNORE
from segdata.sources.coco.masks import MasksReport, coco_to_masks
from segdata.sources.coco.media import Media
from segdata.sources.coco.select import IMAGE_REASONS, CategoryMatch, Choice, Crowd, read_image_ids
from segdata.sources.coco.subset import SubsetReport, coco_subset
from segdata.text import plural

annotations_option = click.option("--annotations", type=EXISTING_FILE, required=True, help="COCO instances file")


@click.command("coco-subset")
@annotations_option
@click.option("--images", type=EXISTING_DIR, help="Folder of the images [required unless --media none]")
@click.option("--dst_path", type=ANY_PATH, required=True, help="Directory to write")
@click.option(
    "--category", "categories", multiple=True, metavar="NAME|ID", help="Keep images with this category; can be repeated"
)
@click.option(
    "--match",
    type=click.Choice(get_args(CategoryMatch)),
    default="any",
    show_default=True,
    help="With several categories: whether an image needs any or all of them",
)
@click.option("--only-matching", is_flag=True, help="Drop annotations of other categories from kept images")
@click.option("--image_ids", type=EXISTING_FILE, help="Keep only these images: a file with one id per line")
@click.option("--max_images", type=click.IntRange(min=1), help="Keep at most this many images, drawn with --seed")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed for --max_images")
@click.option(
    "--crowd",
    type=click.Choice(get_args(Crowd)),
    default="keep",
    show_default=True,
    help="Keep or drop crowd annotations, keep only those, or make each an object (iscrowd 0)",
)
@click.option("--keep-empty", is_flag=True, help="Keep images without annotations too")
@click.option(
    "--min_area", type=click.FloatRange(min=0), default=0, help="Drop annotations with a smaller area in pixels"
)
@click.option("--drop-unused", is_flag=True, help="Drop categories without annotations from the list")
@strip_prefix_option
@click.option("--remap-ids", is_flag=True, help="Renumber the categories 1..K and write category_map.json")
@click.option(
    "--media",
    type=click.Choice(get_args(Media)),
    default="copy",
    show_default=True,
    help="How images get into DST_PATH/images",
)
@on_error_option
@workers_option
@overwrite_option
@dry_run_option
@json_option
def coco_subset_command(images: Path | None, image_ids: Path | None, as_json: bool, **options: Any) -> None:
    """Select part of a COCO data set by category, image id or number of images.

    Writes annotations/instances.json and images/. Whatever is kept stays unchanged: ids, order, keys, the digits of
    numbers, the bytes of images. An image with a selected category keeps the annotations of all its categories unless
    --only-matching is given. The list of categories keeps only those selected or used. Annotations dropped by --crowd
    or --min_area do not count for --category. Images without annotations are left out unless --keep-empty is given;
    images that only have other categories do not count as images without annotations.

    What is kept is checked first. Image files must have the size that the JSON gives (unless --media none), annotations
    must have polygons or RLE, and the image and category of every annotation must be in the file. With
    --on-error skip, images are chosen by the annotations that have no faults. Polygons are not parsed; check does that.
    Several image objects of one file are always an error.

    \b
    Example:
      segdata coco-subset --annotations coco/annotations/instances_train2017.json --images coco/train2017 \\
          --dst_path books --category book --only-matching --remap-ids
    """
    if images is None and options["media"] != "none":
        raise click.UsageError("Missing option '--images'. Only '--media none' works without it.")
    ids = read_image_ids(image_ids) if image_ids else None
    choice = Choice(
        image_ids=ids, **{field.name: options.pop(field.name) for field in fields(Choice) if field.name in options}
    )
    report = coco_subset(images=images, choice=choice, progress=progress_bar, **options)
    emit(report, as_json, _subset_text)


def _subset_text(report: SubsetReport) -> str:
    verb = "written to" if report.written else "would be written to"
    rows: list[tuple[str, ...]] = [("id", "was", "category", "annotations")]
    rows += [(str(item.id), str(item.original_id), item.name, str(item.annotations)) for item in report.categories]
    lines = [
        f"{plural(report.samples, 'image')} with {plural(report.annotations, 'annotation')} {verb} {report.path}",
        table(rows, right=(0, 1, 3)),
        _counts("images left out", report.images_left_out, {key: text for key, (text, _) in IMAGE_REASONS.items()}),
        _counts("annotations left out", report.annotations_left_out, _ANNOTATION_REASONS),
        _found(report.found),
    ]
    if report.faults:
        lines.append(f"{plural(len(report.faults), 'fault')} left out:\n{name_first(report.faults)}")
    return "\n".join(line for line in lines if line)


#: Reasons for which annotations are left out, in words.
_ANNOTATION_REASONS = {
    "unknown_image": "with an unknown image",
    "unknown_category": "with an unknown category",
    "unusable": "with faults",
    "crowd": "that are crowds",
    "not_crowd": "that are not crowds",
    "below_min_area": "smaller than --min_area",
    "other_category": "of other categories",
    "image_left_out": "of images left out",
}


def _counts(what: str, counts: dict[str, int], reasons: dict[str, str]) -> str:
    named = ", ".join(f"{count} {reasons[key]}" for key, count in counts.items() if count)
    return f"{what}: {named}" if named else ""


#: Objects and files of a data set that not every program expects: the noun, and what follows it.
_FOUND = {
    "without_iscrowd": ("annotation", " without iscrowd"),
    "without_segmentation": ("annotation", " without a segmentation"),
    "polygons_of_several_parts": ("object", " of several polygons"),
    "compressed_rle": ("compressed RLE", ""),
    "uncompressed_rle": ("uncompressed RLE", ""),
    "category_id_holes": ("unused category id", ""),
    "file_names_with_folders": ("file name", " with folders"),
    "gray_images": ("gray image", ""),
    "images_turned_by_exif": ("image", " rotated by EXIF"),
    "image_files_not_in_the_json": ("image file", " not in the JSON"),
}

#: Members that a COCO JSON does not have.
_LACKING = {"without_info": "no info", "without_licenses": "no licenses"}


def _found(counts: dict[str, int]) -> str:
    named = [_LACKING.get(key) or _counted(count, *_FOUND[key]) for key, count in counts.items() if count]
    return f"in the source: {', '.join(named)}" if named else ""


def _counted(count: int, noun: str, rest: str) -> str:
    return plural(count, noun) + rest


@click.command("coco-to-masks")
@annotations_option
@click.option("--images", type=EXISTING_DIR, required=True, help="Folder of the images")
@click.option("--dst_path", type=ANY_PATH, required=True, help="Directory to write")
@click.option(
    "--remap",
    "--category",
    "categories",
    multiple=True,
    metavar="NAME|ID",
    help="Category for class 1, then for class 2, … [default: all, by id]",
)
@strip_prefix_option
@crowd_option
@on_error_option
@workers_option
@overwrite_option
@dry_run_option
@json_option
def coco_to_masks_command(as_json: bool, **options: Any) -> None:
    """Turn COCO instances into index masks, with a list file and a file of class names.

    Where annotations overlap, the one with fewer pixels is visible. Crowds become 255 where there is no single object;
    CVAT writes each brush mask as a crowd, which --crowd object reads as an object. Categories that are not named
    become background, class 0. Every image in the file gets a mask. The paths in the list are relative to the nearest
    folder above both images and masks; the report names this folder.

    Every image, and every annotation of these categories, is checked first, as check does. With --on-error skip, the
    box of a bad annotation becomes 255, with everything in it, so that no pixel of its object becomes background. An
    image is left out if that box is unusable too, or if the image itself is bad. Several image objects of one file are
    always an error.

    \b
    Example:
      segdata coco-to-masks --annotations books/annotations/instances.json --images books/images \\
          --dst_path books_masks --remap book --remap person
    """
    emit(coco_to_masks(progress=progress_bar, **options), as_json, _masks_text)


def _masks_text(report: MasksReport) -> str:
    verb = "written to" if report.written else "would be written to"
    lines = [
        f"{plural(report.masks, 'mask')} of {plural(report.annotations, 'annotation')} {verb} {report.path}",
        f"list: {report.list}, with paths relative to {report.root}",
        f"{len(report.class_names)} classes, {report.class_names[0]} included; "
        f"{plural(report.crowds, 'crowd')} became {IGNORE}; {plural(report.empty_masks, 'mask')} without objects",
        _counts("annotations left out", report.left_out, _ANNOTATION_REASONS),
    ]
    if report.annotations and report.annotations == report.crowds:
        lines.append("no mask shows an object: if each crowd is one object, use --crowd object")
    if report.ignored_boxes:
        lines.append(f"boxes of faulty annotations that became {IGNORE}: {report.ignored_boxes}")
    if report.without_mask:
        lines.append(f"images left out: {len(report.without_mask)}\n{name_first(report.without_mask)}")
    if report.faults:
        lines.append(f"{plural(len(report.faults), 'fault')} left out:\n{name_first(report.faults)}")
    return "\n".join(line for line in lines if line)
