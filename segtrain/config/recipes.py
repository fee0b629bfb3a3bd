"""Read and write configurations: built-in recipes, YAML files, flags and ``key=value`` settings."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import yaml

from segdata.arguments import FilePath, check_opened, check_several, local_path
from segdata.errors import InvalidInputError, suggest
from segdata.regular import DESCRIPTION_BYTES, read_regular
from segdata.text import quoted
from segtrain.config.config import Config
from segtrain.config.settings import build, flat

#: Raised by PyYAML: its own error, one for a date such as 2020-13-45, and one for thousands of brackets.
_NOT_YAML = (yaml.YAMLError, ValueError, RecursionError)

#: The functions that return a configuration, for a message to those who give a name or a file instead.
MAKERS = "segtrain.recipe or segtrain.read_config"

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
    model: str
    summary: str


def recipe_names() -> list[str]:
    """Return the names of the built-in recipes."""
    return sorted(path.stem for path in _RECIPES.glob("*.yaml"))


def recipe_summaries() -> list[RecipeSummary]:
    """Return a summary of each recipe, ordered by name."""
    return [
        RecipeSummary(name, recipe(name).model.name, recipe_text(name).partition("\n")[0].removeprefix("# "))
        for name in recipe_names()
    ]


def recipe_text(name: str) -> str:
    """Return the YAML of the recipe `name`, comments included.

    Raises:
        InvalidInputError: when there is no such recipe. The message suggests similar names.
    """
    if name not in recipe_names():
        raise InvalidInputError(
            f"unknown recipe {name!r}; {suggest(name, recipe_names())}. segtrain recipes lists all."
        )
    return (_RECIPES / f"{name}.yaml").read_text("utf-8")


def recipe(name: str) -> Config:
    """Return the settings of the recipe `name`.

    Raises:
        InvalidInputError: when there is no such recipe. The message suggests similar names.
    """
    return parse_config(recipe_text(name), f"recipe {name}")


def read_config(path: FilePath) -> Config:
    """Read a configuration file in the format of `write_config`.

    Raises:
        InvalidInputError: when the file cannot be read or is not a complete configuration.
    """
    path = local_path(path)
    try:
        text = read_regular(path, at_most=DESCRIPTION_BYTES).decode()
    except (OSError, UnicodeDecodeError, InvalidInputError) as error:
        raise InvalidInputError(f"{path}: cannot be read: {error}") from error
    return parse_config(text, str(path))


def parse_config(text: str, where: str) -> Config:
    """Return the configuration in a YAML mapping; errors name it by `where`."""
    try:
        values = yaml.safe_load(text)
    except _NOT_YAML as error:
        raise InvalidInputError(f"{where}: not valid YAML: {error}") from error
    return config_of(values, where)


def config_of(values: Any, where: str) -> Config:
    """Return the configuration in a mapping, in groups or as earlier versions wrote it; errors name it by `where`."""
    if not isinstance(values, dict):
        raise InvalidInputError(f"{where}: expected a mapping of settings")
    try:
        return build({}, flat(values))
    except InvalidInputError as error:
        raise InvalidInputError(f"{where}: {error}") from error


def write_config(config: Config) -> str:
    """Return `config` as YAML, in the order of the fields; `parse_config` reads it back."""
    check_opened("config", config, MAKERS)
    return yaml.safe_dump(msgspec.to_builtins(config), sort_keys=False, default_flow_style=None)


def override(config: Config, flags: Mapping[str, Any], settings: Sequence[str] = ()) -> Config:
    """Return `config` with `flags` (None: not given) and ``key=value`` `settings` applied.

    A key is a setting's name (``crop_size``) or path (``model.crop_size``), or its published name
    (``mask_rcnn.image_width``). A choice is made by name (``optimizer=adam``); it keeps the values that the new choice
    reads, too.

    Raises:
        InvalidInputError: for an unknown key, a setting that nothing would read, a value of the wrong type or out of
            range, a setting without ``=``, or a key given twice with different values.
    """
    check_opened("config", config, MAKERS)
    check_several("settings", settings)
    given = [
        (key, os.fspath(value) if isinstance(value, os.PathLike) else value)
        for key, value in flags.items()
        if value is not None
    ]
    return build(msgspec.to_builtins(config), [*given, *map(_parsed, settings)])


def _parsed(setting: str) -> tuple[str, Any]:
    key, equals, text = setting.partition("=")
    if not equals:
        raise InvalidInputError(f"setting {setting!r}: expected key=value")
    try:
        return key, yaml.safe_load(text)
    except _NOT_YAML as error:
        raise InvalidInputError(f"{key} = {quoted(text)}: not a valid YAML value") from error
