"""Generate docs/cli.md from the --help of all commands: python scripts/cli_docs.py."""

from __future__ import annotations

from pathlib import Path

import click

import segdata.cli
import segtrain.cli

TARGET = Path(__file__).resolve().parents[1] / "docs" / "cli.md"

INTRODUCTION = """\
# Commands

Generated from the `--help` of all commands by `python scripts/cli_docs.py`; a test keeps it up to date.

Options accept underscores and dashes: `--num_shards` and `--num-shards` are the same. Results go to standard output,
progress and errors to standard error. Exit status: 0 success, 1 invalid data or a failed run, 2 usage error,
130 interrupted.
"""


def commands() -> list[tuple[str, click.Command]]:
    """Return every command of both programs with its full name."""
    groups = {"segdata": segdata.cli.main, "segtrain": segtrain.cli.main}
    return [
        (f"{program} {name}", command) for program, group in groups.items() for name, command in group.commands.items()
    ]


def render() -> str:
    """Return the text of docs/cli.md."""
    parts = [INTRODUCTION]
    for name, command in commands():
        settings = segdata.cli.main.context_settings | {"terminal_width": 110}
        context = click.Context(command, info_name=name, **settings)
        parts.append(f"## {name}\n\n```\n{command.get_help(context)}\n```\n")
    return "\n".join(parts)


if __name__ == "__main__":
    TARGET.write_text(render())
