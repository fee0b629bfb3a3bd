"""Reading a COCO instances file: ids and flags are decoded, every object stays the JSON text it was.

Format: the COCO data set's "Data format" page, object detection. The file is mapped, not loaded, and no polygon is
parsed: of train2017's 448 MB only a few columns of numbers come to lie in memory of our own.
"""

from __future__ import annotations

import codecs
import mmap
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

from segdata.errors import Fault, FaultsError, InvalidInputError

_T = TypeVar("_T")
_Member = TypeVar("_Member", "Image", "Category")

Id = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
MEMBERS = ("images", "annotations", "categories")

#: Annotations decoded at a time: so few that they stay in the processor's cache until they are columns, and below
#: the number of new objects at which Python looks for garbage.
_CHUNK = 512

#: Bytes of the file that are looked at at a time.
_BLOCK = 1 << 18

#: Ids that leave no larger gaps than this are looked up in a table, ten times as fast as by bisection.
_DENSE = 4


class Image(msgspec.Struct, frozen=True, gc=False):
    """What is read of an image object; a size that the file does not give is None."""

    id: Id
    file_name: str
    height: int | None = None
    width: int | None = None


class Category(msgspec.Struct, frozen=True, gc=False):
    """What is read of a category object."""

    id: Id
    name: str


class RawShape(msgspec.Struct, frozen=True):
    """What `read_shape` reads of an annotation object; a missing segmentation is None."""

    id: Id
    segmentation: Any = None


@dataclass(frozen=True)
class Annotations:
    """The annotations in file order, as columns of equal length.

    Attributes:
        raw: JSON text of each.
        image: row of its image in `Coco.images`, int64; -1 where the file has no such image.
        category: row of its category in `Coco.categories`, int64; -1 where the file has no such category.
        crowd: its `iscrowd`, bool; a missing key means no.
        area: its `area` in pixels, float64; NaN where it has none.
        traits: how many annotations are of a kind that not every reader of COCO files expects, by kind.
    """

    raw: list[Raw]
    image: npt.NDArray[np.int64]
    category: npt.NDArray[np.int64]
    crowd: npt.NDArray[np.bool_]
    area: npt.NDArray[np.float64]
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

    def by_image(self, images: Sequence[int] | None = None) -> Iterator[tuple[Image, npt.NDArray[np.int64]]]:
        """Yield each image, in file order, or those of these rows, with the rows of its annotations, in file order."""
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
    segmentation: list[Raw] | _Rle | None = None


# One pass over the file that stops at the first level of each member, whatever members there are.
_File = dict[str, list[Raw] | dict[str, Raw] | str | int | float | bool | None]


def read_coco(path: Path, *, faults: list[Fault] | None = None) -> Coco:
    """Read a COCO instances file.

    Args:
        path: the file.
        faults: images, categories and annotations that are none, or whose id an earlier one has, are left out and
            appended to this, instead of being raised. What refers to an object that is none is left out with it.

    Raises:
        InvalidInputError: when the file cannot be read, is truncated or other than JSON in UTF-8, or lacks one of the
            three lists.
        FaultsError: for images, categories or annotations without the members that make them one, and for ids that
            occur twice.
    """
    members: dict[str, Any] = _decode(_map(path), _File, str(path))
    if lacking := [key for key in MEMBERS if not isinstance(members.get(key), list)]:
        raise InvalidInputError(
            f"{path}: not COCO instances: no list of {', '.join(lacking)}; found {', '.join(members) or 'nothing'}"
        )
    if faults is not None:
        _leave_out(members, faults)
    images = _objects(path, members, "images", Image)
    categories = _objects(path, members, "categories", Category)
    return Coco(path, members, images, categories, _annotations(path, members["annotations"], images, categories))


def read_shape(raw: Raw) -> RawShape:
    """Return an annotation of `read_coco` with its segmentation as `json` would decode it, whatever it is.

    Raises:
        InvalidInputError: when the segmentation, which `read_coco` only steps over, holds a number beyond a float's
            range or is nested too deeply.
    """
    try:
        return msgspec.json.decode(raw, type=RawShape)
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidInputError(f"annotation {object_id(raw)}: {error}") from error


def _map(path: Path) -> memoryview:
    try:
        with path.open("rb") as file:
            data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except OSError as error:
        raise InvalidInputError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise InvalidInputError(f"{path}: an empty file; expected COCO instances as JSON") from error
    text = data[3:] if data[:3].tobytes() == codecs.BOM_UTF8 else data
    _check_utf8(path, text)
    return text


