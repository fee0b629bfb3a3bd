"""Merge COCO JSONs into one: categories by name, images by file, ids distinct; no polygon is parsed or rewritten."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from segdata.coco.file import Coco, read_coco
from segdata.coco.hints import find_image_folder
from segdata.coco.references import check_image_objects, orphans
from segdata.coco.writing import json_parts
from segdata.errors import Fault, FaultsError, OptionError
from segdata.files.ownership import check_inputs_outside
from segdata.files.paths import normal
from segdata.files.publishing import write_file
from segdata.labels.mask_mapping import Unknown
from segdata.labels.united import classes_left_out
from segdata.sources.coco.merge_heads import merge_categories, merge_licenses, merge_others, part_classes
from segdata.sources.coco.merge_objects import MergedAnnotations, MergedImages
from segdata.sources.coco_export import check_target_json
from segdata.text import plural


@dataclass(frozen=True)
class CocoMergeReport:
    """Report about a merged COCO JSON.

    Attributes:
        path: path of the JSON.
        root: folder that its file names are relative to; `--images` of later commands.
        parts: number of images by JSON.
        samples: number of images.
        shared: number of images that an earlier JSON has as well; their annotations were joined.
        annotations: number of annotations.
        repeated: number of annotations of shared images left out because an earlier JSON has them.
        categories: number of annotations by category.
        left_out: number of annotations of other categories, by category.
        renumbered: number of objects with a new id, by list.
        warnings: members of which those of the first JSON were kept, though another has others.
        written: false after a dry run.
    """

    path: str
    root: str
    parts: dict[str, int]
    samples: int
    shared: int
    annotations: int
    repeated: int
    categories: dict[str, int]
    left_out: dict[str, int]
    renumbered: dict[str, int]
    warnings: tuple[Fault, ...]
    written: bool


def merge_jsons(
    jsons: Sequence[Path],
    dst_path: Path,
    *,
    images: Sequence[Path] = (),
    class_names: Sequence[str] | None = None,
    unknown: Unknown = "error",
    overwrite: bool = False,
    dry_run: bool = False,
) -> CocoMergeReport:
    """Write the images, annotations and categories of all JSONs, in their order; the text of shapes does not change.

    File names become relative to the nearest folder above all image folders. An object keeps its id unless an earlier
    one has it; then it gets the lowest free one.

    Args:
        jsons: COCO instances files.
        dst_path: JSON to write.
        images: folder of the images of each JSON; by default that of `find_image_folder`.
        class_names: the categories of the result, with ids from 1; by default those of all JSONs.
        unknown: ``ignore`` leaves out the annotations of other categories.
        overwrite: replace an existing JSON.
        dry_run: check everything, write nothing.

    Raises:
        FaultsError: for conflicts, annotations with an unknown image or category, and categories that are refused.
        InvalidInputError: when a JSON cannot be read.
        OptionError: when an image folder does not exist.
        TargetExistsError: when `dst_path` exists.
    """
    check_inputs_outside(dst_path, *jsons)
    check_target_json(dst_path, overwrite=overwrite)
    parts = [_read(path) for path in jsons]
    categories = merge_categories(parts, class_names, unknown=unknown)
    licenses = merge_licenses(parts)
    others, warnings = merge_others(parts)
    merged = MergedImages(parts, _folders(parts, images), licenses.ids)
    annotations = MergedAnnotations(parts, merged, categories.ids)
    lists = {"images": merged.raws, "annotations": annotations.raws, "categories": categories.raws}
    if licenses.raws is not None:
        lists["licenses"] = licenses.raws
    text = b"".join(json_parts(others, lists))
    if not dry_run:
        write_file(dst_path, text, overwrite=overwrite)
    return CocoMergeReport(
        path=str(dst_path),
        root=str(merged.root),
        parts={str(part.path): len(part.images) for part in parts},
        samples=len(merged.raws),
        shared=merged.shared,
        annotations=len(annotations.raws),
        repeated=annotations.repeated,
        categories=dict(zip(categories.names, annotations.by_category(categories.numbers), strict=True)),
        left_out=classes_left_out([part_classes(part) for part in parts], categories.names),
        renumbered={
            "images": merged.renumbered,
            "annotations": annotations.renumbered,
            "categories": categories.renumbered,
        },
        warnings=(*categories.warnings, *warnings),
        written=not dry_run,
    )


def _read(path: Path) -> Coco:
    coco = read_coco(path)
    check_image_objects(coco)
    if faults := orphans(coco):
        raise FaultsError(
            f"{path}: {plural(len(faults), 'annotation')} with an unknown image or category; nothing was written. "
            "Correct the ids, or leave them out with segdata coco-subset --keep-empty --on-error skip",
            faults,
        )
    return coco


def _folders(parts: Sequence[Coco], images: Sequence[Path]) -> list[Path]:
    folders = [normal(folder) for folder in images or map(find_image_folder, parts)]
    for part, folder in zip(parts, folders, strict=True):
        if not folder.is_dir():
            raise OptionError(f"{part.path}: image folder {folder} does not exist. Name the folder with --images.")
    return folders
