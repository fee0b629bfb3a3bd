"""Cut a COCO data set to categories, ids or a number of images; the result is a valid COCO data set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import compress
from pathlib import Path

import msgspec
import numpy as np
from msgspec import Raw

from segdata.arguments import FilePath, check_choice, local_path
from segdata.coco.file import Coco, Image, read_coco
from segdata.coco.writing import json_parts, replace_values
from segdata.errors import Fault, InvalidInputError, OnError
from segdata.files.ownership import check_inputs_outside, check_target_directory
from segdata.files.publishing import staged_directory
from segdata.files.root import check_root
from segdata.parallel import Progress, chosen_workers, silent
from segdata.sources.coco.faults import select_usable
from segdata.sources.coco.media import Media, check_media, check_names, count_unknown_files, place_images
from segdata.sources.coco.select import Choice, Crowd, Selection

#: Contents of a subset directory. `SUBSET` is the report; a directory without it was not written by this program.
INSTANCES = Path("annotations", "instances.json")
MEDIA_DIR = "images"
SUBSET = "subset.json"
CATEGORY_MAP = "category_map.json"


@dataclass(frozen=True)
class SubsetCategory:
    """A category of the subset.

    Attributes:
        id: its id in the subset.
        original_id: its id in the source.
        name: its name.
        annotations: number of its annotations.
    """

    id: int
    original_id: int
    name: str
    annotations: int


@dataclass(frozen=True)
class SubsetReport:
    """Report of `coco_subset`.

    Attributes:
        path: directory of the subset.
        choice: what was chosen.
        media: how the images were placed: linked, copied or not at all.
        samples: number of kept images.
        annotations: number of kept annotations.
        categories: categories of the subset, by id.
        images_left_out: number of images left out, by reason.
        annotations_left_out: number of annotations of kept images left out, by reason.
        found: counts from the source's JSON, and from the image files if they were checked.
        faults: faults of the images and annotations that were left out with ``on_error="skip"``.
        written: false after a dry run.
    """

    path: str
    choice: Choice
    media: Media
    samples: int
    annotations: int
    categories: tuple[SubsetCategory, ...]
    images_left_out: dict[str, int]
    annotations_left_out: dict[str, int]
    found: dict[str, int]
    faults: tuple[Fault, ...]
    written: bool


def coco_subset(
    annotations: FilePath,
    images: FilePath | None,
    dst_path: FilePath,
    *,
    choice: Choice | None = None,
    remap_ids: bool = False,
    strip_prefix: str = "",
    media: Media = "copy",
    on_error: OnError = "fail",
    workers: int | None = None,
    overwrite: bool = False,
    dry_run: bool = False,
    progress: Progress = silent,
) -> SubsetReport:
    """Write ``annotations/instances.json`` and ``images/`` of a subset; the text of kept objects does not change.

    Of the kept images, the files are checked unless `media` is ``"none"``: they exist and have the size that the JSON
    gives. Of the kept annotations, only the form of the mask is checked: it has polygons or RLE. No polygon is
    parsed; `check` does that. Annotations whose image or category is not in the file are faults too.

    Args:
        annotations: a COCO instances file.
        images: folder that its file names are relative to; needed unless `media` is ``"none"``.
        dst_path: directory to write.
        choice: what to keep; by default, all images with annotations.
        remap_ids: renumber the kept categories 1..K in the order of their old ids, and write ``category_map.json``.
        strip_prefix: start of the image names in the file to remove.
        media: how to place the images; files are never re-encoded.
        on_error: ``fail`` stops at faults; ``skip`` leaves out the images and annotations that have them and counts
            them. Images are chosen by the annotations that are left.
        workers: number of threads; all processors by default.
        overwrite: replace an existing subset at `dst_path`.
        dry_run: check everything, but write nothing.
        progress: reports progress.

    Raises:
        InvalidInputError: when the file is not COCO, a category is unknown, no image is left, or all images are below
            another folder than `images`.
        FaultsError: when several image objects name the file of a kept image, or, unless skipped, when there are
            faults; names each.
        SegDataError: when hard links are not possible.
        TargetExistsError: when `dst_path` already exists.
    """
    annotations, images, dst_path = local_path(annotations), local_path(images), local_path(dst_path)
    check_choice("media", media, Media)
    check_choice("on_error", on_error, OnError)
    workers = chosen_workers(workers)
    if images is None and media != "none":
        raise InvalidInputError(f"no image folder to {media} images from. Name it with --images, or use --media none.")
    check_inputs_outside(dst_path, annotations, images)
    check_target_directory(dst_path, overwrite=overwrite)
    coco, choice = read_coco(annotations, strip_prefix=strip_prefix), choice or Choice()
    check = partial(check_names, images or Path())
    if images and media != "none":
        check_root(annotations, images, [image.file_name for image in coco.images], "--images")
        check = partial(check_media, images, workers=workers, progress=progress)
    usable = select_usable(coco, choice, check, on_error=on_error)
    selection = usable.selection
    kept = [coco.images[row] for row in np.flatnonzero(selection.images)]
    found = _json_facts(coco)
    if images and media != "none":
        found |= {
            "gray_images": sum(one.gray for one in usable.media),
            "images_turned_by_exif": sum(one.turned for one in usable.media),
            "image_files_not_in_the_json": count_unknown_files(images, coco.images),
        }
    categories = _categories(coco, selection, remap_ids)
    report = SubsetReport(
        path=str(dst_path),
        choice=choice,
        media=media,
        samples=len(kept),
        annotations=int(np.count_nonzero(selection.annotations)),
        categories=categories,
        images_left_out=selection.images_left_out,
        annotations_left_out=selection.annotations_left_out,
        found=found,
        faults=tuple(usable.faults),
        written=not dry_run,
    )
    if not dry_run:
        with staged_directory(dst_path, overwrite=overwrite) as staging:
            kept_objects = _kept_objects(coco, selection, categories if remap_ids else (), choice.crowd)
            _write_json(staging / INSTANCES, coco, kept_objects)
            if images and media != "none":
                names = [image.file_name for image in kept]
                place_images(images, staging / MEDIA_DIR, names, media, workers=workers, progress=progress)
            if remap_ids:
                (staging / CATEGORY_MAP).write_bytes(_category_map(categories))
            (staging / SUBSET).write_bytes(_without_paths(report))
    return report


def _json_facts(coco: Coco) -> dict[str, int]:
    ids = [category.id for category in coco.categories]
    return {
        **coco.annotations.traits,
        "without_info": int("info" not in coco.members),
        "without_licenses": int("licenses" not in coco.members),
        "category_id_holes": max(ids) - min(ids) + 1 - len(ids) if ids else 0,
        "file_names_with_folders": sum("/" in image.file_name for image in coco.images),
    }


def _categories(coco: Coco, selection: Selection, remap_ids: bool) -> tuple[SubsetCategory, ...]:
    counts = np.bincount(coco.annotations.category[selection.annotations], minlength=len(coco.categories))
    rows = [row for row in coco.label_order() if selection.categories[row]]
    return tuple(
        SubsetCategory(
            id=number if remap_ids else coco.categories[row].id,
            original_id=coco.categories[row].id,
            name=coco.categories[row].name,
            annotations=int(counts[row]),
        )
        for number, row in enumerate(rows, start=1)
    )


def _write_json(path: Path, coco: Coco, kept: Mapping[str, Iterable[Raw]]) -> None:
    path.parent.mkdir()
    with path.open("wb") as file:
        file.writelines(json_parts(coco.members, kept))


def _kept_objects(
    coco: Coco, selection: Selection, remapped: Sequence[SubsetCategory], crowd: Crowd
) -> dict[str, Iterable[Raw]]:
    flags = {
        "images": selection.images,
        "annotations": selection.annotations,
        "categories": selection.categories,
    }
    kept: dict[str, Iterable[Raw]] = {key: compress(coco.members[key], flags[key].tolist()) for key in flags}
    kept["images"] = map(_with_name, kept["images"], compress(coco.images, flags["images"].tolist()))
    if crowd == "object":
        crowds = coco.annotations.crowd[selection.annotations].tolist()
        kept["annotations"] = map(_as_object, kept["annotations"], crowds)
    if remapped:
        by_original = {item.original_id: Raw(str(item.id).encode()) for item in remapped}
        new = [by_original.get(category.id, Raw()) for category in coco.categories]
        used = coco.annotations.category[selection.annotations]
        kept["annotations"] = map(partial(_with, "category_id"), kept["annotations"], (new[row] for row in used))
        kept["categories"] = map(partial(_with, "id"), kept["categories"], compress(new, flags["categories"]))
    return kept


def _with(key: str, raw: Raw, value: Raw) -> Raw:
    return replace_values(raw, {key: value})


def _with_name(raw: Raw, image: Image) -> Raw:
    """Return an image object with the name as read: with slashes, and without the prefix to remove."""
    same = msgspec.json.decode(raw, type=Image).file_name == image.file_name
    return raw if same else _with("file_name", raw, Raw(msgspec.json.encode(image.file_name)))


def _as_object(raw: Raw, crowd: bool) -> Raw:
    return _with("iscrowd", raw, Raw(b"0")) if crowd else raw


def _category_map(categories: Sequence[SubsetCategory]) -> bytes:
    entries = [{"id": item.id, "original_id": item.original_id, "name": item.name} for item in categories]
    return msgspec.json.format(msgspec.json.encode(entries), indent=2) + b"\n"


def _without_paths(report: SubsetReport) -> bytes:
    """Return the report as JSON without paths: the same inputs and options give the same bytes in any folder."""
    members = {key: value for key, value in asdict(report).items() if key not in ("path", "written")}
    return msgspec.json.format(msgspec.json.encode(members), indent=2) + b"\n"
