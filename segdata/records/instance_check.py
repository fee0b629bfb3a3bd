"""Instance task: check which images and annotations of a COCO JSON can become rows."""

from __future__ import annotations

import os
from array import array
from collections import Counter
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from segdata.cluster import Workers
from segdata.coco.annotations import Annotation, Boxes, Entry, box_mismatch, entries, measure
from segdata.coco.file import Coco
from segdata.coco.hints import brush_crowds, only_crowds, prefix_hint
from segdata.coco.references import duplicate_images, orphans
from segdata.encoded import Encoded, File
from segdata.errors import Fault, FaultsError, collecting
from segdata.images.header import ImageHeader, check_size
from segdata.images.reading import inspect_image
from segdata.images.values import ValueRange
from segdata.mindrecord.rows import RowSize, measure_row
from segdata.parallel import Progress, map_faults
from segdata.records.instance import Instances, array_bytes, as_row, instance_mark, make_instances, read_instance_row
from segdata.records.layout import row_faults
from segdata.records.manifest import ClassInfo
from segdata.records.rows import ImageTotals, Rows, odd_image
from segdata.records.schema import INSTANCE, ROW_SCHEMAS
from segdata.text import plural


@dataclass(frozen=True)
class ImageReport:
    """Result of inspecting an image and its annotations; fields of an image that cannot be read are empty.

    Attributes:
        image: the encoded image, or its path.
        status: size, times and identity of the image's file, from before it was read.
        header: header of the image.
        annotations: the annotations; empty if neither the JSON nor the image has a size.
        row: bytes that its row takes.
        image_faults: faults of the image.
        annotation_faults: faults of the annotations.
    """

    image: Path | bytes | None
    status: os.stat_result | None
    header: ImageHeader | None
    annotations: tuple[Annotation, ...]
    row: RowSize | None
    image_faults: tuple[Fault, ...]
    annotation_faults: tuple[Fault, ...]


@dataclass(frozen=True)
class _ImageCheck:
    """Summary of a valid image: its row without the image, what was left out, and the areas of the masks."""

    item: Instances
    areas: tuple[int, ...]
    size: int
    row: RowSize
    change_mark: int
    faults: tuple[Fault, ...]
    warnings: tuple[Fault, ...]
    header: ImageHeader


def check_annotated_images(
    coco: Coco,
    images: Path,
    *,
    drop_empty: bool,
    boxes: Boxes,
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
        boxes: where boxes come from.
        value_range: samples of deep images that mean black and white.
        decode: decode every image instead of only reading its header.
        workers: number of threads, or a cluster.
        progress: reports progress.
    """
    images = images.absolute()
    found: list[Instances] = []
    sizes = array("q")
    payload = 0
    change_marks: list[int] = []
    faults = orphans(coco)
    warnings: list[Fault] = []
    pixels, instances, holding = Counter[int](), Counter[int](), Counter[int]()
    images_of = ImageTotals()
    empty = crowds = 0
    for check in map_faults(
        partial(_check_annotated_image, images, value_range, decode, boxes),
        entries(coco),
        faults,
        name=_file_name,
        total=len(coco.images),
        label="check",
        progress=progress,
        workers=workers,
    ):
        faults += check.faults
        item = check.item
        if drop_empty and not len(item.labels):
            empty += 1
            continue
        warnings += check.warnings
        found.append(item)
        images_of.add(check.header)
        sizes.extend(check.row)
        payload += check.size
        change_marks.append(check.change_mark)
        holding.update(set(item.labels.tolist()))
        for label, area in zip(item.labels.tolist(), check.areas, strict=True):
            pixels[label] += area
            instances[label] += 1
        crowds += int(item.iscrowd.sum())
    warnings += only_crowds(coco.path, instances.total(), crowds) or brush_crowds(coco)
    return Rows(
        task="instance",
        schema=INSTANCE,
        items=tuple(found),
        keys=tuple(str(item.image_id) for item in found),
        read=partial(read_instance_row, images),
        sizes=np.array(sizes, np.int64).reshape(-1, 3),
        change_marks=np.array(change_marks, np.uint64),
        payload_bytes=payload,
        classes=tuple(
            ClassInfo(
                id=label,
                name=coco.categories[row].name,
                original_id=coco.categories[row].id,
                pixels=pixels[label],
                images=holding[label],
                instances=instances[label],
            )
            for label, row in enumerate(coco.label_order(), start=1)
        ),
        ignore_label=None,
        ignore_pixels=0,
        samples=len(coco.images),
        empty=empty,
        fatal=tuple(duplicate_images(coco)),
        faults=(*prefix_hint(images, faults, len(coco.images)), *faults),
        warnings=tuple(warnings),
        images=images_of.summary(),
        value_range=value_range,
        options={"boxes": boxes},
    )


def _file_name(entry: Entry) -> str:
    return entry.image.file_name


def _check_annotated_image(
    folder: Path, value_range: ValueRange | None, decode: bool, boxes: Boxes, entry: Entry
) -> _ImageCheck:
    """Check one image and its annotations.

    Raises:
        FaultsError: when the image has faults; with those of its annotations.
    """
    file = File(folder, entry.image.file_name)
    look = inspect_image_entry(file, entry, value_range, boxes=boxes, decode=decode)
    header, status = look.header, look.status
    if look.image_faults or not header or not look.row or not status:
        faults = (*look.image_faults, *look.annotation_faults)
        raise FaultsError(f"{file.name}: {plural(len(faults), 'fault')}", faults)
    item, areas = make_instances(entry, look.annotations, header.height, header.width)
    contradicting = [fault for one in look.annotations for fault in box_mismatch(one)] if boxes == "json" else []
    return _ImageCheck(
        item=item,
        areas=areas,
        size=status.st_size + array_bytes(item),
        row=look.row,
        change_mark=instance_mark(item, status, status.st_size),
        faults=look.annotation_faults,
        warnings=(*odd_image(file.name, header), *contradicting),
        header=header,
    )


def inspect_image_entry(
    image: Encoded,
    entry: Entry,
    value_range: ValueRange | None = None,
    *,
    boxes: Boxes = "json",
    decode: bool,
    read: bool = False,
) -> ImageReport:
    """Find the faults of one image and its annotations.

    Args:
        image: the image.
        entry: what the JSON says about it.
        value_range: value range of the data set.
        boxes: where boxes come from.
        decode: decode the image instead of only reading its header.
        read: read the file of the image completely.
    """
    image_faults: list[Fault] = []
    annotation_faults: list[Fault] = []
    stated = entry.image.height, entry.image.width
    found = header = None
    # Taken first, so that a change while the image is inspected is found later.
    status = image.status()
    with collecting(image_faults, image.name):
        found = image.read() if read else image.find()
        header = inspect_image(found, value_range, decode=decode)
        check_size(header.shape, stated, "the JSON says", orientation=header.orientation)
    # The masks are drawn for the size that the JSON says.
    height, width = stated if min(stated[0] or 0, stated[1] or 0) > 0 else header.shape if header else (0, 0)
    measured = measure(entry, height, width, annotation_faults, boxes=boxes) if height and width else ()
    annotations = tuple(measured)
    row = None
    with collecting(image_faults, image.name):
        if header:
            size = status.st_size if status else len(image.read())
            item, _ = make_instances(entry, annotations, header.height, header.width)
            row = measure_row(ROW_SCHEMAS["instance"], as_row(item, size))
            image_faults += row_faults(image.name, row)
    return ImageReport(found, status, header, annotations, row, tuple(image_faults), tuple(annotation_faults))
