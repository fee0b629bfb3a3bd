"""Reference of all settings: default, expected values, meaning, and what the recipes set."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import msgspec

from segdata.errors import InvalidInputError
from segtrain.config.config import Config
from segtrain.config.expected import expected_values
from segtrain.config.group import Group
from segtrain.config.names import choices_of, fields_of, owner, place_of, places
from segtrain.config.networks import AnyNetwork
from segtrain.config.recipes import recipe, recipe_names

#: A line of the section "Attributes" of a docstring, and its continuation.
_ATTRIBUTE = re.compile(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", re.MULTILINE)


@dataclass(frozen=True)
class SettingInfo:
    """One setting of one or several networks or other choices; they share default, expected values and meaning.

    Attributes:
        name: path of the setting, such as ``model.crop_size``; ``--set`` also takes its last part alone.
        of: what has it: networks by name, or other choices such as ``schedule exp``; empty: every network.
        required: whether there is no default.
        default: value if a recipe does not set it.
        expected: type and range of its values.
        meaning: what it does, as in the documentation of the class that has it.
        recipes: values that recipes set in place of the default, by recipe.
    """

    name: str
    of: tuple[str, ...]
    required: bool
    default: Any
    expected: str
    meaning: str
    recipes: dict[str, Any]


def all_settings() -> tuple[SettingInfo, ...]:
    """Return all settings and choices, in the order of `Config`.

    Example:
        >>> next(info.default for info in all_settings() if info.name == "ema_decay")
        0.0
    """
    return _all()


@cache
def _all() -> tuple[SettingInfo, ...]:
    found: dict[tuple[str, bool, Any, str, str], list[tuple[str, type[msgspec.Struct]]]] = {}
    for path, kind in places():
        field = next(each for each in msgspec.structs.fields(kind) if each.name == path[-1])
        default = None if field.required else _plain(field.default)
        expected, meaning = expected_values(fields_of(kind)[field.name]), _meaning(kind, field.name)
        found.setdefault((".".join(path), field.required, default, expected, meaning), []).append(
            (owner(kind, path), kind)
        )
    recipes = {name: recipe(name) for name in recipe_names()}
    return tuple(
        SettingInfo(
            name,
            tuple(dict.fromkeys(label for label, _ in having if label)),
            *(required, default, expected, meaning),
            {
                each: value
                for each, config in recipes.items()
                if (value := _value(config, name, [kind for _, kind in having])) not in (None, default)
            },
        )
        for (name, required, default, expected, meaning), having in found.items()
    )


def sections() -> dict[str, list[SettingInfo]]:
    """Return the settings by what has them: every network, networks of one family by their names, other choices."""
    networks = choices_of(fields_of(Config)["model"])
    families: dict[str, list[str]] = {}
    for name, kind in networks.items():
        if issubclass(kind, AnyNetwork):
            families.setdefault(kind.FAMILY, []).append(name)
    titles = {name: ", ".join(names) for names in families.values() for name in names}
    found: dict[str, list[SettingInfo]] = {"every network": []}
    found |= {title: [] for title in titles.values()}
    for info in _all():
        for title in dict.fromkeys(titles.get(label, label.partition(" ")[0]) for label in info.of or ("",)):
            found.setdefault(title or "every network", []).append(info)
    return found


def settings_named(name: str) -> tuple[SettingInfo, ...]:
    """Return the settings that a name is for.

    Args:
        name: a setting, in any spelling that `override` takes, or a choice such as ``unet`` or ``exp``, for all that
            it has.

    Example:
        >>> settings_named("poolings")[0].expected
        'integer, 0 to 6'

    Raises:
        InvalidInputError: when there is no such name. The message suggests similar ones.
    """
    choices = {choice for path, kind in places() for choice in choices_of(fields_of(kind)[path[-1]])}
    if name in choices:
        return tuple(each for each in _all() if name in {label.rpartition(" ")[2] for label in each.of})
    path = ".".join(place_of(name))
    return tuple(each for each in _all() if each.name == path)


def _plain(value: Any) -> Any:
    return value.name if isinstance(value, Group) else value


def _value(config: Config, name: str, kinds: Sequence[type[msgspec.Struct]]) -> Any:
    """Return the value of a setting in a configuration, or None if the group there is not one of `kinds`."""
    group: Any = config
    *groups, field = name.split(".")
    for part in groups:
        group = getattr(group, part, None)
    return _plain(getattr(group, field)) if type(group) in kinds else None


def _meaning(kind: type[msgspec.Struct], field: str) -> str:
    """Return what the docstring of the class, or of one that it extends, says about a field, in the terms of YAML."""
    for each in kind.__mro__:
        _, _, attributes = inspect.cleandoc(each.__doc__ or "").partition("Attributes:\n")
        for name, text in _ATTRIBUTE.findall(attributes):
            if name == field:
                return " ".join(text.split()).replace("``", "`").replace("None:", "null:")
    raise InvalidInputError(f"{kind.__name__}.{field}: not in the docstring; Python runs with -OO, or it is missing")


def default_text(info: SettingInfo) -> str:
    """Return the default of a setting as YAML has it; "required" without a default."""
    return "required" if info.required else _text(info.default)


def recipes_text(info: SettingInfo) -> str:
    """Return the values that recipes set, each with its recipes: ``129: deeplabv3_cpu, deeplabv3plus_cpu``."""
    by_value: dict[str, list[str]] = {}
    for name, value in info.recipes.items():
        by_value.setdefault(_text(value), []).append(name)
    return "; ".join(f"{value}: {', '.join(names)}" for value, names in by_value.items())


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
