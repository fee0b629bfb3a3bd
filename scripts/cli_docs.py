"""Generate docs/cli.md, docs/settings.md and the tables of JSON reports: python scripts/cli_docs.py."""

from __future__ import annotations

import runpy
from pathlib import Path

import click

import segdata.cli
import segtrain.cli
from segtrain.config.reference import SettingInfo, default_text, recipes_text, sections

DOCS = Path(__file__).resolve().parents[1] / "docs"

COMMANDS_INTRODUCTION = """\
# Commands

Generated from the `--help` of all commands by `python scripts/cli_docs.py`; a test keeps it up to date.

Options accept underscores and dashes: `--num_shards` and `--num-shards` are the same. Results go to standard output,
progress and errors to standard error. Exit status: 0 success, 1 invalid data or a failed run, 2 usage error,
130 interrupted.
"""

SETTINGS_INTRODUCTION = """\
# Settings

Generated from the typed configuration (`segtrain/config/`) by `python scripts/cli_docs.py`; a test keeps it up to date.
`segtrain settings` lists the same in the terminal, and `segtrain settings NAME` explains a setting, a network or
another choice.

A setting is set by a recipe, by the option of `fit` of the same name, or by `--set NAME=VALUE`, where NAME is the name
below, its last part alone (`crop_size`), or the published one (`lr_type`, `unet.crop`, `mask_rcnn.image_width`). Values
are YAML: `true`, `null`, `[6, 12, 18]`. The column "recipes" has the values that [recipes](recipes.md) set in place of
the default. The network (`model`), its loss, the schedule and the optimizer are choices
with settings of their own.
"""

TABLE_HEAD = ("| setting | default | values | meaning | recipes |", "| --- | --- | --- | --- | --- |")


def commands() -> list[tuple[str, click.Command]]:
    """Return every command of both programs with its full name."""
    groups = {"segdata": segdata.cli.main, "segtrain": segtrain.cli.main}
    return [
        (f"{program} {name}", command)
        for program, group in groups.items()
        for name in group.commands
        if (command := group.get_command(click.Context(group), name))
    ]


def commands_page() -> str:
    """Return the text of docs/cli.md."""
    parts = [COMMANDS_INTRODUCTION]
    for name, command in commands():
        settings = segdata.cli.main.context_settings | {"terminal_width": 110}
        context = click.Context(command, info_name=name, **settings)
        parts.append(f"## {name}\n\n```\n{command.get_help(context)}\n```\n")
    return "\n".join(parts)


def settings_page() -> str:
    """Return the text of docs/settings.md."""
    parts = [SETTINGS_INTRODUCTION]
    for title, infos in sections().items():
        everyone = {label.rpartition(" ")[2] for info in infos for label in info.of}
        everyone = everyone & {*title.split(", ")} or everyone
        rows = [f"| {' | '.join(_cells(info, everyone))} |" for info in infos]
        parts.append("\n".join([f"## {title}\n", *TABLE_HEAD, *rows, ""]))
    return "\n".join(parts)


def _cells(info: SettingInfo, everyone: set[str]) -> list[str]:
    """Return a row; it names the networks or choices that have the setting if not all of the section have it."""
    here = [name for label in info.of if (name := label.rpartition(" ")[2]) in everyone]
    some = "" if {*here} == everyone else f" ({', '.join(here)})"
    return [f"`{info.name}`{some}", default_text(info), info.expected, info.meaning.rstrip("."), recipes_text(info)]


#: The generated pages, by name.
PAGES = {
    "cli.md": commands_page,
    "settings.md": settings_page,
    **runpy.run_path(str(Path(__file__).with_name("json_docs.py")))["PAGES"],
}


if __name__ == "__main__":
    for page, text in PAGES.items():
        (DOCS / page).write_text(text())
