"""The annotations of an image in a COCO JSON: their masks, boxes, areas and faults."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec import Raw

from segdata.coco.file import Coco, Image, object_id
from segdata.coco.rle import Rle, to_rle
from segdata.errors import Fault, InvalidInputError
from segdata.text import plain_path


@dataclass(frozen=True, slots=True)
class Entry:
    """One image of a COCO JSON with its annotations: everything that a worker needs to check it.

    Attributes:
        image: the image.
        annotations: JSON text of each annotation.
        labels: 1 to K, ``(N,)`` int32.
        iscrowd: 0 or 1, ``(N,)`` int32.
    """

    image: Image
    annotations: tuple[bytes, ...]
    labels: npt.NDArray[np.int32]
    iscrowd: npt.NDArray[np.int32]


class Annotation(msgspec.Struct, gc=False):
    """The members read from an annotation object; missing members are set to None."""

    id: int
    segmentation: Any = None
    bbox: Any = None
    area: Any = None
    iscrowd: Any = None


@dataclass(frozen=True, slots=True)
class Shape:
    """The mask of an annotation, its area in pixels, and its box.

    The box is x1, y1, x2, y2 in pixels, clipped to the image and rounded to float32, as record sets store it.
    """

    rle: Rle
    area: int
    box: Sequence[float]


def entries(coco: Coco, images: Sequence[int] | None = None) -> Iterator[Entry]:
    """Yield each image, in file order or as given by the rows `images`, with its annotations of known categories."""
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
    """Return the label of each category row: 1 to K, in the order of the original ids."""
    labels = np.empty(len(coco.categories), np.int32)
    labels[np.argsort([category.id for category in coco.categories])] = np.arange(1, len(labels) + 1)
    return labels


def orphans(coco: Coco) -> list[Fault]:
    """Return a fault for each annotation whose image or category is not in the file."""
    rows = np.flatnonzero((coco.annotations.image < 0) | (coco.annotations.category < 0))
    faults = []
    for row in rows.tolist():
        unknown = "an image" if coco.annotations.image[row] < 0 else "a category"
        where = f"annotation {object_id(coco.annotations.raw[row])}"
        faults.append(Fault("orphan_annotation", where, f"belongs to {unknown} that is not in the file"))
    return faults


def duplicate_images(coco: Coco, rows: npt.NDArray[np.int64] | None = None) -> list[Fault]:
    """Return a fault for each file that several image objects name; with `rows`, only for the files of those images."""
    names = [_plain_name(image) for image in coco.images]
    counts = Counter(names)
    wanted = names if rows is None else [names[row] for row in rows]
    ids: dict[str, list[str]] = {name: [] for name in wanted if counts[name] > 1}
    for image, name in zip(coco.images, names, strict=True) if ids else ():
        if name in ids:
            ids[name].append(str(image.id))
    return [Fault("duplicate_image", name, f"named by the image ids {', '.join(ids[name])}") for name in ids]


def _plain_name(image: Image) -> str:
    return plain_path(image.file_name) if "/" in image.file_name else image.file_name


#: Start of an annotation in the files of COCO: its first member is a list of lists.
_POLYGONS_FIRST = re.compile(rb'\{\s*"segmentation"\s*:\s*\[\s*\[')


class _Runs(msgspec.Struct, gc=False):
    counts: Raw = Raw()


class _Form(msgspec.Struct, gc=False):
    segmentation: list[Raw] | _Runs | None = None


def malformed_masks(coco: Coco, rows: npt.NDArray[np.int64]) -> Iterator[tuple[int, Fault]]:
    """Yield each of the annotations `rows` that has no mask, or a flat list instead of polygons, with its fault.

    This parses no polygon and takes less than a hundredth of the time of `measure`, which finds all faults.
    """
    decoder = msgspec.json.Decoder(_Form)
    columns = coco.annotations
    for row in rows.tolist():
        raw = columns.raw[row]
        if _POLYGONS_FIRST.match(raw) or _has_form(decoder.decode(raw).segmentation):
            continue
        image = coco.images[columns.image[row]]
        entry = Entry(image, (bytes(raw),), np.zeros(1, np.int32), np.zeros(1, np.int32))
        for _, shape in measure(entry, image.height or 1, image.width or 1):
            if isinstance(shape, Fault):
                yield row, shape


def _has_form(segmentation: list[Raw] | _Runs | None) -> bool:
    if isinstance(segmentation, list):
        return bool(segmentation) and bytes(segmentation[0]).startswith(b"[")
    return segmentation is not None and bool(bytes(segmentation.counts))


def _decode(annotation: bytes) -> Annotation:
    try:
        return msgspec.json.decode(annotation, type=Annotation)
    except (msgspec.DecodeError, RecursionError) as error:
        # Reading the file skipped segmentation and box: a number may exceed a float's range or nesting be too deep.
        raise InvalidInputError(str(error), "broken_member") from error


def check_image_size(image: Image, height: int, width: int) -> None:
    """Reject an image of `height` x `width` pixels when the JSON gives another size.

    Raises:
        InvalidInputError: when the sizes differ.
    """
    if image.height not in (None, height) or image.width not in (None, width):
        raise InvalidInputError(
            f"has {width} x {height} pixels; expected {image.width} x {image.height} as in the JSON", "size_mismatch"
        )


def measure(entry: Entry, height: int, width: int) -> Iterator[tuple[Annotation, Shape | Fault]]:
    """Yield each annotation of an image of `height` x `width` pixels with its shape, or with a fault."""
    for text in entry.annotations:
        annotation = Annotation(object_id(text) or 0)
        try:
            annotation = _decode(text)
            yield annotation, _shape(annotation, height, width)
        except InvalidInputError as error:
            yield annotation, Fault(error.code, annotation_name(annotation, entry.image), str(error))


def annotation_name(annotation: Annotation, image: Image) -> str:
    """Return the name of an annotation for messages."""
    return f"annotation {annotation.id} ({image.file_name})"


def _shape(annotation: Annotation, height: int, width: int) -> Shape:
    from pycocotools import mask

    rle = to_rle(annotation.segmentation, height, width)
    area = int(mask.area(rle))
    if not area:
        raise InvalidInputError("the mask is empty; expected at least 1 pixel", "empty_mask")
    box = _box(annotation.bbox if annotation.bbox else mask.toBbox(rle).tolist(), height, width)
    return Shape(rle, area, box)


def stated_box(annotation: Annotation, height: int, width: int) -> Sequence[float] | None:
    """Return the box that the JSON gives an annotation, in the form of `Shape`; None if it is missing or unusable."""
    try:
        return _box(annotation.bbox, height, width) if annotation.bbox else None
    except InvalidInputError:
        return None


def _box(bbox: Any, height: int, width: int) -> Sequence[float]:
    """Convert a COCO box (x, y, width, height) to x1, y1, x2, y2, clipped to the image and rounded to float32."""
    try:
        x, y, w, h = msgspec.convert(bbox, tuple[float, float, float, float])
    except msgspec.ValidationError as error:
        raise InvalidInputError(f"box {bbox!r}; expected x, y, width, height", "bad_box") from error
    edges = ((x, width), (y, height), (x + w, width), (y + h, height))
    # Compared as stored: a box can be so thin that its edges are the same number in float32.
    box: list[float] = np.array([min(max(edge, 0.0), end) for edge, end in edges], np.float32).tolist()
    if not (box[0] < box[2] and box[1] < box[3]):
        raise InvalidInputError(
            f"box {bbox!r} has no area inside the image ({width} x {height} pixels), computed in float32", "bad_box"
        )
    return box
