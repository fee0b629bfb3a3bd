"""COCO instances to index masks, so that a COCO data set also trains a semantic model."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np
import numpy.typing as npt
from msgspec import Raw

from segdata.coco.file import Coco, Image, read_coco, read_shape
from segdata.coco.rle import Rle, decode_rle, to_rle
from segdata.errors import FaultsError, InvalidInputError
from segdata.files import check_target_directory, normal, resolve, staged_directory
from segdata.labels.colormap import IGNORE, read_class_names
from segdata.labels.masks import encode_index_png
from segdata.lists import Pair, write_list
from segdata.parallel import Progress, default_workers, ordered_map, silent
from segdata.sources.coco.media import check_medium
from segdata.sources.coco.select import find_categories
from segdata.sources.coco.subset import check_outside
from segdata.text import check_unique

MASKS = "masks"
_LIST = "coco_lst.txt"
CLASS_NAMES = "classes.txt"
BACKGROUND = "background"


@dataclass(frozen=True)
class MasksReport:
    """What `coco_to_masks` wrote.

    Attributes:
        data_root: the folder that the list's paths are relative to: the nearest above images and masks.
        classes: class names by id.
        masks: how many masks.
        empty_masks: how many of them are background or ignore alone.
        annotations: how many were painted, crowds among them.
        crowds: how many of those became ignore.
        left_out: annotations that were not painted, by reason.
        unusable: annotations whose segmentation is none; a sentence each.
    """

    target: str
    data_root: str
    list: str
    classes: tuple[str, ...]
    masks: int
    empty_masks: int
    annotations: int
    crowds: int
    left_out: dict[str, int]
    unusable: tuple[str, ...]
    written: bool


def coco_to_masks(
    annotations: Path,
    images: Path,
    dst_path: Path,
    *,
    categories: Sequence[str] = (),
    workers: int | None = None,
    overwrite: bool = False,
    dry_run: bool = False,
    progress: Progress = silent,
) -> MasksReport:
    """Write ``masks/``, an index PNG for each image of a COCO file, with ``coco_lst.txt`` and ``classes.txt``.

    Where annotations overlap, the one of fewer pixels is seen, and of equal ones the later in the file. Crowds are
    ignore (255) where no single object is. All else is background, class 0.

    Args:
        annotations: a COCO instances file.
        images: folder that its file names are relative to.
        dst_path: directory to write.
        categories: names or ids, in the order of the classes 1, 2, …; others are not painted. By default all
            categories by their id.
        workers: threads; all processors by default.
        overwrite: replace masks that lie at `dst_path`.
        dry_run: paint and check everything, write nothing.
        progress: shows how far it is.

    Raises:
        InvalidInputError: when the file is not COCO, a category is unknown, or there are more than 254 classes.
        FaultsError: naming every image that is missing, unreadable, outside of `images`, or of another size than
            the file says; and images whose masks would have the same name.
        TargetExistsError: when `dst_path` is taken.
    """
    check_outside(dst_path, annotations, images)
    ours = (MASKS, _LIST, CLASS_NAMES) if (dst_path / _LIST).is_file() else ()
    check_target_directory(dst_path, overwrite=overwrite, ours=ours)
    coco = read_coco(annotations)
    by_id = sorted(range(len(coco.categories)), key=lambda row: coco.categories[row].id)
    rows = find_categories(coco, categories) if categories else by_id
    names = _class_names(coco, rows)
    check_unique((mask_name(image) for image in coco.images), f"{annotations}: images whose masks have the same name")
    items, left_out = _items(coco, rows)
    root = Path(os.path.commonpath([normal(images), normal(dst_path)]))
    run = partial(_paint_all, items, images, workers=workers or default_workers(), progress=progress)
    if dry_run:
        painted = run(None)
    else:
        with staged_directory(dst_path, overwrite=overwrite, ours=ours) as staging:
            painted = run(staging / MASKS)
            _write_class_names(staging / CLASS_NAMES, names)
            folders = normal(images).relative_to(root), normal(dst_path / MASKS).relative_to(root)
            write_list(staging / _LIST, [_pair(*folders, image) for image in coco.images], overwrite=False)
    for one in painted:
        left_out += one.left_out
    return MasksReport(
        target=str(dst_path),
        data_root=str(root),
        list=str(dst_path / _LIST),
        classes=names,
        masks=len(painted),
        empty_masks=sum(one.empty for one in painted),
        annotations=sum(one.annotations for one in painted),
        crowds=sum(one.crowds for one in painted),
        left_out=dict(left_out),
        unusable=tuple(text for one in painted for text in one.unusable),
        written=not dry_run,
    )


def mask_name(image: Image) -> str:
    """Return the path of an image's mask below the folder of masks: its file name, sub-folders kept, as PNG."""
    name = PurePosixPath(image.file_name)
    return str(name.parent / f"{name.stem}.png")


