"""The `settings` command: explain the training settings."""

from __future__ import annotations

import textwrap

import click

from segdata.console.options import json_option
from segdata.console.render import emit, table
from segdata.errors import InvalidInputError
from segtrain.config.reference import SettingInfo, all_settings, default_text, recipes_text, sections, settings_named


@click.command("settings")
@click.argument("name", required=False)
@json_option
def settings_command(name: str | None, as_json: bool) -> None:
    """List the training settings, or explain the setting or choice NAME.

    NAME is a setting as --set takes it (crop_size, model.crop_size, unet.crop), or a choice such as unet, ohem, exp or
    adam, to explain all settings that it has. docs/settings.md has all of them on one page.

    \b
    Example:
      segtrain settings
      segtrain settings crop_size
      segtrain settings mask_rcnn
    """
    if name is None:
        emit(all_settings(), as_json, lambda _: _list())
        return
    try:
        found = settings_named(name)
    except InvalidInputError as error:
        raise click.UsageError(str(error)) from error
    emit(found, as_json, _explained)


def _list() -> str:
    blocks = []
    for title, infos in sections().items():
        rows = [(info.name, default_text(info), info.expected) for info in infos]
        blocks.append(f"{title}\n\n{table([('setting', 'default', 'values'), *rows])}")
    return "\n\n".join(blocks)


def _explained(infos: tuple[SettingInfo, ...]) -> str:
    return "\n\n".join(_block(info) for info in infos) if infos else "no settings of its own"


def _block(info: SettingInfo) -> str:
    of = f" ({', '.join(info.of)})" if info.of else ""
    lines = [info.meaning, f"default: {default_text(info)}", f"values: {info.expected}"]
    if info.recipes:
        lines.append(f"recipes: {recipes_text(info)}")
    shown = [textwrap.fill(line, 108, initial_indent="  ", subsequent_indent="    ") for line in lines]
    return "\n".join([f"{info.name}{of}", *shown])
