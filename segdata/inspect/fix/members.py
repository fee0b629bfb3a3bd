"""Cures of the members of a JSON's objects: ids, references and numbers that are text or fractions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from segdata.coco.columns import AnnotationObject
from segdata.coco.file import MEMBERS, Category, Image
from segdata.coco.ids import DistinctIds
from segdata.errors import Fault
from segdata.inspect.fix.document import CocoDraft

_TYPES: dict[str, Any] = {"images": Image, "categories": Category, "annotations": AnnotationObject}

#: A text that is a number, and a fraction that is too large for one: ids and sizes have 64 bits.
_INTEGER, _LARGEST = re.compile(r"-?\d{1,19}"), 2.0**63

#: Members that refer to the objects of another list.
_REFERENCES = {"image_id": "images", "category_id": "categories"}

#: Members that other cures compute again if they are unusable.
_COMPUTED = ("width", "height", "area")


def cure_members(draft: CocoDraft, faults: Sequence[Fault]) -> None:
    """Write ids and numbers in quotes as numbers; drop what belongs to nothing."""
    places = [place for fault in faults if (place := draft.place(fault.where))]
    free = {key: DistinctIds(object_ids(draft, key)) for key in MEMBERS}
    ids = {key: _number_ids(draft, key, [row for name, row in places if name == key], free[key]) for key in MEMBERS}
    for key, row in places:
        found = draft.get(key, row)
        # Text may be the name of an image or a category.
        if isinstance(found, str):
            continue
        if not isinstance(found, dict) or _is_stray(draft, key, found):
            draft.drop(key, row)
            continue
        values = _plain_members(found, key, ids)
        if key == "annotations" and "id" not in found:
            values["id"] = free[key].take(None)
        if _is_valid(key, {**found, **values}):
            draft.set(key, row, values)


def object_ids(draft: CocoDraft, key: str) -> set[int]:
    """Return the ids of a list, those in quotes too."""
    objects = (draft.get(key, row) for row in range(len(draft.lists[key])))
    ids = (one.get("id") for one in objects if isinstance(one, dict))
    return {id_ for each in ids if (id_ := each if type(each) is int else _as_integer(each)) is not None}


def _number_ids(draft: CocoDraft, key: str, rows: Iterable[int], free: DistinctIds) -> dict[Any, int]:
    """Return an integer for each id of these objects that is text or a fraction: the one that it is, or a free one."""
    numbers: dict[Any, int] = {}
    for row in rows:
        found = draft.get(key, row)
        id_ = found.get("id") if isinstance(found, dict) else None
        if isinstance(id_, str | float) and id_ not in numbers:
            number = _as_integer(id_)
            numbers[id_] = free.take(None) if number is None else number
    return numbers


def _as_integer(value: object) -> int | None:
    """Return the integer that a text or a float is, if it is one."""
    if isinstance(value, str) and _INTEGER.fullmatch(value.strip()):
        return int(value)
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < _LARGEST else None


def _is_stray(draft: CocoDraft, key: str, found: Mapping[str, Any]) -> bool:
    """Return whether an object cannot belong to anything: no reference, or a category that nothing refers to."""
    if key == "annotations":
        return any(found.get(name) is None for name in _REFERENCES)
    if key == "categories" and "name" not in found:
        every = (draft.get("annotations", row) for row in range(len(draft.lists["annotations"])))
        return all(not isinstance(one, dict) or one.get("category_id") != found.get("id") for one in every)
    return False


def _plain_members(found: Mapping[str, Any], key: str, ids: Mapping[str, Mapping[Any, int]]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, target in {"id": key, **_REFERENCES}.items():
        value = found.get(name)
        if isinstance(value, str | float):
            number = ids[target].get(value, _as_integer(value))
            values |= {} if number is None else {name: number}
    for name in (*_COMPUTED, "iscrowd"):
        value = found.get(name)
        if isinstance(value, str) or (isinstance(value, float) and name != "area"):
            values[name] = _as_integer(value)
    if values.get("iscrowd", 0) is None:
        del values["iscrowd"]
    return values


def _is_valid(key: str, values: Mapping[str, Any]) -> bool:
    try:
        msgspec.json.decode(msgspec.json.encode(values), type=_TYPES[key])
    except msgspec.DecodeError:
        return False
    return True
