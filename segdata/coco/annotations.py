"""The annotations of an image of a COCO JSON: their masks, boxes and areas, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from segdata.coco.file import Coco, Image, object_id
from segdata.coco.rle import Rle, to_rle
from segdata.errors import Fault, InvalidInputError


@dataclass(frozen=True, slots=True)
class Entry:
    """One image of a COCO JSON and its annotations, all that a worker needs to look at it.

    Attributes:
        annotations: JSON text of each.
        labels: 1 to K, ``(N,)`` int32.
        iscrowd: 0 or 1, ``(N,)`` int32.
    """

    image: Image
    annotations: tuple[bytes, ...]
    labels: npt.NDArray[np.int32]
    iscrowd: npt.NDArray[np.int32]


class Annotation(msgspec.Struct, gc=False):
    """What is read of an annotation object; a member that it does not have is None."""

    id: int
    segmentation: Any = None
    bbox: Any = None
    area: Any = None
    iscrowd: Any = None


@dataclass(frozen=True, slots=True)
class Shape:
    """The mask of an annotation, its area in pixels, its box: x1, y1, x2, y2 in pixels, cut to the image."""

    rle: Rle
    area: int
    box: Sequence[float]


def entries(coco: Coco, images: Sequence[int] | None = None) -> Iterator[Entry]:
    """Yield each image, in file order, or those of these rows, with its annotations whose category the file has."""
    labels = _labels(coco)
    columns = coco.annotations
    for image, every in coco.by_image(images):
        rows = every[columns.category[every] >= 0]
        yield Entry(
            image=image,
            annotations=tuple(bytes(columns.raw[row]) for row in rows.tolist()),
            labels=labels[columns.category[rows]],
            iscrowd=columns.crowd[rows].astype(np.int32),
        )


def _labels(coco: Coco) -> npt.NDArray[np.int32]:
    """Return the label, 1 to K in the order of the original ids, of each category row."""
    labels = np.empty(len(coco.categories), np.int32)
    labels[np.argsort([category.id for category in coco.categories])] = np.arange(1, len(labels) + 1)
    return labels


def orphans(coco: Coco) -> list[Fault]:
    """Return the annotations that no image will ask for."""
    rows = np.flatnonzero((coco.annotations.image < 0) | (coco.annotations.category < 0))
    faults = []
    for row in rows.tolist():
        unknown = "an image" if coco.annotations.image[row] < 0 else "a category"
        where = f"annotation {object_id(coco.annotations.raw[row])}"
        faults.append(Fault("orphan_annotation", where, f"of {unknown} that the file does not have"))
    return faults


def _decode(annotation: bytes) -> Annotation:
    try:
        return msgspec.json.decode(annotation, type=Annotation)
    except (msgspec.DecodeError, RecursionError) as error:
        # Reading the file stepped over segmentation and box: a number beyond a float's range, too deep a nest.
        raise InvalidInputError(str(error), "broken_member") from error


def check_image_size(image: Image, height: int, width: int) -> None:
    """Refuse an image of `height` x `width` pixels when its JSON gives another size.

    Raises:
        InvalidInputError: when it does.
    """
    if image.height not in (None, height) or image.width not in (None, width):
        raise InvalidInputError(
            f"{width} x {height} pixels; the JSON says {image.width} x {image.height}", "size_mismatch"
        )


def measure(entry: Entry, height: int, width: int) -> Iterator[tuple[Annotation, Shape | Fault]]:
    """Yield each annotation of an image of `height` x `width` pixels with its shape, or why it has none."""
    for text in entry.annotations:
        annotation = Annotation(object_id(text) or 0)
        try:
            annotation = _decode(text)
            yield annotation, _shape(annotation, height, width)
        except InvalidInputError as error:
            yield annotation, Fault(error.code, annotation_name(annotation, entry.image), str(error))


def annotation_name(annotation: Annotation, image: Image) -> str:
    """Return what an annotation is called in a sentence."""
    return f"annotation {annotation.id} ({image.file_name})"


def _shape(annotation: Annotation, height: int, width: int) -> Shape:
    from pycocotools import mask

    rle = to_rle(annotation.segmentation, height, width)
    area = int(mask.area(rle))
    if not area:
        raise InvalidInputError("a mask without a pixel", "empty_mask")
    box = _box(annotation.bbox if annotation.bbox else mask.toBbox(rle).tolist(), height, width)
    return Shape(rle, area, box)


def _box(bbox: Any, height: int, width: int) -> Sequence[float]:
    """Return COCO's x, y, width, height as x1, y1, x2, y2, cut to the image."""
    try:
        x, y, w, h = msgspec.convert(bbox, tuple[float, float, float, float])
    except msgspec.ValidationError as error:
        raise InvalidInputError(f"box {bbox!r}; expected x, y, width, height", "bad_box") from error
    box = (max(x, 0.0), max(y, 0.0), min(x + w, float(width)), min(y + h, float(height)))
    if not (box[0] < box[2] and box[1] < box[3]):
        raise InvalidInputError(f"box {bbox!r} has no area inside the image of {width} x {height} pixels", "bad_box")
    return box
