"""Cut a COCO data set to categories, ids or a number of images; the result is a valid COCO data set."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import chain, compress, repeat
from pathlib import Path
from typing import BinaryIO

import msgspec
import numpy as np
from msgspec import Raw

from segdata.coco.file import Coco, Image, read_coco
from segdata.errors import InvalidInputError
from segdata.files import check_target_directory, staged_directory
from segdata.parallel import Progress, default_workers, silent
from segdata.sources.coco.media import Media, check_media, check_names, count_unknown_files, place_images
from segdata.sources.coco.select import Choice, Selection, select

#: Contents of a subset directory. `SUBSET` is the report; a directory without it was not written by this program.
INSTANCES = Path("annotations", "instances.json")
MEDIA_DIR = "images"
SUBSET = "subset.json"
CATEGORY_MAP = "category_map.json"


@dataclass(frozen=True)
class SubsetCategory:
    """A category of the subset: its id there and in the source, and its number of annotations."""

    id: int
    original_id: int
    name: str
    annotations: int


@dataclass(frozen=True)
class SubsetReport:
    """Report of `coco_subset`: counts of kept objects, of those left out by reason, and of oddities in the source.

    Attributes:
        found: counts from the source's JSON, and from the image files if they were checked.
        resized: one sentence for each kept image whose file has a different size than the JSON says.
    """

    choice: Choice
    media: Media
    images: int
    annotations: int
    categories: tuple[SubsetCategory, ...]
    images_left_out: dict[str, int]
    annotations_left_out: dict[str, int]
    found: dict[str, int]
    resized: tuple[str, ...]
    target: str
    written: bool


def coco_subset(
    annotations: Path,
    images: Path | None,
    dst_path: Path,
    *,
    choice: Choice | None = None,
    remap_ids: bool = False,
    media: Media = "copy",
    workers: int | None = None,
    overwrite: bool = False,
    dry_run: bool = False,
    progress: Progress = silent,
) -> SubsetReport:
    """Write ``annotations/instances.json`` and ``images/`` of a subset; the text of kept objects does not change.

    Args:
        annotations: a COCO instances file.
        images: folder that its file names are relative to; needed unless `media` is ``"none"``.
        dst_path: directory to write.
        choice: what to keep; by default, all images with annotations.
        remap_ids: renumber the kept categories 1..K in the order of their old ids, and write ``category_map.json``.
        media: how to place the images; files are never re-encoded.
        workers: number of threads; all processors by default.
        overwrite: replace an existing subset at `dst_path`.
        dry_run: check everything, but write nothing.
        progress: reports progress.

    Raises:
        InvalidInputError: when the file is not COCO, a category is unknown or no image is left.
        FaultsError: when image files are missing, unreadable or outside `images`; names each.
        SegDataError: when hard links are not possible.
        TargetExistsError: when `dst_path` already exists.
    """
    if images is None and media != "none":
        raise InvalidInputError(f"no image folder to {media} images from. Name it with --images, or use --media none.")
    check_outside(dst_path, annotations, images)
    ours = _old_files(dst_path)
    check_target_directory(dst_path, overwrite=overwrite, ours=ours)
    workers = workers or default_workers()
    coco, choice = read_coco(annotations), choice or Choice()
    selection = select(coco, choice)
    kept = [coco.images[row] for row in np.flatnonzero(selection.images)]
    check_names(images or Path(), kept)
    found, resized = _json_facts(coco), tuple[str, ...]()
    if images and media != "none":
        checks = check_media(images, kept, workers=workers, progress=progress)
        resized = tuple(check.resized for check in checks if check.resized)
        found |= {
            "gray_images": sum(check.gray for check in checks),
            "images_turned_by_exif": sum(check.turned for check in checks),
            "images_of_another_size": len(resized),
            "image_files_not_in_the_json": count_unknown_files(images, coco.images),
        }
    categories = _categories(coco, selection, remap_ids)
    report = SubsetReport(
        choice=choice,
        media=media,
        images=len(kept),
        annotations=int(np.count_nonzero(selection.annotations)),
        categories=categories,
        images_left_out=selection.images_left_out,
        annotations_left_out=selection.annotations_left_out,
        found=found,
        resized=resized,
        target=str(dst_path),
        written=not dry_run,
    )
    if not dry_run:
        with staged_directory(dst_path, overwrite=overwrite, ours=ours) as staging:
            _write_json(staging / INSTANCES, coco, selection, categories if remap_ids else ())
            if images and media != "none":
                names = _unique_names(kept)
                place_images(images, staging / MEDIA_DIR, names, media, workers=workers, progress=progress)
            if remap_ids:
                (staging / CATEGORY_MAP).write_bytes(_category_map(categories))
            (staging / SUBSET).write_bytes(_without_paths(report))
    return report


def check_outside(target: Path, *sources: Path | None) -> None:
    """Refuse to overwrite the input.

    Raises:
        InvalidInputError: when one of `sources` is `target` or is inside it.
    """
    for source in sources:
        if source and source.resolve().is_relative_to(target.resolve()):
            raise InvalidInputError(
                f"{source}: is in {target}, which would be replaced. Choose another target with --dst_path."
            )


def _old_files(target: Path) -> tuple[str, ...]:
    """Return the entries of an existing subset at `target`; nothing if no report marks it as a subset."""
    return (INSTANCES.parts[0], MEDIA_DIR, SUBSET, CATEGORY_MAP) if (target / SUBSET).is_file() else ()


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
    rows = sorted(np.flatnonzero(selection.categories), key=lambda row: coco.categories[row].id)
    return tuple(
        SubsetCategory(
            id=number if remap_ids else coco.categories[row].id,
            original_id=coco.categories[row].id,
            name=coco.categories[row].name,
            annotations=int(counts[row]),
        )
        for number, row in enumerate(rows, start=1)
    )


def _unique_names(images: Sequence[Image]) -> list[str]:
    return list(dict.fromkeys(image.file_name for image in images))


def _write_json(path: Path, coco: Coco, selection: Selection, remapped: Sequence[SubsetCategory]) -> None:
    kept = _kept_objects(coco, selection, remapped)
    path.parent.mkdir()
    with path.open("wb") as file:
        separator = b"{"
        for key, value in coco.members.items():
            file.write(separator + msgspec.json.encode(key) + b": ")
            separator = b", "
            if key in kept:
                _write_list(file, kept[key])
            else:
                file.write(msgspec.json.encode(value))
        file.write(b"}\n")


def _kept_objects(coco: Coco, selection: Selection, remapped: Sequence[SubsetCategory]) -> dict[str, Iterable[Raw]]:
    flags = {
        "images": selection.images,
        "annotations": selection.annotations,
        "categories": selection.categories,
    }
    kept: dict[str, Iterable[Raw]] = {key: compress(coco.members[key], flags[key].tolist()) for key in flags}
    if remapped:
        by_original = {item.original_id: Raw(str(item.id).encode()) for item in remapped}
        new = [by_original.get(category.id, Raw()) for category in coco.categories]
        used = coco.annotations.category[selection.annotations]
        kept["annotations"] = map(partial(_replace, "category_id"), kept["annotations"], (new[row] for row in used))
        kept["categories"] = map(partial(_replace, "id"), kept["categories"], compress(new, flags["categories"]))
    return kept


def _replace(key: str, raw: Raw, value: Raw) -> Raw:
    """Return the object with one value replaced; the text and order of the others do not change."""
    members = msgspec.json.decode(raw, type=dict[str, Raw])
    members[key] = value
    return Raw(msgspec.json.encode(members))


def _write_list(file: BinaryIO, objects: Iterable[Raw]) -> None:
    file.write(b"[")
    file.writelines(chain.from_iterable(zip(chain([b"\n"], repeat(b",\n")), objects, strict=False)))
    file.write(b"\n]")


def _category_map(categories: Sequence[SubsetCategory]) -> bytes:
    entries = [{"id": item.id, "original_id": item.original_id, "name": item.name} for item in categories]
    return msgspec.json.format(msgspec.json.encode(entries), indent=2) + b"\n"


def _without_paths(report: SubsetReport) -> bytes:
    """Return the report as JSON without paths: the same inputs and options give the same bytes in any folder."""
    members = {key: value for key, value in asdict(report).items() if key not in ("target", "written")}
    return msgspec.json.format(msgspec.json.encode(members), indent=2) + b"\n"
