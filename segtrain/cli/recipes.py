"""The `recipes` command: show the published settings."""

from __future__ import annotations

from dataclasses import dataclass

import click

from segdata.console.options import json_option
from segdata.console.render import emit, table
from segdata.errors import InvalidInputError
from segtrain.config.config import Config
from segtrain.config.recipes import RecipeSummary, parse_config, recipe_summaries, recipe_text


@dataclass(frozen=True)
class RecipeReport:
    """A recipe with all its settings.

    Attributes:
        name: name of the recipe.
        config: all settings, including those left at their defaults; as a file, it is a recipe of the same meaning.
    """

    name: str
    config: Config


@click.command("recipes")
@click.argument("name", required=False)
@json_option
def recipes_command(name: str | None, as_json: bool) -> None:
    """List the recipes for fit, or print the recipe NAME as YAML.

    --json prints the list as JSON, or all settings of NAME, including those left at their defaults.

    \b
    Example:
      segtrain recipes
      segtrain recipes deeplabv3plus_s16_r1
    """
    if name is None:
        emit(recipe_summaries(), as_json, _text)
        return
    try:
        text = recipe_text(name)
    except InvalidInputError as error:
        raise click.UsageError(str(error)) from error
    emit(RecipeReport(name, parse_config(text, f"recipe {name}")), as_json, lambda _: text.rstrip("\n"))


def _text(summaries: list[RecipeSummary]) -> str:
    rows = [(each.name, each.model, each.summary) for each in summaries]
    return table([("name", "model", "summary"), *rows])
