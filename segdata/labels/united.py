"""Classes of several data sets, united by name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from segdata.errors import Fault, FaultsError
from segdata.labels.mask_mapping import Unknown
from segdata.text import check_unique, plural, same_name, spellings


@dataclass(frozen=True)
class PartClasses:
    """The classes of one data set among several.

    Attributes:
        where: name of the data set in messages.
        names: name of each class.
        used: its number of pixels or objects.
        unit: what is counted, such as ``"pixel"``.
    """

    where: str
    names: Sequence[str]
    used: Sequence[int]
    unit: str


def unite_classes(parts: Sequence[PartClasses], wanted: Sequence[str] | None, *, unknown: Unknown) -> tuple[str, ...]:
    """Return the names of the classes of all data sets, those of the first one first; or `wanted`.

    >>> parts = [PartClasses("a", ["cat", "dog"], [9, 9], "pixel"), PartClasses("b", ["dog", "cow"], [9, 0], "pixel")]
    >>> unite_classes(parts, None, unknown="error")
    ('cat', 'dog', 'cow')

    Args:
        parts: the data sets.
        wanted: the names to return.
        unknown: ``error`` refuses a class with pixels or objects that is not among `wanted`.

    Raises:
        FaultsError: when a data set has two classes of one name, data sets spell a name differently, `wanted` names a
            class twice, or a class is refused.
    """
    names = tuple(dict.fromkeys(name for part in parts for name in part.names))
    repeated = [
        Fault("duplicate_category", part.where, same_name(group, "classes"))
        for part in parts
        for group in spellings(part.names)
    ]
    if repeated:
        raise FaultsError(
            "Classes of the same name in one data set; expected different names, because classes are united by name. "
            "Rename them",
            repeated,
        )
    if wanted is None and (alike := spellings(names)):
        raise FaultsError(
            "Class names in several spellings; expected one of each, because classes are united by name. Rename them",
            [Fault("duplicate_category", f"class {group[0]!r}", same_name(group, "classes")) for group in alike],
        )
    if wanted is None:
        return names
    check_unique(wanted, "Class names that appear several times")
    listed = set(wanted)
    other = [
        Fault("invalid", part.where, f"class {name!r} has {plural(count, part.unit)}")
        for part in parts
        for name, count in zip(part.names, part.used, strict=True)
        if count and name not in listed
    ]
    if other and unknown == "error":
        raise FaultsError(
            "Classes in use that --class_names does not list. Add them, or leave out their pixels or objects with "
            "--unknown ignore",
            other,
        )
    return tuple(wanted)


def classes_left_out(parts: Sequence[PartClasses], names: Sequence[str]) -> dict[str, int]:
    """Return the number of pixels or objects of each class that is not among `names`."""
    found, kept = Counter[str](), set(names)
    for part in parts:
        found.update({name: count for name, count in zip(part.names, part.used, strict=True) if name not in kept})
    return dict(found)
