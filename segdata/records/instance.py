"""Instance task: check which images and annotations of a COCO JSON can become rows, and read the rows."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from segdata.cluster import Workers
from segdata.coco.annotations import Entry, check_image_size, entries, measure, orphans
from segdata.coco.file import Coco
from segdata.errors import Fault, InvalidInputError
from segdata.files import resolve
from segdata.images.header import ImageHeader
from segdata.images.reading import inspect_image
from segdata.images.values import ValueRange
from segdata.parallel import Progress, ordered_map
from segdata.records.layout import blob_overhead, row_faults
from segdata.records.manifest import ClassInfo
from segdata.records.rows import ImageTotals, Rows, change_mark
from segdata.records.schema import INSTANCE, Row, pack_masks
from segdata.regular import read_regular


@dataclass(frozen=True, slots=True)
class Instances:
    """One image with its instances: a row without the bytes of the image.

    Attributes:
        boxes: x1, y1, x2, y2 in pixels, clipped to the image, ``(N, 4)`` float32.
        labels: 1 to K, ``(N,)`` int32.
        iscrowd: 0 or 1, ``(N,)`` int32.
        masks: see `pack_masks`.
    """

    image_id: int
    file_name: str
    height: int
    width: int
    boxes: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int32]
    iscrowd: npt.NDArray[np.int32]
    masks: bytes


@dataclass(frozen=True)
class _ImageCheck:
    """Result of checking an image and its annotations; `item` is absent if the image cannot become a row."""

    item: Instances | None
    areas: tuple[int, ...]
    size: int
    change_mark: int
    faults: tuple[Fault, ...]
    orientation: int
    header: ImageHeader | None = None


def check_annotated_images(
    coco: Coco,
    images: Path,
    *,
    drop_empty: bool,
    value_range: ValueRange | None,
    decode: bool,
    workers: Workers,
    progress: Progress,
) -> Rows[Instances]:
    """Check every image and annotation: the files exist, sizes match the JSON, each mask and box has an area.

    A faulty annotation is left out of its image; a faulty image is left out entirely.

    Args:
        coco: the annotations.
        images: folder of the images; file names are relative to it.
        drop_empty: leave out and count images without instances.
        value_range: samples of deep images that mean black and white.
        decode: decode every image instead of only reading its header.
        workers: number of threads, or a cluster.
        progress: reports progress.
    """
    images = images.absolute()
    found: list[Instances] = []
    sizes: list[int] = []
    change_marks: list[int] = []
    faults = orphans(coco)
    rotated: list[str] = []
    pixels, instances, holding = Counter[int](), Counter[int](), Counter[int]()
    images_of = ImageTotals()
    empty = 0
    with progress(total=len(coco.images), label="check") as advance:
        check = partial(_check_annotated_image, images, value_range, decode)
        for result in ordered_map(check, entries(coco), workers=workers):
            advance(1)
            faults.extend(result.faults)
            item = result.item
            if item is None:
                continue
            if result.orientation != 1:
                rotated.append(f"{item.file_name}: EXIF orientation {result.orientation}")
            if drop_empty and not len(item.labels):
                empty += 1
                continue
            found.append(item)
            images_of.add(result.header)
            sizes.append(result.size)
            change_marks.append(result.change_mark)
            holding.update(set(item.labels.tolist()))
            for label, area in zip(item.labels.tolist(), result.areas, strict=True):
                pixels[label] += area
                instances[label] += 1
    categories = sorted(coco.categories, key=lambda category: category.id)
    return Rows(
        task="instance",
        schema=INSTANCE,
        items=tuple(found),
        keys=tuple(str(item.image_id) for item in found),
        read=partial(read_instance_row, images),
        sizes=np.array(sizes, np.int64) + blob_overhead(INSTANCE),
        change_marks=np.array(change_marks, np.uint64),
        payload_bytes=sum(sizes),
        classes=tuple(
            ClassInfo(
                id=label,
                name=category.name,
                original_id=category.id,
                pixels=pixels[label],
                images=holding[label],
                instances=instances[label],
            )
            for label, category in enumerate(categories, start=1)
        ),
        ignore_label=None,
        ignore_pixels=0,
        samples=len(coco.images),
        empty=empty,
        faults=tuple(faults),
        rotated=tuple(rotated),
        images=images_of.summary(),
        value_range=value_range,
    )


def _check_annotated_image(folder: Path, value_range: ValueRange | None, decode: bool, entry: Entry) -> _ImageCheck:
    """Check one image and its annotations; report faults instead of raising."""
    image = entry.image
    try:
        path = resolve(folder, image.file_name)
        header = inspect_image(path, value_range, decode=decode)
        check_image_size(image, header.height, header.width)
    except InvalidInputError as error:
        return _ImageCheck(None, (), 0, 0, (Fault(error.code, image.file_name, str(error)),), 1)
    item, areas, faults = make_instances(entry, header.height, header.width)
    status = path.stat()
    size = status.st_size + len(item.masks) + item.boxes.nbytes + item.labels.nbytes + item.iscrowd.nbytes
    if too_large := row_faults(image.file_name, size + blob_overhead(INSTANCE)):
        return _ImageCheck(None, (), 0, 0, (*faults, *too_large), 1)
    content = (item.masks, item.boxes.tolist(), item.labels.tolist(), item.iscrowd.tolist())
    mark = change_mark(image, status.st_size, status.st_mtime_ns, content)
    return _ImageCheck(item, areas, size, mark, faults, header.orientation, header)


def make_instances(entry: Entry, height: int, width: int) -> tuple[Instances, tuple[int, ...], tuple[Fault, ...]]:
    """Return the instances of an image of `height` x `width` pixels, their areas in pixels, and the faults."""
    image = entry.image
    faults: list[Fault] = []
    kept: list[int] = []
    boxes, masks, areas = [], [], []
    for row, (_, shape) in enumerate(measure(entry, height, width)):
        if isinstance(shape, Fault):
            faults.append(shape)
            continue
        kept.append(row)
        boxes.append(shape.box)
        masks.append(shape.rle["counts"])
        areas.append(shape.area)
    item = Instances(
        image_id=image.id,
        file_name=image.file_name,
        height=height,
        width=width,
        boxes=np.array(boxes, np.float32).reshape(-1, 4),
        labels=entry.labels[np.array(kept, np.int64)],
        iscrowd=entry.iscrowd[np.array(kept, np.int64)],
        masks=pack_masks(masks),
    )
    return item, tuple(areas), tuple(faults)


def read_instance_row(images: Path, item: Instances) -> Row:
    """Read the row of an image: its file, byte for byte, and its instances."""
    return {
        "image_id": item.image_id,
        "file_name": item.file_name,
        "data": read_regular(resolve(images, item.file_name)),
        "height": item.height,
        "width": item.width,
        "boxes": item.boxes,
        "labels": item.labels,
        "iscrowd": item.iscrowd,
        "masks": item.masks,
    }
