"""Merge the parts of COCO JSONs besides images and annotations: categories, licenses and descriptions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from msgspec import Raw

from segdata.coco.file import MEMBERS, Coco
from segdata.coco.ids import DistinctIds
from segdata.coco.objects import object_id
from segdata.coco.writing import replace_values
from segdata.errors import Fault
from segdata.labels.mask_mapping import Unknown
from segdata.labels.united import PartClasses, unite_classes


@dataclass(frozen=True)
class MergedCategories:
    """The categories of several JSONs, united by name.

    Attributes:
        raws: their text.
        names: their names.
        numbers: their ids.
        ids: for each JSON, the id of each of its categories by row; None for those left out.
        renumbered: number of categories of the JSONs whose id changes.
        warnings: names with other super-categories.
    """

    raws: list[Raw]
    names: tuple[str, ...]
    numbers: tuple[int, ...]
    ids: tuple[tuple[int | None, ...], ...]
    renumbered: int
    warnings: tuple[Fault, ...]


def part_classes(coco: Coco) -> PartClasses:
    """Return the categories of a JSON in file order, with their numbers of annotations."""
    used = np.bincount(coco.annotations.category, minlength=len(coco.categories))
    return PartClasses(str(coco.path), [each.name for each in coco.categories], used.tolist(), "annotation")


def merge_categories(parts: Sequence[Coco], class_names: Sequence[str] | None, *, unknown: Unknown) -> MergedCategories:
    """Unite the categories of JSONs by name; the text of each is that of the first JSON that has it.

    Ids are those of that JSON, if an earlier category does not have them; with `class_names`, they count from 1.

    Raises:
        FaultsError: see `unite_classes`.
    """
    names = unite_classes([part_classes(part) for part in parts], class_names, unknown=unknown)
    distinct = DistinctIds(each.id for part in parts for each in part.categories)
    raws, numbers = dict[str, Raw](), dict[str, int]()
    places: dict[str, tuple[str | None, Coco]] = {}
    warnings: list[Fault] = []
    for part in parts:
        for each, raw in zip(part.categories, part.members["categories"], strict=True):
            above = each.supercategory
            first, owner = places.setdefault(each.name, (above, part))
            if first != above:
                found = f"supercategory {first!r} in {owner.path} and {above!r} in {part.path}; kept {first!r}"
                warnings.append(Fault("invalid", f"category {each.name!r}", found))
            if each.name not in numbers:
                numbers[each.name] = each.id if class_names else distinct.take(each.id)
                raws[each.name] = raw
    if class_names:
        numbers = {name: id_ for id_, name in enumerate(names, start=1)}
    raws = {name: Raw(msgspec.json.encode({"id": 0, "name": name, "supercategory": ""})) for name in names} | raws
    ids = tuple(tuple(numbers.get(each.name) for each in part.categories) for part in parts)
    return MergedCategories(
        raws=[_with_id(raws[name], numbers[name]) for name in names],
        names=names,
        numbers=tuple(numbers[name] for name in names),
        ids=ids,
        renumbered=sum(
            new not in (None, each.id)
            for part, found in zip(parts, ids, strict=True)
            for each, new in zip(part.categories, found, strict=True)
        ),
        warnings=tuple(warnings),
    )


@dataclass(frozen=True)
class MergedLicenses:
    """The licenses of several JSONs; None if no JSON has a list of them.

    Attributes:
        raws: their text.
        ids: for each JSON, the new id of each license whose id changes.
    """

    raws: list[Raw] | None
    ids: tuple[dict[int, int], ...]


def merge_licenses(parts: Sequence[Coco]) -> MergedLicenses:
    """Merge lists of licenses: equal ones appear once, the others with distinct ids."""
    lists = [part.members.get("licenses") for part in parts]
    listed = [each if isinstance(each, list) else [] for each in lists]
    distinct = DistinctIds(object_id(raw) or 0 for raws in listed for raw in raws)
    known: dict[bytes, int] = {}
    merged: list[Raw] = []
    changed: list[dict[int, int]] = []
    for raws in listed:
        changed.append({})
        for raw in raws:
            id_ = object_id(raw)
            text = msgspec.json.encode(_without_id(raw), order="deterministic")
            if text not in known:
                known[text] = distinct.take(id_ or 0)
                merged.append(raw if id_ in (None, known[text]) else _with_id(raw, known[text]))
            if id_ is not None and id_ != known[text]:
                changed[-1][id_] = known[text]
    return MergedLicenses(merged if any(isinstance(each, list) for each in lists) else None, tuple(changed))


def merge_others(parts: Sequence[Coco]) -> tuple[dict[str, Any], list[Fault]]:
    """Return the top-level members of all JSONs, each of the first that has it, and where others differ from it.

    The ``info`` of JSONs nearly always differs, in a date for instance.
    """
    members: dict[str, Any] = {}
    warnings: list[Fault] = []
    for part in parts:
        for key, value in part.members.items():
            kept = members.setdefault(key, value)
            if key not in (*MEMBERS, "licenses", "info") and kept != value:
                warnings.append(Fault("invalid", str(part.path), f"member {key!r} differs from that of the first JSON"))
    return members, warnings


def _without_id(raw: Raw) -> object:
    value = msgspec.json.decode(raw)
    return {key: each for key, each in value.items() if key != "id"} if isinstance(value, dict) else value


def _with_id(raw: Raw, id_: int) -> Raw:
    return raw if object_id(raw) == id_ else replace_values(raw, {"id": Raw(str(id_).encode())})
