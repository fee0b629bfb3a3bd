"""Flags with a value, as programs with argparse take them: ``--shuffle=True``, ``--shuffle True``."""

from __future__ import annotations

from collections.abc import Iterator

import click

_VALUES = {"true": True, "false": False}


def plain_flags(command: click.Command, arguments: list[str]) -> list[str]:
    """Return the arguments of a command without the values of its flags.

    ``--flag=True`` becomes ``--flag``; ``--flag=False`` becomes ``--no-flag`` if there is one, and nothing otherwise. A
    value other than true and false is left for click to refuse.

    >>> command = click.Command("fit", params=[click.Option(["--flip/--no-flip"])])
    >>> plain_flags(command, ["--flip=False", "--flip", "true", "true"])
    ['--no-flip', '--flip', 'true']
    """
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    return [*_plain(_flags(command), options), *arguments[len(options) :]]


def _plain(flags: dict[str, str], options: list[str]) -> Iterator[str]:
    rest = iter(range(len(options)))
    for index in rest:
        name, equals, value = options[index].partition("=")
        spelled = name.replace("_", "-")
        following = options[index + 1] if index + 1 < len(options) else ""
        on = _VALUES.get((value if equals else following).lower())
        if spelled not in flags or on is None:
            yield options[index]
            continue
        if not equals:
            next(rest)
        if on:
            yield name
        elif flags[spelled]:
            yield flags[spelled]


def _flags(command: click.Command) -> dict[str, str]:
    """Return the flags of a command with dashes, each with its opposite, or an empty text."""
    return {
        name.replace("_", "-"): (option.secondary_opts or [""])[0]
        for option in command.params
        if isinstance(option, click.Option) and option.is_flag
        for name in option.opts
    }
