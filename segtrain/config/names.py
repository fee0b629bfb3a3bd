"""Names of settings: where each one is in a `Config`, and which choices read it."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from functools import cache
from typing import Any, get_args, get_type_hints

import msgspec

from segdata.errors import InvalidInputError
from segtrain.config.config import Config
from segtrain.config.group import Group
from segtrain.config.networks import AnyNetwork

#: Names of the groups from `Config` down to a setting, and the setting's own name. A choice has the path of its group.
Place = tuple[str, ...]

#: Published names of settings that are called differently in a `Config`.
_PUBLISHED = {"lr_type": "schedule"}

#: Published groups of settings, which are those of a network.
FAMILIES = ("mask_rcnn", "unet")


@cache
def fields_of(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """Return the type of each field of a group of settings, by name."""
    hints = get_type_hints(kind, include_extras=True)
    return {field: hints[field] for field in kind.__struct_fields__}


def choices_of(hint: Any) -> dict[str, type[Group]]:
    """Return the groups that a field may hold, by name; no other field holds a group."""
    kinds = (kind for kind in get_args(hint) if isinstance(kind, type) and issubclass(kind, Group))
    return {name_of(kind): kind for kind in kinds}


def name_of(kind: type[Group]) -> str:
    """Return the published name of a choice."""
    return str(kind.__struct_config__.tag)


@cache
def places() -> tuple[tuple[Place, type[msgspec.Struct]], ...]:
    """Return the path of each setting and choice with each group that has it, in the order of the fields."""
    return tuple(dict.fromkeys(_walk(Config, ())))


def _walk(kind: type[msgspec.Struct], above: Place) -> Iterator[tuple[Place, type[msgspec.Struct]]]:
    for field, hint in fields_of(kind).items():
        yield (*above, field), kind
        for choice in choices_of(hint).values():
            yield from _walk(choice, (*above, field))


@cache
def readers() -> dict[Place, tuple[str, ...]]:
    """Return what reads each setting: networks by name, and other choices such as "optimizer adam"."""
    found: dict[Place, list[str]] = {}
    for path, kind in places():
        found.setdefault(path, []).append(owner(kind, path))
    return {path: tuple(dict.fromkeys(labels)) for path, labels in found.items()}


def owner(kind: type[msgspec.Struct], path: Place) -> str:
    """Return what messages call the group that a setting is in; empty for `Config` itself."""
    if not issubclass(kind, Group):
        return ""
    return name_of(kind) if issubclass(kind, AnyNetwork) else f"{path[-2]} {name_of(kind)}"


def is_group(path: Place) -> bool:
    """Return whether a path is that of a choice and not of a setting."""
    return any(len(other) > len(path) and other[: len(path)] == path for other in readers())


def place_of(key: str) -> Place:
    """Return the path of a setting or choice.

    Args:
        key: its name, short (``crop_size``), dotted (``model.crop_size``) or as published (``unet.crop``).

    Raises:
        InvalidInputError: when there is no such setting. The message suggests similar names of all groups.
    """
    group, dot, rest = _PUBLISHED.get(key, key).removesuffix(".name").partition(".")
    short = {path[-1]: path for path in readers()}
    path = ("model" if group in FAMILIES else group, *rest.split(".")) if dot else short.get(group, ())
    if path in readers():
        return path
    # The group may be the mistake: the last part decides.
    near = _close(key.rpartition(".")[2], short) or _close(group, short)
    hint = f"did you mean {' or '.join(_spelled(short[name]) for name in near)}? " if near else ""
    raise InvalidInputError(f"unknown setting {key!r}; {hint}`segtrain settings` lists all")


def _close(name: str, known: dict[str, Place]) -> list[str]:
    # A wrong case is a common mistake, and difflib treats "d" and "D" as different letters.
    return difflib.get_close_matches(name.lower(), known)


def _spelled(path: Place) -> str:
    """Return a setting's published name if only one family of networks has it, or its short name."""
    family = {label.partition("_simple")[0] for label in readers()[path]}
    return f"{family.pop()}.{path[-1]}" if len(family) == 1 and family <= {*FAMILIES} else path[-1]
