"""The annotations of an image in a COCO JSON: their masks, boxes, areas and faults."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import compress
from typing import Any, Literal

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec import Raw

from segdata.coco.file import Coco, Image
from segdata.coco.objects import decode_object, object_id
from segdata.coco.rle import Rle, exchanged, to_rle
from segdata.errors import Fault, InvalidInputError, collecting

#: Least agreement of an annotation with its mask: ratio of the areas, or intersection over union of the boxes.
AGREE = 0.5

#: Tolerance for rounding in small masks: of an edge of a box, in pixels.
_EDGE_OFF = 2


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

    def only(self, flags: npt.NDArray[np.bool_]) -> Entry:
        """Return the image with those of its annotations that have a flag."""
        annotations = tuple(compress(self.annotations, flags.tolist()))
        return Entry(self.image, annotations, self.labels[flags], self.iscrowd[flags])


#: Where boxes come from: from the JSON, if it has them, or from the masks.
Boxes = Literal["json", "masks"]


class Members(msgspec.Struct, gc=False):
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

    def tight_box(self) -> Sequence[float]:
        """Return the box of the mask."""
        from pycocotools import mask

        x, y, width, height = mask.toBbox(self.rle).tolist()
        return x, y, x + width, y + height


@dataclass(frozen=True, slots=True)
class Annotation:
    """An annotation of an image.

    Attributes:
        name: its name in messages.
        members: what the JSON says.
        label: 1 to K.
        crowd: 0 or 1.
        shape: None if its mask or its box cannot be used.
    """

    name: str
    members: Members
    label: int
    crowd: int
    shape: Shape | None


def entries(coco: Coco, images: Sequence[int] | None = None) -> Iterator[Entry]:
    """Yield each image, in file order or as given by the rows `images`, with its annotations of known categories."""
    labels = np.empty(len(coco.categories), np.int32)
    labels[coco.label_order()] = np.arange(1, len(labels) + 1)
    columns = coco.annotations
    for image, every in coco.by_image(images):
        rows = every[columns.category[every] >= 0]
        yield Entry(
            image=image,
            annotations=tuple(bytes(columns.raw[row]) for row in rows.tolist()),
            labels=labels[columns.category[rows]],
            iscrowd=columns.crowd[rows].astype(np.int32),
        )


def measure(
    entry: Entry, height: int, width: int, faults: list[Fault], *, boxes: Boxes = "json"
) -> Iterator[Annotation]:
    """Yield each annotation of an image of `height` x `width` pixels; append the faults of their masks and boxes."""
    decoder = msgspec.json.Decoder(Members)
    flags = zip(entry.annotations, entry.labels.tolist(), entry.iscrowd.tolist(), strict=True)
    for text, label, crowd in flags:
        members = shape = None
        found: list[Fault] = []
        with collecting(found, ""):
            # Reading the file skipped segmentation and box.
            members = decode_object(text, decoder)
            _check_place(text, members)
            shape = _shape(members, height, width, boxes)
        members = members or Members(object_id(text) or 0)
        name = f"annotation {members.id} ({entry.image.file_name})"
        faults += (replace(fault, where=name) for fault in found)
        yield Annotation(name, members, label, crowd, shape)


def _check_place(text: bytes, members: Members) -> None:
    """Refuse an annotation without a mask, and say what it has instead.

    Raises:
        InvalidInputError: naming another member with RLE, or the box.
    """
    if members.segmentation not in (None, []):
        return
    others = msgspec.json.decode(text, type=dict[str, Raw])
    if keys := [key for key, value in others.items() if "rle" in key.lower() or b'"counts"' in bytes(value)]:
        raise InvalidInputError(
            f"has no segmentation, but {keys[0]!r}; expected the mask in 'segmentation'. Rename the member",
            "no_segmentation",
        )
    if members.bbox:
        raise InvalidInputError("has a box but no mask; expected polygons or RLE in 'segmentation'", "no_segmentation")


def _shape(members: Members, height: int, width: int, boxes: Boxes) -> Shape:
    from pycocotools import mask

    rle = to_rle(members.segmentation, height, width)
    area = int(mask.area(rle))
    if not area:
        raise InvalidInputError("mask covers no pixels; expected at least 1", "empty_mask")
    stated = members.bbox if boxes == "json" else None
    return Shape(rle, area, _box(stated or mask.toBbox(rle).tolist(), height, width))


def stated_box(annotation: Annotation, height: int, width: int) -> Sequence[float] | None:
    """Return the box that the JSON gives an annotation, in the form of `Shape`; None if it is missing or unusable.

    Some tools write fractions of the image's size: such a box ends in the first pixel, and tells no place in pixels.
    """
    if not annotation.members.bbox:
        return None
    try:
        box = _box(annotation.members.bbox, height, width)
    except InvalidInputError:
        return None
    return box if max(box[2:]) > 1 else None


def box_mismatch(annotation: Annotation) -> list[Fault]:
    """Return a fault if an annotation has a usable mask and a box that contradicts it."""
    shape = annotation.shape
    if not shape or not annotation.members.bbox or _agree(shape.box, tight := shape.tight_box()):
        return []
    text = " to ".join(f"({x:g}, {y:g})" for x, y in (tight[:2], tight[2:]))
    height, width = shape.rle["size"]
    turned = exchanged(annotation.members.segmentation, height, width)
    if turned and _agree(shape.box, replace(shape, rle=to_rle(turned, height, width)).tight_box()):
        text += ", and agrees with x and y exchanged"
    return [Fault("box_mismatch", annotation.name, f"box {annotation.members.bbox}; its mask spans {text}")]


def _agree(box: Sequence[float], tight: Sequence[float]) -> bool:
    if max(abs(a - b) for a, b in zip(box, tight, strict=True)) <= _EDGE_OFF:
        return True
    shared = _area((*map(max, box[:2], tight[:2]), *map(min, box[2:], tight[2:])))
    return shared >= AGREE * (_area(box) + _area(tight) - shared)


def _area(box: Sequence[float]) -> float:
    return max(box[2] - box[0], 0.0) * max(box[3] - box[1], 0.0)


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
