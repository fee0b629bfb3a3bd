"""The annotations of a COCO file as columns of numbers; no polygon is parsed."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec import Raw

from segdata.coco.objects import Id, check_unique_ids, decode_objects

#: Annotations decoded at a time: few enough to stay in the processor's cache until they become columns, and below
#: the number of new objects that triggers Python's garbage collection.
_CHUNK = 512

#: Ids with gaps up to this size are looked up in a table, ten times as fast as with bisection.
_DENSE = 4


@dataclass(frozen=True)
class Annotations:
    """The annotations in file order, as columns of equal length.

    Attributes:
        raw: JSON text of each annotation.
        image: row of its image in `Coco.images`, int64; -1 where the file has no such image.
        category: row of its category in `Coco.categories`, int64; -1 where the file has no such category.
        crowd: its `iscrowd`, bool; False where the key is missing.
        area: its `area` in pixels, float64; NaN where it is missing.
        box: its `bbox` ``(N, 4)`` in pixels, float64; NaN where it is missing, infinite where it is not four numbers.
        traits: number of annotations with each trait that not every reader of COCO files expects.
    """

    raw: list[Raw]
    image: npt.NDArray[np.int64]
    category: npt.NDArray[np.int64]
    crowd: npt.NDArray[np.bool_]
    area: npt.NDArray[np.float64]
    box: npt.NDArray[np.float64]
    traits: dict[str, int]


class _Rle(msgspec.Struct, gc=False):
    counts: Raw = Raw()


class AnnotationObject(msgspec.Struct, gc=False):
    """The members read from an annotation object."""

    id: Id
    image_id: Id
    category_id: Id
    iscrowd: Literal[0, 1] | bool | None = None
    area: float | None = None
    bbox: Raw = Raw()
    segmentation: list[Raw] | _Rle | None = None


_Box = tuple[float, float, float, float]
_NO_BOX, _ODD_BOX = (math.nan,) * 4, (math.inf,) * 4

#: Boxes that mean the same as none.
_NOTHING = (b"[]", b"{}", b"0", b"false", b'""')


class _Boxed(AnnotationObject, gc=False):
    """An annotation whose box is four numbers or missing, as nearly always."""

    bbox: _Box | None = None  # type: ignore[assignment]


def read_columns(path: Path, raws: list[Raw], images: Sequence[int], categories: Sequence[int]) -> Annotations:
    """Return the annotations `raws` of a file with these ids of `images` and `categories`.

    Raises:
        FaultsError: for annotations that lack a required member, and for duplicate ids.
    """
    decoder = msgspec.json.Decoder(_Boxed)
    columns: dict[str, npt.NDArray[Any]]
    columns = {name: np.empty(len(raws), np.int64) for name in ("id", "image_id", "category_id")}
    columns |= {name: np.empty(len(raws), np.float64) for name in ("iscrowd", "area")}
    boxes = np.empty((len(raws), 4))
    polygons = np.empty(len(raws), np.int64)
    rle: Counter[str] = Counter()
    for start in range(0, len(raws), _CHUNK):
        rows = slice(start, start + _CHUNK)
        try:
            boxed = [decoder.decode(raw) for raw in raws[rows]]
            boxes[rows] = [item.bbox or _NO_BOX for item in boxed]
            items: Sequence[AnnotationObject] = boxed
        except (msgspec.DecodeError, RecursionError):
            any_box = msgspec.json.Decoder(AnnotationObject)
            items = decode_objects(path, "annotations", raws, AnnotationObject, any_box, rows)
            boxes[rows] = [_box(item.bbox) for item in items]
        for name, column in columns.items():
            # None becomes NaN in a column of floats.
            column[rows] = np.fromiter(map(attrgetter(name), items), column.dtype, len(items))
        shapes = [item.segmentation for item in items]
        polygons[rows] = [len(shape) if type(shape) is list else -1 for shape in shapes]
        rle.update([_form(shape) for shape in shapes if type(shape) is not list])
    check_unique_ids(path, "annotations", columns["id"])
    return Annotations(
        raw=raws,
        image=_rows(columns["image_id"], images),
        category=_rows(columns["category_id"], categories),
        crowd=columns["iscrowd"] > 0,
        area=columns["area"],
        box=boxes,
        traits={
            "without_iscrowd": int(np.count_nonzero(np.isnan(columns["iscrowd"]))),
            "without_segmentation": int(np.count_nonzero(polygons == 0)) + rle["none"],
            "polygons_of_several_parts": int(np.count_nonzero(polygons > 1)),
            "compressed_rle": rle["compressed"],
            "uncompressed_rle": rle["uncompressed"],
        },
    )


def _box(raw: Raw) -> _Box:
    try:
        return msgspec.json.decode(raw, type=_Box | None) or _NO_BOX if bytes(raw) else _NO_BOX
    except (msgspec.DecodeError, RecursionError):
        return _NO_BOX if bytes(raw) in _NOTHING else _ODD_BOX


def _form(segmentation: object) -> str:
    if not isinstance(segmentation, _Rle):
        return "none"
    return "uncompressed" if bytes(segmentation.counts)[:1] == b"[" else "compressed"


def _rows(wanted: npt.NDArray[np.int64], ids: Sequence[int]) -> npt.NDArray[np.int64]:
    """Return the index in `ids` of each element of `wanted`, -1 where it is missing."""
    if not ids:
        return np.full(len(wanted), -1)
    known: npt.NDArray[np.int64] = np.array(ids, np.int64)
    low, span = min(ids), max(ids) - min(ids) + 1
    if span <= _DENSE * (len(ids) + len(wanted)):
        table: npt.NDArray[np.int64] = np.full(span + 1, -1)
        table[known - low] = np.arange(len(ids))
        return np.take(table, np.where((wanted >= low) & (wanted < low + span), wanted - low, span))
    order = np.argsort(known)
    ordered = known[order]
    at = np.minimum(np.searchsorted(ordered, wanted), len(known) - 1)
    return np.where(ordered[at] == wanted, order[at], -1)
