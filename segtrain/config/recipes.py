"""Configurations from and to YAML: the recipes that come with the program, files, flags and ``key=value`` settings."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec
import yaml

from segdata.errors import InvalidInputError, suggest
from segtrain.config.config import Config, Model

_RECIPES = Path(__file__).with_name("recipes")


@dataclass(frozen=True)
class RecipeSummary:
    """A recipe in a few words.

    Attributes:
        name: what `recipe` finds it by.
        model: network by its published name.
        summary: the sentence that its file begins with.
    """

    name: str
    model: Model
    summary: str


def recipe_names() -> list[str]:
    """Return the names of the recipes that come with the program."""
    return sorted(path.stem for path in _RECIPES.glob("*.yaml"))


def recipe_summaries() -> list[RecipeSummary]:
    """Return what each recipe is, by name."""
    return [
        RecipeSummary(name, recipe(name).model, recipe_text(name).partition("\n")[0].removeprefix("# "))
        for name in recipe_names()
    ]


def recipe_text(name: str) -> str:
    """Return the YAML of the recipe called `name`, comments included.

    Raises:
        InvalidInputError: when there is no such recipe; near names are given.
    """
    if name not in recipe_names():
        raise InvalidInputError(f"no recipe is called {name!r}; {suggest(name, recipe_names())}")
    return (_RECIPES / f"{name}.yaml").read_text("utf-8")


def recipe(name: str) -> Config:
    """Return the published settings called `name`.

    Raises:
        InvalidInputError: when there is no such recipe; near names are given.
    """
    return parse_config(recipe_text(name), f"recipe {name}")


def read_config(path: Path) -> Config:
    """Read a configuration file as `write_config` writes it.

    Raises:
        InvalidInputError: when it cannot be read or holds anything but a complete configuration.
    """
    try:
        return parse_config(path.read_text("utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"{path}: cannot be read: {error}") from error


def parse_config(text: str, where: str) -> Config:
    """Return the configuration that a YAML mapping gives; `where` names it in errors."""
    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InvalidInputError(f"{where}: not YAML: {error}") from error
    if not isinstance(values, dict):
        raise InvalidInputError(f"{where}: expected a mapping of settings")
    converted = _convert(values)
    required = {field.name for field in dataclasses.fields(Config) if field.default is dataclasses.MISSING}
    if missing := sorted(required - set(converted)):
        raise InvalidInputError(f"{where}: lacks {', '.join(missing)}")
    return Config(**converted)


def write_config(config: Config) -> str:
    """Return `config` as YAML, in the order of the fields; `parse_config` reads it back."""
    return yaml.safe_dump(msgspec.to_builtins(config), sort_keys=False, default_flow_style=None)


def override(config: Config, flags: Mapping[str, Any], settings: Sequence[str] = ()) -> Config:
    """Return `config` with `flags` on top (None: not given) and with ``key=value`` `settings`.

    A setting of a group is called by both names, as in ``mask_rcnn.image_width=512``.

    Raises:
        InvalidInputError: for an unknown key, a value of the wrong type or out of range, a setting without ``=``,
            and a key that is given twice with different values.
    """
    given = _convert({key: value for key, value in flags.items() if value is not None})
    members: dict[str, dict[str, Any]] = {}
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals:
            raise InvalidInputError(f"setting {setting!r}: expected key=value")
        group, dot, member = key.partition(".")
        if dot:
            members.setdefault(group, {})[member] = _scalar(key, text)
            continue
        value = _convert({key: _scalar(key, text)})[key]
        if key in given and given[key] != value:
            raise InvalidInputError(f"{key} is given twice: {given[key]!r} and {value!r}")
        given[key] = value
    for group, values in members.items():
        given[group] = _with_members(given.get(group, getattr(config, group, None)), group, values)
    return dataclasses.replace(config, **given)


def _with_members(group: Any, name: str, values: Mapping[str, Any]) -> Any:
    """Return the group of settings called `name` with new `values`."""
    if not dataclasses.is_dataclass(group) or isinstance(group, type):
        member = next(iter(values))
        raise InvalidInputError(f"no settings are called {name!r} here, so that {name}.{member} cannot be one of them")
    return dataclasses.replace(group, **_convert(values, type(group)))


def _scalar(key: str, text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InvalidInputError(f"{key} = {text!r}: cannot be read as a YAML value") from error


def _convert(values: Mapping[str, Any], kind: type = Config) -> dict[str, Any]:
    """Return `values` with the types of `kind`; YAML 1.1 takes ``1e-4`` for a string, so strings may be numbers."""
    types = get_type_hints(kind, include_extras=True)
    converted = {}
    for key, value in values.items():
        if key not in types:
            raise InvalidInputError(f"no setting is called {key!r}; {suggest(str(key), types)}")
        group = next((each for each in get_args(types[key]) if dataclasses.is_dataclass(each)), None)
        if isinstance(group, type) and isinstance(value, dict):
            converted[key] = group(**_convert(value, group))
            continue
        try:
            converted[key] = msgspec.convert(value, types[key], strict=False)
        except msgspec.ValidationError as error:
            raise InvalidInputError(f"{key} = {value!r}: {_expected(types[key], error)}") from error
    return converted


def _expected(kind: Any, error: msgspec.ValidationError) -> str:
    if get_origin(kind) is Literal:
        return f"expected one of {', '.join(get_args(kind))}"
    words = [word for part in get_args(kind) if get_origin(part) is Literal for word in get_args(part)]
    if words and "enum" in str(error):
        return f"expected a number or {' or '.join(words)}"
    text = str(error).replace("`", "")
    return text[0].lower() + text[1:]
