"""Convert COCO instances to index masks, so that a COCO data set can also train a semantic model."""

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
from segdata.text import check_unique, plural

MASKS = "masks"
_LIST = "coco_lst.txt"
CLASS_NAMES = "classes.txt"
BACKGROUND = "background"


@dataclass(frozen=True)
class MasksReport:
    """Report of `coco_to_masks`.

    Attributes:
        data_root: the folder that the paths in the list are relative to: the nearest one above images and masks.
        classes: class names by id.
        masks: number of masks.
        empty_masks: number of masks with nothing but background and ignored pixels.
        annotations: number of painted annotations, crowds included.
        crowds: number of crowds among them, painted with the ignore index.
        left_out: number of annotations that were not painted, by reason.
        unusable: one sentence for each annotation with an invalid segmentation.
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
    """Write ``masks/`` with an index PNG for each image of a COCO file, ``coco_lst.txt`` and ``classes.txt``.

    Where annotations overlap, the one with fewer pixels wins; if they have equally many, the later one in the file
    wins. Crowds get the ignore index (255) except where single objects cover them. All other pixels are background,
    class 0.

    Args:
        annotations: a COCO instances file.
        images: folder that its file names are relative to.
        dst_path: directory to write.
        categories: names or ids, in the order of the classes 1, 2, …; others are not painted. By default, all
            categories in the order of their ids.
        workers: number of threads; all processors by default.
        overwrite: replace existing masks at `dst_path`.
        dry_run: paint and check everything, but write nothing.
        progress: reports progress.

    Raises:
        InvalidInputError: when the file is not COCO, a category is unknown, or there are more than 254 classes.
        FaultsError: when images are missing, unreadable, outside `images` or not of the size that the file says, or
            when several masks would have the same name; names each.
        TargetExistsError: when `dst_path` already exists.
    """
    check_outside(dst_path, annotations, images)
    ours = (MASKS, _LIST, CLASS_NAMES) if (dst_path / _LIST).is_file() else ()
    check_target_directory(dst_path, overwrite=overwrite, ours=ours)
    coco = read_coco(annotations)
    by_id = sorted(range(len(coco.categories)), key=lambda row: coco.categories[row].id)
    rows = find_categories(coco, categories) if categories else by_id
    names = _class_names(coco, rows)
    check_unique(
        (mask_name(image) for image in coco.images), f"{annotations}: several images would get masks of the same name"
    )
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
    """Return the path of an image's mask in the folder of masks: its file name as PNG, sub-folders included."""
    name = PurePosixPath(image.file_name)
    return str(name.parent / f"{name.stem}.png")


def _pair(images: Path, masks: Path, image: Image) -> Pair:
    return Pair((images / image.file_name).as_posix(), (masks / mask_name(image)).as_posix())


def _class_names(coco: Coco, rows: Sequence[int]) -> tuple[str, ...]:
    if not 1 <= len(rows) < IGNORE:
        raise InvalidInputError(
            f"{coco.path}: {len(rows)} categories; expected 1 to {IGNORE - 1} for index masks. "
            "Select some with --category."
        )
    names = (BACKGROUND, *(coco.categories[row].name for row in rows))
    check_unique(names, f"{coco.path}: several classes have the same name; select categories by id, or rename them")
    return names


def _write_class_names(path: Path, names: tuple[str, ...]) -> None:
    path.write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
    if read_class_names(path) != names:
        raise InvalidInputError(
            f"{CLASS_NAMES}: cannot hold these names, one per line: {', '.join(names[1:])}. Rename the categories."
        )


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
    """Result of painting one image: its fault, or its counts."""

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
        raise FaultsError(
            f"{images}: {len(faults)} of {plural(len(painted), 'image')} cannot be converted",
            faults,
        )
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
    """Paint shapes with their class ids, 255 for crowds; return the index mask ``(height, width)`` uint8.

    Crowds are painted first, then the shapes from largest to smallest, so that small objects stay visible on top of
    large ones.
    """
    from pycocotools import mask

    ids = np.zeros((height, width), np.uint8)
    for shape, id_ in sorted(shapes, key=lambda item: (item[1] != IGNORE, -int(mask.area(item[0])))):
        ids[decode_rle(shape) == 1] = id_
    return ids
