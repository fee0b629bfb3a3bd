"""The options that every command of both programs has: how much it shows, and its log file."""

from __future__ import annotations

from pathlib import Path

import click

from segdata.console.log import open_log, show_details
from segdata.console.messages import choose_amount
from segdata.errors import InvalidInputError


def _quiet(_context: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    choose_amount(quiet=wanted)


def _verbose(_context: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    choose_amount(verbose=wanted)
    if wanted:
        show_details()


def _log_file(context: click.Context, parameter: click.Parameter, path: Path | None) -> None:
    if path is None:
        return
    try:
        open_log(path)
    except InvalidInputError as error:
        raise click.BadParameter(f"{path}: {error}", context, parameter) from error
    except OSError as error:
        reason = f"{error.filename or path}: cannot be written: {error.strerror or error}"
        raise click.BadParameter(reason, context, parameter) from error


#: They act when they are parsed, before all other options, so that what is wrong with those is in the log.
_OPTIONS = (
    click.Option(
        ["-q", "--quiet"], is_flag=True, is_eager=True, expose_value=False, callback=_quiet,
        help="Show only errors and the report",
    ),
    click.Option(
        ["-v", "--verbose"], is_flag=True, is_eager=True, expose_value=False, callback=_verbose,
        help="Also show details: versions, times, files and MindSpore's warnings",
    ),
    click.Option(
        ["--log-file"], type=click.Path(path_type=Path), metavar="FILE", is_eager=True, expose_value=False,
        callback=_log_file, help="Append all messages, details and MindSpore's warnings to this file",
    ),
)  # fmt: skip


def add_output_options(command: click.Command) -> None:
    """Add the options to a command or a group that does not have them yet."""
    command.params += [option for option in _OPTIONS if option not in command.params]
