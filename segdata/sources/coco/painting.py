"""Paint the annotations of one image as an index mask."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path, PurePosixPath

import numpy as np
import numpy.typing as npt

from segdata.coco.annotations import Entry, measure, stated_box
from segdata.coco.file import Coco, Image
from segdata.coco.rle import Rle, decode_rle
from segdata.errors import Fault, collecting
from segdata.files.paths import resolve
from segdata.labels.colormap import IGNORE
from segdata.labels.masks import encode_index_png
from segdata.sources.coco.media import read_medium

#: Label of an annotation whose category is not in the file: the class of its pixels is unknown.
_UNKNOWN = 0


@dataclass(frozen=True)
class PaintedImage:
    """Result of painting one image.

    Attributes:
        image: the image.
        without_mask: why the image has no mask; None if it has one.
        empty: whether the mask has nothing but background and ignored pixels.
        annotations: number of painted annotations, crowds included.
        crowds: number of crowds among them.
        ignored_boxes: number of annotations whose box got the ignore label.
        left_out: number of annotations of known categories that were not painted, by reason.
        faults: faults of the image, or of annotations of known categories.
    """

    image: Image
    without_mask: Fault | None = None
    empty: bool = False
    annotations: int = 0
    crowds: int = 0
    ignored_boxes: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    faults: tuple[Fault, ...] = ()


def entries_by_class(coco: Coco, class_of: npt.NDArray[np.int32]) -> Iterator[Entry]:
    """Yield each image, in file order, with the annotations to paint and those of unknown categories, labeled 0.

    Args:
        coco: the COCO file.
        class_of: class by row of the category; 0 for categories that are not painted.
    """
    table = coco.annotations
    labels = np.where(table.category < 0, _UNKNOWN, class_of[table.category])
    wanted = (labels > 0) | (table.category < 0)
    for image, found in coco.by_image():
        rows = found[wanted[found]]
        yield Entry(
            image=image,
            annotations=tuple(bytes(table.raw[row]) for row in rows.tolist()),
            labels=labels[rows],
            iscrowd=table.crowd[rows].astype(np.int32),
        )


@dataclass
class _Objects:
    """The annotations of an image: shapes with class ids, boxes to ignore, and what is wrong."""

    shapes: list[tuple[Rle, int]] = field(default_factory=list)
    boxes: list[Sequence[float]] = field(default_factory=list)
    without_box: list[str] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)


def paint_image(images: Path, target: Path | None, entry: Entry) -> PaintedImage:
    """Check an image and its annotations, and write its mask below `target`, if given; return faults, never raise them.

    The pixels of an annotation with a fault are unknown. The ignore label covers its box, last of all: the annotation
    may hide others or be hidden. If its box is unusable too, the image gets no mask.

    Args:
        images: folder of the images.
        target: folder of the masks; None to check only.
        entry: the image, with class ids as labels.
    """
    image, labeled = entry.image, int(np.count_nonzero(entry.labels))
    unreadable: list[Fault] = []
    size = (0, 0)
    with collecting(unreadable, image.file_name):
        size = read_medium(images, image).size
    if unreadable:
        return PaintedImage(image, unreadable[0], left_out=Counter(image_left_out=labeled), faults=tuple(unreadable))
    found = _measure(entry, *size)
    faults, unusable = tuple(found.faults), len(found.faults)
    if found.without_box:
        reason = Fault("bad_box", image.file_name, f"{', '.join(found.without_box)} without a usable box")
        left_out = Counter(unusable=unusable, image_left_out=labeled - unusable)
        return PaintedImage(image, reason, left_out=left_out, faults=faults)
    mask = paint(found.shapes, *size)
    for x1, y1, x2, y2 in found.boxes:
        mask[math.floor(y1) : math.ceil(y2), math.floor(x1) : math.ceil(x2)] = IGNORE
    if target:
        path = resolve(target, mask_name(image))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode_index_png(mask))
    return PaintedImage(
        image,
        empty=not np.any((mask > 0) & (mask < IGNORE)),
        annotations=len(found.shapes),
        crowds=sum(id_ == IGNORE for _, id_ in found.shapes),
        ignored_boxes=len(found.boxes),
        left_out=Counter(unusable=unusable),
        faults=faults,
    )


def _measure(entry: Entry, height: int, width: int) -> _Objects:
    found = _Objects()
    known = measure(entry.only(entry.labels != _UNKNOWN), height, width, found.faults)
    # An unknown category is a fault of the file that `orphans` finds, whatever the mask.
    unknown = measure(entry.only(entry.labels == _UNKNOWN), height, width, [])
    for one in chain(known, unknown):
        if one.shape and one.label != _UNKNOWN:
            found.shapes.append((one.shape.rle, IGNORE if one.crowd else one.label))
        elif box := stated_box(one, height, width):
            found.boxes.append(box)
        else:
            found.without_box.append(f"annotation {one.members.id}")
    return found


def mask_name(image: Image) -> str:
    """Return the path of an image's mask in the folder of masks: its file name as PNG, subfolders included."""
    name = PurePosixPath(image.file_name)
    return str(name.parent / f"{name.stem}.png")


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
