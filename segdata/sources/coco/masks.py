"""Convert COCO instances to index masks, so that a COCO data set can also train a semantic model."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from segdata.arguments import FilePath, check_choice, check_several, local_path
from segdata.coco.file import Coco, CrowdMeaning, Image, read_coco
from segdata.coco.hints import duplicate_categories, prefix_hint
from segdata.coco.references import check_image_objects, orphans
from segdata.errors import Fault, FaultsError, InvalidInputError, OnError
from segdata.files.ownership import check_inputs_outside, check_target_directory
from segdata.files.paths import normal
from segdata.files.publishing import staged_directory
from segdata.files.root import check_root
from segdata.labels.classes import CLASS_NAMES, write_class_names
from segdata.labels.colormap import IGNORE
from segdata.lists import Pair, write_list
from segdata.parallel import Progress, chosen_workers, progress_map, silent
from segdata.sources.coco.faults import stop_at_faults
from segdata.sources.coco.painting import PaintedImage, entries_by_class, mask_name, paint_image
from segdata.sources.coco.select import find_categories
from segdata.sources.instances import is_background
from segdata.text import check_unique

MASKS = "masks"
_LIST = "coco_lst.txt"
BACKGROUND = "background"


@dataclass(frozen=True)
class MasksReport:
    """Report of `coco_to_masks`.

    Attributes:
        path: folder of the masks.
        list: path of the list.
        root: folder that the paths in the list are relative to, the nearest one above images and masks; `--data_root`
            of later commands.
        class_names: class names by id.
        masks: number of masks.
        empty_masks: number of masks with nothing but background and ignored pixels.
        annotations: number of painted annotations, crowds included.
        crowds: number of crowds among them, painted with the ignore label.
        left_out: number of annotations that were not painted, by reason.
        ignored_boxes: number of annotations among them whose box got the ignore label.
        without_mask: why images were left out.
        faults: faults of images and annotations.
        written: false after a dry run.
    """

    path: str
    list: str
    root: str
    class_names: tuple[str, ...]
    masks: int
    empty_masks: int
    annotations: int
    crowds: int
    left_out: dict[str, int]
    ignored_boxes: int
    without_mask: tuple[Fault, ...]
    faults: tuple[Fault, ...]
    written: bool


def coco_to_masks(
    annotations: FilePath,
    images: FilePath,
    dst_path: FilePath,
    *,
    categories: Sequence[str] = (),
    crowd: CrowdMeaning = "crowd",
    strip_prefix: str = "",
    on_error: OnError = "fail",
    workers: int | None = None,
    overwrite: bool = False,
    dry_run: bool = False,
    progress: Progress = silent,
) -> MasksReport:
    """Write ``masks/`` with an index PNG for each image of a COCO file, ``coco_lst.txt`` and ``classes.txt``.

    Where annotations overlap, the one with fewer pixels wins; if they have equally many, the later one in the file
    wins. Crowds get the ignore label (255) except where single objects cover them. All other pixels are background,
    class 0.

    Every image and every annotation to paint is checked as `check` does. Where the pixels of an object are unknown,
    none may become background: with ``on_error="skip"``, the box of an annotation with a fault gets the ignore label,
    over everything else in it, and an image is left out if such a box is missing or has a fault itself.

    Args:
        annotations: a COCO instances file.
        images: folder that its file names are relative to.
        dst_path: directory to write.
        categories: names or ids, in the order of the classes 1, 2, …; others are not painted. By default, all
            categories in the order of their ids.
        crowd: what `iscrowd` 1 means: a crowd, or one ``object``, as CVAT writes it for each mask of a brush.
        strip_prefix: start of the image names in the file to remove.
        on_error: ``fail`` stops at faults; ``skip`` ignores the boxes of annotations that have them, leaves out images
            that have them, and counts both.
        workers: number of threads; all processors by default.
        overwrite: replace existing masks at `dst_path`.
        dry_run: paint and check everything, but write nothing.
        progress: reports progress.

    Raises:
        InvalidInputError: when the file is not COCO, a category is unknown, there are more than 254 classes, or all
            images are below another folder than `images`.
        FaultsError: when several image objects name one file, several masks would have the same name, or no image is
            left; or, unless skipped, when there are faults: images are missing, unreadable, outside `images` or not of
            the size that the file says, annotations have an unusable mask or box, or their image or category is not in
            the file. Names each.
        TargetExistsError: when `dst_path` already exists.
    """
    check_several("categories", categories)
    annotations, images, dst_path = local_path(annotations), local_path(images), local_path(dst_path)
    check_choice("crowd", crowd, CrowdMeaning)
    check_choice("on_error", on_error, OnError)
    workers = chosen_workers(workers)
    check_inputs_outside(dst_path, annotations, images)
    check_target_directory(dst_path, overwrite=overwrite)
    coco = read_coco(annotations, crowd=crowd, strip_prefix=strip_prefix)
    rows = find_categories(coco, categories) if categories else coco.label_order()
    names = _class_names(coco, rows)
    check_root(annotations, images, [image.file_name for image in coco.images], "--images")
    check_image_objects(coco)
    check_unique(
        (mask_name(image) for image in coco.images), f"{annotations}: several images would get masks of the same name"
    )
    class_of = np.zeros(len(coco.categories), np.int32)
    class_of[rows] = np.arange(1, len(rows) + 1)
    root = Path(os.path.commonpath([normal(images), normal(dst_path)]))
    run = partial(_paint_all, coco, class_of, images, workers=workers, progress=progress)
    strict = on_error == "fail"
    if dry_run:
        painted = run(None, strict)
    else:
        with staged_directory(dst_path, overwrite=overwrite) as staging:
            painted = run(staging / MASKS, strict)
            write_class_names(staging / CLASS_NAMES, names)
            folders = normal(images).relative_to(root), normal(dst_path / MASKS).relative_to(root)
            pairs = [_pair(*folders, one.image) for one in painted if not one.without_mask]
            write_list(staging / _LIST, pairs, overwrite=False)
    return MasksReport(
        path=str(dst_path),
        list=str(dst_path / _LIST),
        root=str(root),
        class_names=names,
        masks=sum(not one.without_mask for one in painted),
        empty_masks=sum(one.empty for one in painted),
        annotations=sum(one.annotations for one in painted),
        crowds=sum(one.crowds for one in painted),
        left_out=_left_out(coco, class_of, painted),
        ignored_boxes=sum(one.ignored_boxes for one in painted),
        without_mask=tuple(one.without_mask for one in painted if one.without_mask),
        faults=tuple(_faults(coco, images, painted)),
        written=not dry_run,
    )


def _paint_all(
    coco: Coco,
    class_of: npt.NDArray[np.int32],
    images: Path,
    target: Path | None,
    strict: bool,
    *,
    workers: int,
    progress: Progress,
) -> list[PaintedImage]:
    paint = partial(paint_image, images, target)
    entries = entries_by_class(coco, class_of)
    painted = list(
        progress_map(paint, entries, total=len(coco.images), label="masks", progress=progress, workers=workers)
    )
    faults = _faults(coco, images, painted)
    if strict:
        stop_at_faults(coco.path, faults)
    without_mask = [one.without_mask for one in painted if one.without_mask]
    if painted and len(without_mask) == len(painted):
        hint = prefix_hint(images, without_mask, len(painted))
        raise FaultsError(
            f"{coco.path}: no image is left that can have a mask. Correct the images and annotations (segdata "
            "check says how)",
            [*hint, *without_mask],
        )
    return painted


def _faults(coco: Coco, images: Path, painted: Sequence[PaintedImage]) -> list[Fault]:
    found = [fault for one in painted for fault in one.faults]
    return [*prefix_hint(images, found, len(painted)), *orphans(coco), *found]


def _left_out(coco: Coco, class_of: npt.NDArray[np.int32], painted: Sequence[PaintedImage]) -> dict[str, int]:
    table = coco.annotations
    known = (table.image >= 0) & (table.category >= 0)
    counts = Counter(
        unknown_image=int(np.count_nonzero(table.image < 0)),
        unknown_category=int(np.count_nonzero((table.image >= 0) & (table.category < 0))),
        other_category=int(np.count_nonzero(class_of[table.category[known]] == 0)),
    )
    for one in painted:
        counts += one.left_out
    return dict(+counts)


def _pair(images: Path, masks: Path, image: Image) -> Pair:
    return Pair((images / image.file_name).as_posix(), (masks / mask_name(image)).as_posix())


def _class_names(coco: Coco, rows: Sequence[int]) -> tuple[str, ...]:
    if not 1 <= len(rows) < IGNORE:
        raise InvalidInputError(
            f"{coco.path}: {len(rows)} categories; expected 1 to {IGNORE - 1} for index masks. "
            "Select some with --category."
        )
    names = (BACKGROUND, *(coco.categories[row].name for row in rows))
    if named := [name for name in names[1:] if is_background(name)]:
        raise InvalidInputError(
            f"{coco.path}: has a category {named[0]!r}, the name of pixels without an object. Rename it, or name "
            "the other categories with --category."
        )
    if faults := duplicate_categories(coco, rows):
        raise FaultsError(
            f"{coco.path}: several classes have the same name; expected different names. Select categories by id, or "
            "rename them",
            faults,
        )
    return names
