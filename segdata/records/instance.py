"""Instance task: the rows of images with instances."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from segdata.coco.annotations import Annotation, Entry
from segdata.encoded import File
from segdata.errors import faults_at
from segdata.records.rows import change_mark
from segdata.records.schema import Row, pack_masks


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


def make_instances(
    entry: Entry, annotations: Sequence[Annotation], height: int, width: int
) -> tuple[Instances, tuple[int, ...]]:
    """Return the usable instances of an image of `height` x `width` pixels, and their areas in pixels."""
    usable = [(one, one.shape) for one in annotations if one.shape]
    item = Instances(
        image_id=entry.image.id,
        file_name=entry.image.file_name,
        height=height,
        width=width,
        boxes=np.array([shape.box for _, shape in usable], np.float32).reshape(-1, 4),
        labels=np.array([one.label for one, _ in usable], np.int32),
        iscrowd=np.array([one.crowd for one, _ in usable], np.int32),
        masks=pack_masks([shape.rle["counts"] for _, shape in usable]),
    )
    return item, tuple(shape.area for _, shape in usable)


def array_bytes(item: Instances) -> int:
    """Return the number of bytes of a row without its image."""
    return len(item.masks) + item.boxes.nbytes + item.labels.nbytes + item.iscrowd.nbytes


def instance_mark(item: Instances, status: os.stat_result | None, size: int) -> int:
    """Return the change mark of a row: of its instances, and of the size and time of its image's file."""
    content = (item.masks, item.boxes.tobytes(), item.labels.tobytes(), item.iscrowd.tobytes())
    key = (item.image_id, item.file_name, item.height, item.width)
    return change_mark(key, size, status.st_mtime_ns if status else 0, content)


def read_instance_row(images: Path, item: Instances) -> tuple[Row, int]:
    """Read the row of an image: its file, byte for byte, and its instances; and its change mark."""
    file = File(images, item.file_name)
    status = file.status()
    with faults_at(item.file_name):
        data = file.read()
    # The bytes are counted, since the file may change while it is read.
    return as_row(item, data), instance_mark(item, status, len(data))


def as_row(item: Instances, data: bytes | int) -> Row:
    """Return the row of an image with its content, or with the number of its bytes to measure the row."""
    return {
        "image_id": item.image_id,
        "file_name": item.file_name,
        "data": data,
        "height": item.height,
        "width": item.width,
        "boxes": item.boxes,
        "labels": item.labels,
        "iscrowd": item.iscrowd,
        "masks": item.masks,
    }
