"""Read and write configurations: built-in recipes, YAML files, flags and ``key=value`` settings."""

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
    """Summary of a recipe.

    Attributes:
        name: name to pass to `recipe`.
        model: published name of the network.
        summary: first sentence of the recipe's file.
    """

    name: str
    model: Model
    summary: str


def recipe_names() -> list[str]:
    """Return the names of the built-in recipes."""
    return sorted(path.stem for path in _RECIPES.glob("*.yaml"))


def recipe_summaries() -> list[RecipeSummary]:
    """Return a summary of each recipe, ordered by name."""
    return [
        RecipeSummary(name, recipe(name).model, recipe_text(name).partition("\n")[0].removeprefix("# "))
        for name in recipe_names()
    ]


def recipe_text(name: str) -> str:
    """Return the YAML of the recipe `name`, comments included.

    Raises:
        InvalidInputError: when there is no such recipe. The message suggests similar names.
    """
    if name not in recipe_names():
        raise InvalidInputError(f"unknown recipe {name!r}; {suggest(name, recipe_names())}")
    return (_RECIPES / f"{name}.yaml").read_text("utf-8")


def recipe(name: str) -> Config:
    """Return the settings of the recipe `name`.

    Raises:
        InvalidInputError: when there is no such recipe. The message suggests similar names.
    """
    return parse_config(recipe_text(name), f"recipe {name}")


def read_config(path: Path) -> Config:
    """Read a configuration file in the format of `write_config`.

    Raises:
        InvalidInputError: when the file cannot be read or is not a complete configuration.
    """
    try:
        return parse_config(path.read_text("utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"{path}: cannot be read: {error}") from error


def parse_config(text: str, where: str) -> Config:
    """Return the configuration in a YAML mapping; errors name it by `where`."""
    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InvalidInputError(f"{where}: not valid YAML: {error}") from error
    if not isinstance(values, dict):
        raise InvalidInputError(f"{where}: expected a YAML mapping of settings")
    converted = _convert(values)
    required = {field.name for field in dataclasses.fields(Config) if field.default is dataclasses.MISSING}
    if missing := sorted(required - set(converted)):
        raise InvalidInputError(f"{where}: missing setting{'s' if len(missing) != 1 else ''}: {', '.join(missing)}")
    return Config(**converted)


def write_config(config: Config) -> str:
    """Return `config` as YAML, in the order of the fields; `parse_config` reads it back."""
    return yaml.safe_dump(msgspec.to_builtins(config), sort_keys=False, default_flow_style=None)


def override(config: Config, flags: Mapping[str, Any], settings: Sequence[str] = ()) -> Config:
    """Return `config` with `flags` (None: not given) and ``key=value`` `settings` applied.

    Name a setting in a group by group and setting, as in ``mask_rcnn.image_width=512``.

    Raises:
        InvalidInputError: for an unknown key, a value of the wrong type or out of range, a setting without ``=``, or
            a key given twice with different values.
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
    """Return the settings group `name` with new `values`."""
    if not dataclasses.is_dataclass(group) or isinstance(group, type):
        member = next(iter(values))
        raise InvalidInputError(f"unknown setting {name}.{member}: this configuration has no settings group {name!r}")
    return dataclasses.replace(group, **_convert(values, type(group)))


def _scalar(key: str, text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InvalidInputError(f"{key} = {text!r}: not a valid YAML value") from error


def _convert(values: Mapping[str, Any], kind: type = Config) -> dict[str, Any]:
    """Return `values` with the types of `kind`; strings may be numbers, as YAML 1.1 reads ``1e-4`` as a string."""
    types = get_type_hints(kind, include_extras=True)
    converted = {}
    for key, value in values.items():
        if key not in types:
            raise InvalidInputError(f"unknown setting {key!r}; {suggest(str(key), types)}")
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
