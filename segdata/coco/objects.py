"""The objects of a COCO file, decoded one by one; what is invalid is named by its place in its list."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec import Raw

from segdata.errors import Fault, FaultsError, InvalidInputError, collecting

_T = TypeVar("_T")

Id = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]


_NUMBERED = "; expected an integer. Number the images, annotations and categories"
_PIXELS = "; expected an integer, in pixels"

#: What to do about a member that is not an integer; record sets store numbers.
_CURES = {
    "id": _NUMBERED,
    "image_id": _NUMBERED,
    "category_id": _NUMBERED,
    "height": _PIXELS,
    "width": _PIXELS,
    "iscrowd": "; expected 0 or 1. Write 1 for a crowd",
}

#: What names an image in LVIS: a URL that ends in a folder of COCO and the name of the file.
_LVIS_URL = re.compile(rb'"coco_url"\s*:\s*"[^"\\]*?([^"/\\]+/[^"/\\]+)"')


class _Id(msgspec.Struct):
    id: int


def decode_object(raw: Raw | bytes, decoder: msgspec.json.Decoder[_T]) -> _T:
    """Decode one object of a list.

    Raises:
        InvalidInputError: when a required member is missing, has another type or is nested too deeply, or a number is
            beyond a float's range.
    """
    try:
        return decoder.decode(raw)
    except msgspec.DecodeError as error:
        raise InvalidInputError(f"{error}{_cure(str(error), raw)}", "broken_member") from error
    except RecursionError as error:
        raise InvalidInputError("is nested too deeply", "broken_member") from error


def _cure(message: str, raw: Raw | bytes) -> str:
    """Return what to do about numbers in quotes or with a fraction, as some tools write them, and about LVIS's URLs."""
    if message.endswith("`file_name`") and (url := _LVIS_URL.search(raw)):
        return f", but has coco_url, as in LVIS. Add the end of coco_url as file_name: {url[1].decode()!r}"
    place = re.search(r"(?:got `(?:str|float)`|value -?\d+) - at `\$\.(\w+)`", message)
    return _CURES.get(place[1], "") if place else ""


def object_id(raw: Raw | bytes) -> int | None:
    """Return the id of an object; its other members may be invalid."""
    try:
        return msgspec.json.decode(raw, type=_Id).id
    except (msgspec.DecodeError, RecursionError):
        return None


def usable_objects(key: str, raws: Sequence[Raw], type_: type[_T], faults: list[Fault]) -> tuple[list[int], list[_T]]:
    """Return the rows of the objects of a list that have the required members, and the objects."""
    decoder = msgspec.json.Decoder(type_)
    rows: list[int] = []
    items: list[_T] = []
    for row, raw in enumerate(raws):
        with collecting(faults, f"{key}[{row}]"):
            items.append(decode_object(raw, decoder))
            rows.append(row)
    return rows, items


def decode_objects(
    path: Path,
    key: str,
    raws: list[Raw],
    type_: type[_T],
    decoder: msgspec.json.Decoder[_T],
    rows: slice = slice(None),
) -> list[_T]:
    """Decode the objects `rows` of a list.

    Raises:
        FaultsError: when objects of the list lack a required member; names all of them.
    """
    try:
        return [decoder.decode(raw) for raw in raws[rows]]
    except (msgspec.DecodeError, RecursionError) as error:
        faults: list[Fault] = []
        usable_objects(key, raws, type_, faults)
        noun = "fault" if len(faults) == 1 else "faults"
        raise FaultsError(f"{path}: not a COCO instances file: {len(faults)} {noun} in {key}", faults) from error


def check_unique_ids(path: Path, key: str, ids: npt.NDArray[np.int64]) -> None:
    """Check that each of the ids of a list occurs once.

    Raises:
        FaultsError: when several objects have an id; names each.
    """
    ordered = np.sort(ids)
    repeated = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    if len(repeated):
        noun = "id" if len(repeated) == 1 else "ids"
        faults = [Fault("duplicate_id", f"id {id_}", "several objects have it") for id_ in repeated]
        raise FaultsError(f"{path}: {len(repeated)} duplicate {noun} in {key}", faults)