def _check_utf8(path: Path, text: memoryview) -> None:
    """Refuse bytes that are no text, in members that nobody looks at too: what is kept is written as it was.

    Takes a hundredth of the time of reading the file.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    for start in range(0, len(text), _BLOCK):
        try:
            decoder.decode(text[start : start + _BLOCK], final=start + _BLOCK >= len(text))
        except UnicodeDecodeError as error:
            raise InvalidInputError(f"{path}: not UTF-8 text (near byte {start + error.start})") from error


def _decode(data: memoryview, type_: type[_T], where: str) -> _T:
    try:
        return msgspec.json.decode(data, type=type_)
    except msgspec.ValidationError as error:
        raise InvalidInputError(f"{where}: not COCO instances: {error}") from error
    except msgspec.DecodeError as error:
        raise InvalidInputError(f"{where}: damaged JSON: {error}") from error
    except RecursionError as error:
        raise InvalidInputError(f"{where}: not COCO instances: nested too deeply") from error


def _leave_out(members: dict[str, Any], faults: list[Fault]) -> None:
    """Take out of the lists what `read_coco` would raise for."""
    types: dict[str, type[Image | Category | _Annotation]]
    types = {"images": Image, "categories": Category, "annotations": _Annotation}
    lost: dict[str, set[int | None]] = {}
    for key, type_ in types.items():
        decoder = msgspec.json.Decoder(type_)
        kept: dict[int, Raw] = {}
        broken = []
        for row, raw in enumerate(members[key]):
            item = _decode_object(f"{key}[{row}]", raw, decoder)
            if isinstance(item, Fault):
                faults.append(item)
                broken.append(object_id(raw))
            elif item.id in kept:
                faults.append(Fault("duplicate_id", f"{key}[{row}]", f"has id {item.id}, as an earlier one has"))
            elif not isinstance(item, _Annotation) or not (
                item.image_id in lost["images"] or item.category_id in lost["categories"]
            ):
                kept[item.id] = raw
        members[key], lost[key] = list(kept.values()), set(broken).difference(kept)


def object_id(raw: Raw | bytes) -> int | None:
    """Return the id of an object that may be broken elsewhere."""
    try:
        return msgspec.json.decode(raw, type=_Id).id
    except msgspec.DecodeError:
        return None


def _objects(path: Path, members: dict[str, Any], key: str, type_: type[_Member]) -> tuple[_Member, ...]:
    objects = tuple(_decode_objects(path, key, members[key], msgspec.json.Decoder(type_)))
    _check_unique(path, key, np.array([item.id for item in objects], np.int64))
    return objects


def _annotations(path: Path, raws: list[Raw], images: Sequence[Image], categories: Sequence[Category]) -> Annotations:
    decoder = msgspec.json.Decoder(_Annotation)
    columns: dict[str, npt.NDArray[Any]]
    columns = {name: np.empty(len(raws), np.int64) for name in ("id", "image_id", "category_id")}
    columns |= {name: np.empty(len(raws), np.float64) for name in ("iscrowd", "area")}
    polygons = np.empty(len(raws), np.int64)
    rle: Counter[str] = Counter()
    for start in range(0, len(raws), _CHUNK):
        rows = slice(start, start + _CHUNK)
        items = _decode_objects(path, "annotations", raws, decoder, rows)
        for name, column in columns.items():
            # A None in a column of floats becomes NaN.
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
        traits={
            "without_iscrowd": int(np.count_nonzero(np.isnan(columns["iscrowd"]))),
            "without_segmentation": int(np.count_nonzero(polygons == 0)) + rle["none"],
            "polygons_of_several_parts": int(np.count_nonzero(polygons > 1)),
            "compressed_rle": rle["compressed"],
            "uncompressed_rle": rle["uncompressed"],
        },
    )


def _form(segmentation: object) -> str:
    if not isinstance(segmentation, _Rle):
        return "none"
    return "uncompressed" if bytes(segmentation.counts)[:1] == b"[" else "compressed"


def _decode_objects(
    path: Path, key: str, raws: list[Raw], decoder: msgspec.json.Decoder[_T], rows: slice = slice(None)
) -> list[_T]:
    try:
        return [decoder.decode(raw) for raw in raws[rows]]
    except msgspec.DecodeError as error:
        faults = [
            str(item)
            for row, raw in enumerate(raws)
            if isinstance(item := _decode_object(f"{key}[{row}]", raw, decoder), Fault)
        ]
        raise FaultsError(f"{path}: not COCO instances: {len(faults)} faults in {key}", faults) from error


def _decode_object(where: str, raw: Raw, decoder: msgspec.json.Decoder[_T]) -> _T | Fault:
    try:
        return decoder.decode(raw)
    except msgspec.DecodeError as error:
        return Fault("broken_member", where, str(error))


def _rows(wanted: npt.NDArray[np.int64], ids: Sequence[int]) -> npt.NDArray[np.int64]:
    """Return where in `ids` each of `wanted` stands, -1 where it does not."""
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
        raise FaultsError(f"{path}: {len(repeated)} ids of {key} occur more than once", [str(id_) for id_ in repeated])
