"""Read a COCO instances file: ids and flags are decoded, every object is kept as its original JSON text.

Format: the "Data format" page of the COCO data set, object detection. No polygon is parsed: beside the text of the
file, the 448 MB of train2017 take only a few columns of numbers.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec import Raw

from segdata.coco.document import decode_document
from segdata.errors import Fault, FaultsError, InvalidInputError, collecting

_T = TypeVar("_T")
_Member = TypeVar("_Member", "Image", "Category")

Id = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
MEMBERS = ("images", "annotations", "categories")

#: Annotations decoded at a time: few enough to stay in the processor's cache until they become columns, and below
#: the number of new objects that triggers Python's garbage collection.
_CHUNK = 512

#: Ids with gaps up to this size are looked up in a table, ten times as fast as with bisection.
_DENSE = 4


class Image(msgspec.Struct, frozen=True, gc=False):
    """The members read from an image object; a missing size is set to None."""

    id: Id
    file_name: str
    height: int | None = None
    width: int | None = None


class Category(msgspec.Struct, frozen=True, gc=False):
    """The members read from a category object."""

    id: Id
    name: str


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


@dataclass(frozen=True)
class Coco:
    """A COCO instances file.

    Attributes:
        path: the file.
        members: its top-level members by key, in file order; lists and objects hold raw JSON.
        images: in file order, ids unique; raw in ``members["images"]``.
        categories: in file order, ids unique; raw in ``members["categories"]``.
        annotations: in file order, ids unique.
    """

    path: Path
    members: dict[str, Any]
    images: tuple[Image, ...]
    categories: tuple[Category, ...]
    annotations: Annotations

    def label_order(self) -> list[int]:
        """Return the rows of the categories by label: labels are 1 to K in the order of the category ids."""
        return sorted(range(len(self.categories)), key=lambda row: self.categories[row].id)

    def class_names(self) -> dict[int, str]:
        """Return the name of each category by label."""
        return {label: self.categories[row].name for label, row in enumerate(self.label_order(), start=1)}

    def by_image(self, images: Sequence[int] | None = None) -> Iterator[tuple[Image, npt.NDArray[np.int64]]]:
        """Yield each image, in file order or as given by the rows `images`, with its annotation rows in file order."""
        rows = self.annotations.image
        order = np.argsort(rows, kind="stable")
        bounds = np.searchsorted(rows[order], np.arange(len(self.images) + 1))
        for row in range(len(self.images)) if images is None else images:
            yield self.images[row], order[bounds[row] : bounds[row + 1]]


class _Rle(msgspec.Struct, gc=False):
    counts: Raw = Raw()


class _Id(msgspec.Struct):
    id: int


class _Annotation(msgspec.Struct, gc=False):
    id: Id
    image_id: Id
    category_id: Id
    iscrowd: Id | bool | None = None
    area: float | None = None
    bbox: Raw = Raw()
    segmentation: list[Raw] | _Rle | None = None


_Box = tuple[float, float, float, float]
_NO_BOX, _ODD_BOX = (math.nan,) * 4, (math.inf,) * 4

#: Boxes that mean the same as none.
_NOTHING = (b"[]", b"{}", b"0", b"false", b'""')


class _Boxed(_Annotation, gc=False):
    """An annotation whose box is four numbers or missing, as nearly always."""

    bbox: _Box | None = None  # type: ignore[assignment]


# Decoding to this type takes one pass and stops at the first level of each member, for any set of members.
_File = dict[str, list[Raw] | dict[str, Raw] | str | int | float | bool | None]


def read_coco(path: Path, *, faults: list[Fault] | None = None) -> Coco:
    """Read a COCO instances file.

    Args:
        path: the file.
        faults: when given, invalid images, categories and annotations, and those with a duplicate id, are skipped and
            appended here instead of raising an error. Objects that refer to an invalid object are skipped as well.

    Raises:
        InvalidInputError: when the file cannot be read, is truncated, is not JSON in UTF-8, or lacks one of the three
            lists.
        FaultsError: for images, categories or annotations that lack a required member, and for duplicate ids.
    """
    members: dict[str, Any] = decode_document(path, _File)
    if lacking := [key for key in MEMBERS if not isinstance(members.get(key), list)]:
        raise InvalidInputError(
            f"{path}: not a COCO instances file: no list of {', '.join(lacking)}; "
            f"found {', '.join(members) or 'nothing'}"
        )
    if faults is not None:
        _leave_out(members, faults)
    images = _objects(path, members, "images", Image)
    categories = _objects(path, members, "categories", Category)
    return Coco(path, members, images, categories, _annotations(path, members["annotations"], images, categories))


def _leave_out(members: dict[str, Any], faults: list[Fault]) -> None:
    """Remove from the lists everything that `read_coco` would raise an error for."""
    types: dict[str, type[Image | Category | _Annotation]]
    types = {"images": Image, "categories": Category, "annotations": _Annotation}
    lost: dict[str, set[int | None]] = {}
    for key, type_ in types.items():
        raws = members[key]
        rows, items = _usable(key, raws, type_, faults)
        kept: dict[int, Raw] = {}
        for row, item in zip(rows, items, strict=True):
            if item.id in kept:
                faults.append(Fault("duplicate_id", f"{key}[{row}]", f"reuses id {item.id} of an earlier object"))
            elif key != "annotations" or not _refers_to(item, lost):
                kept[item.id] = raws[row]
        broken = {object_id(raws[row]) for row in set(range(len(raws))).difference(rows)}
        members[key], lost[key] = list(kept.values()), broken.difference(kept)


def _refers_to(annotation: Any, lost: dict[str, set[int | None]]) -> bool:
    return annotation.image_id in lost["images"] or annotation.category_id in lost["categories"]


def _usable(key: str, raws: Sequence[Raw], type_: type[_T], faults: list[Fault]) -> tuple[list[int], list[_T]]:
    """Return the rows of the objects of a list that have the required members, and the objects."""
    decoder = msgspec.json.Decoder(type_)
    rows: list[int] = []
    items: list[_T] = []
    for row, raw in enumerate(raws):
        with collecting(faults, f"{key}[{row}]"):
            items.append(decode_object(raw, decoder))
            rows.append(row)
    return rows, items


def decode_object(raw: Raw | bytes, decoder: msgspec.json.Decoder[_T]) -> _T:
    """Decode one object of a list.

    Raises:
        InvalidInputError: when a required member is missing, has another type or is nested too deeply, or a number is
            beyond a float's range.
    """
    try:
        return decoder.decode(raw)
    except msgspec.DecodeError as error:
        raise InvalidInputError(str(error), "broken_member") from error
    except RecursionError as error:
        raise InvalidInputError("is nested too deeply", "broken_member") from error


def object_id(raw: Raw | bytes) -> int | None:
    """Return the id of an object; its other members may be invalid."""
    try:
        return msgspec.json.decode(raw, type=_Id).id
    except (msgspec.DecodeError, RecursionError):
        return None


def _objects(path: Path, members: dict[str, Any], key: str, type_: type[_Member]) -> tuple[_Member, ...]:
    objects = tuple(_decode_objects(path, key, members[key], type_, msgspec.json.Decoder(type_)))
    _check_unique(path, key, np.array([item.id for item in objects], np.int64))
    return objects


def _annotations(path: Path, raws: list[Raw], images: Sequence[Image], categories: Sequence[Category]) -> Annotations:
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
            items: Sequence[_Annotation] = boxed
        except (msgspec.DecodeError, RecursionError):
            items = _decode_objects(path, "annotations", raws, _Annotation, msgspec.json.Decoder(_Annotation), rows)
            boxes[rows] = [_box(item.bbox) for item in items]
        for name, column in columns.items():
            # None becomes NaN in a column of floats.
            column[rows] = np.fromiter(map(attrgetter(name), items), column.dtype, len(items))
        shapes = [item.segmentation for item in items]
        polygons[rows] = [len(shape) if type(shape) is list else -1 for shape in shapes]
        rle.update([_form(shape) for shape in shapes if type(shape) is not list])
    _check_unique(path, "annotations", columns["id"])
    return Annotations(
        raw=raws,
        image=_rows(columns["image_id"], [image.id for image in images]),
        category=_rows(columns["category_id"], [category.id for category in categories]),
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


def _decode_objects(
    path: Path,
    key: str,
    raws: list[Raw],
    type_: type[_T],
    decoder: msgspec.json.Decoder[_T],
    rows: slice = slice(None),
) -> list[_T]:
    try:
        return [decoder.decode(raw) for raw in raws[rows]]
    except (msgspec.DecodeError, RecursionError) as error:
        faults: list[Fault] = []
        _usable(key, raws, type_, faults)
        noun = "fault" if len(faults) == 1 else "faults"
        raise FaultsError(f"{path}: not a COCO instances file: {len(faults)} {noun} in {key}", faults) from error


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


def _check_unique(path: Path, key: str, ids: npt.NDArray[np.int64]) -> None:
    ordered = np.sort(ids)
    repeated = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    if len(repeated):
        noun = "id" if len(repeated) == 1 else "ids"
        faults = [Fault("duplicate_id", f"id {id_}", "several objects have it") for id_ in repeated]
        raise FaultsError(f"{path}: {len(repeated)} duplicate {noun} in {key}", faults)
