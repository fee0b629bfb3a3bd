"""A group of commands that are imported when they are used."""

from __future__ import annotations

from importlib import import_module
from itertools import groupby
from typing import Any

import click

from segdata.console.flags import plain_flags
from segdata.console.output import add_output_options

#: Accept both spellings of an option: the model zoo writes ``--num_shards``, click users write ``--num-shards``.
CONTEXT: dict[str, Any] = {
    "help_option_names": ["-h", "--help"],
    "token_normalize_func": lambda token: token.replace("_", "-"),
    "max_content_width": 110,
}


class _Listed(click.Command):
    """A command in the list of commands, before it is imported."""

    def __init__(self, name: str, place: str, summary: str, section: str) -> None:
        super().__init__(name, help=summary)
        self.place, self.section = place, section

    def load(self) -> click.Command:
        module, _, attribute = self.place.partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command


class LazyGroup(click.Group):
    """Group that imports a command when it is used.

    Most of the time of ``--help`` and of a wrong command line would be imports that the command does not need. The
    group and each of its commands have the options of `add_output_options`.
    """

    def __init__(self, *args: Any, **attributes: Any) -> None:
        """Create the group."""
        super().__init__(*args, **attributes)
        add_output_options(self)

    def list_command(self, name: str, place: str, summary: str, section: str) -> None:
        """Add a command.

        Args:
            name: name of the command.
            place: where it is, ``module:attribute``.
            summary: first sentence of its help.
            section: heading of the list of commands that it is under.
        """
        self.add_command(_Listed(name, place, summary, section))

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the options before the name of the command; say where an option of a command belongs."""
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            if name := next((each for each in args if each in self.commands), ""):
                text = f"No such option {error.option_name!r} before the command. Put the options of {name} after it."
                raise click.UsageError(text, ctx) from error
            raise

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command and return it; None if no command has this name."""
        command = super().get_command(ctx, cmd_name)
        if isinstance(command, _Listed):
            command = command.load()
        if command:
            add_output_options(command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the name of the command that is called, the command, and its arguments with plain flags."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, command, plain_flags(command, rest) if command else rest

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands in the order in which they were added."""
        return list(self.commands)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands by section, with complete summaries, without importing them."""
        listed = [command for command in self.commands.values() if isinstance(command, _Listed)]
        for section, commands in groupby(listed, key=lambda command: command.section):
            with formatter.section(section):
                formatter.write_dl([(command.name or "", command.help or "") for command in commands])
