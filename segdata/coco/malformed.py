"""Annotations that are unusable at a glance, without parsing their polygons."""

from __future__ import annotations

import re

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec import Raw

from segdata.coco.annotations import Entry, measure
from segdata.coco.file import Coco
from segdata.errors import Fault

#: Start of an annotation in the files of COCO: its first member is a list of lists.
_POLYGONS_FIRST = re.compile(rb'\{\s*"segmentation"\s*:\s*\[\s*\[')


class _Runs(msgspec.Struct, gc=False):
    counts: Raw = Raw()


class _Form(msgspec.Struct, gc=False):
    segmentation: list[Raw] | _Runs | None = None


def malformed(coco: Coco, rows: npt.NDArray[np.int64], faults: list[Fault]) -> list[int]:
    """Return those of the annotations `rows` that are unusable at a glance; append their faults.

    They have no mask, or a flat list instead of polygons, or a box that is not four numbers or has no area inside the
    image. This parses no polygon and takes less than a hundredth of the time of `measure`, which finds all faults.
    """
    decoder = msgspec.json.Decoder(_Form)
    columns = coco.annotations
    odd = dict.fromkeys(rows[_without_area(coco, rows)].tolist())
    for row in rows.tolist():
        raw = columns.raw[row]
        if not (_POLYGONS_FIRST.match(raw) or _has_form(decoder.decode(raw).segmentation)):
            odd[row] = None
    found: list[int] = []
    for row in sorted(odd):
        image = coco.images[columns.image[row]]
        entry = Entry(image, (bytes(columns.raw[row]),), np.zeros(1, np.int32), np.zeros(1, np.int32))
        # Without a size, no box is outside the image.
        height, width = image.height or _ANY_SIZE, image.width or _ANY_SIZE
        found += [row for one in measure(entry, height, width, faults) if one.shape is None]
    return found


#: Side of the largest square image.
_ANY_SIZE = 1 << 14


def _without_area(coco: Coco, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Return which boxes `_box` would refuse."""
    sizes = np.array([(image.width or _ANY_SIZE, image.height or _ANY_SIZE) for image in coco.images]).reshape(-1, 2)
    box, size = coco.annotations.box[rows], sizes[coco.annotations.image[rows]]
    with np.errstate(invalid="ignore", over="ignore"):
        near = np.clip(box[:, :2], 0, size).astype(np.float32)
        far = np.clip(box[:, :2] + box[:, 2:], 0, size).astype(np.float32)
        usable = (near < far).all(1)
    flags: npt.NDArray[np.bool_] = ~usable & ~np.isnan(box).any(1)
    return flags


def _has_form(segmentation: list[Raw] | _Runs | None) -> bool:
    if isinstance(segmentation, list):
        return bool(segmentation) and bytes(segmentation[0]).startswith(b"[")
    return segmentation is not None and bool(bytes(segmentation.counts))