def _pair(images: Path, masks: Path, image: Image) -> Pair:
    return Pair((images / image.file_name).as_posix(), (masks / mask_name(image)).as_posix())


def _class_names(coco: Coco, rows: Sequence[int]) -> tuple[str, ...]:
    if not 1 <= len(rows) < IGNORE:
        raise InvalidInputError(
            f"{coco.path}: {len(rows)} categories; an index mask takes 1 to {IGNORE - 1}, so choose some"
        )
    names = (BACKGROUND, *(coco.categories[row].name for row in rows))
    check_unique(names, f"{coco.path}: several classes of one name; choose categories by id, or rename them")
    return names


def _write_class_names(path: Path, names: tuple[str, ...]) -> None:
    path.write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
    if read_class_names(path) != names:
        raise InvalidInputError(f"names that a text file of one a line cannot hold: {', '.join(names[1:])}")


@dataclass(frozen=True)
class _Item:
    """An image and its annotations, each with the class id to paint."""

    image: Image
    annotations: tuple[tuple[Raw, int], ...]


def _items(coco: Coco, rows: Sequence[int]) -> tuple[list[_Item], Counter[str]]:
    table = coco.annotations
    class_of = np.zeros(len(coco.categories), np.int64)
    class_of[list(rows)] = np.arange(1, len(rows) + 1)
    ids = np.where(table.category < 0, 0, class_of[table.category])
    ids[table.crowd & (ids > 0)] = IGNORE
    left_out = Counter(
        unknown_image=int(np.count_nonzero(table.image < 0)),
        unknown_category=int(np.count_nonzero((table.image >= 0) & (table.category < 0))),
        other_category=int(np.count_nonzero((table.image >= 0) & (table.category >= 0) & (ids == 0))),
    )
    items = [
        _Item(image, tuple((table.raw[row], int(ids[row])) for row in found if ids[row]))
        for image, found in coco.by_image()
    ]
    return items, left_out


@dataclass(frozen=True)
class _Painted:
    """What became of one image."""

    fault: str = ""
    empty: bool = False
    annotations: int = 0
    crowds: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    unusable: tuple[str, ...] = ()


def _paint_all(
    items: Sequence[_Item], images: Path, target: Path | None, *, workers: int, progress: Progress
) -> list[_Painted]:
    painted = []
    with progress(total=len(items), label="masks") as advance:
        for one in ordered_map(partial(_paint_one, images, target), items, workers=workers):
            advance(1)
            painted.append(one)
    faults = [one.fault for one in painted if one.fault]
    if faults:
        raise FaultsError(f"{images}: {len(faults)} of {len(painted)} images cannot get a mask", faults)
    return painted


def _paint_one(images: Path, target: Path | None, item: _Item) -> _Painted:
    check = check_medium(images, item.image)
    if check.fault or check.resized:
        return _Painted(fault=check.fault or check.resized)
    shapes, unusable = [], []
    for raw, id_ in item.annotations:
        annotation = read_shape(raw)
        try:
            shapes.append((to_rle(annotation.segmentation, *check.size), id_))
        except InvalidInputError as error:
            unusable.append(f"{item.image.file_name}: annotation {annotation.id}: {error}")
    mask = paint(shapes, *check.size)
    if target:
        path = resolve(target, mask_name(item.image))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode_index_png(mask))
    return _Painted(
        empty=not np.any((mask > 0) & (mask < IGNORE)),
        annotations=len(shapes),
        crowds=sum(id_ == IGNORE for _, id_ in shapes),
        left_out=Counter(unusable=len(unusable)),
        unusable=tuple(unusable),
    )


def paint(shapes: Sequence[tuple[Rle, int]], height: int, width: int) -> npt.NDArray[np.uint8]:
    """Return the index mask ``(height, width)`` uint8 of shapes and their class ids, 255 for crowds.

    Crowds come first, then the shape of the most pixels, so that small objects stay seen on top of large ones.
    """
    from pycocotools import mask

    ids = np.zeros((height, width), np.uint8)
    for shape, id_ in sorted(shapes, key=lambda item: (item[1] != IGNORE, -int(mask.area(item[0])))):
        ids[decode_rle(shape) == 1] = id_
    return ids
