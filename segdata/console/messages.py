"""Messages on standard error and, with ``--log-file``, in the log: what ``-q`` and ``-v`` change."""

from __future__ import annotations

import logging
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import TextIO

import click

from segdata.text import printable

_log = logging.getLogger(__name__)

#: Marks a record of the log that is on the terminal already.
SHOWN = {"shown": True}


@dataclass
class _Choice:
    """Choices of the options of a command line.

    Attributes:
        quiet: show errors and the report only.
        verbose: show details, too.
        terminal: stream of the messages; None for standard error. With a log file, what libraries write to standard
            error is in that file, and this one is still on the terminal.
    """

    quiet: bool = False
    verbose: bool = False
    terminal: TextIO | None = None


_choice = _Choice()


def choose_amount(*, quiet: bool = False, verbose: bool = False) -> None:
    """Show less or more from now on.

    Raises:
        click.UsageError: when both were chosen.
    """
    _choice.quiet |= quiet
    _choice.verbose |= verbose
    if _choice.quiet and _choice.verbose:
        raise click.UsageError("-q and -v: expected only one of them")


def choose_terminal(stream: TextIO) -> None:
    """Write messages to `stream` from now on."""
    _choice.terminal = stream


def forget_choices() -> None:
    """Return to what a command line without options shows; where messages go stays as it is."""
    _choice.quiet = _choice.verbose = False
    if _choice.terminal:
        sys.stderr, _choice.terminal = _choice.terminal, None


def terminal() -> TextIO:
    """Return the stream of messages and progress."""
    return _choice.terminal or sys.stderr


def is_quiet() -> bool:
    """Return whether only errors and the report are shown."""
    return _choice.quiet


def say(text: str) -> None:
    """Print an error on standard error, with control characters escaped.

    If that cannot be written, do nothing: a full disk under the log must not end the work.
    """
    _log.error(text, extra=SHOWN)
    _print(text)


def notify(text: str) -> None:
    """Print a notice like `say`, unless the command line asks for quiet."""
    _log.info(text, extra=SHOWN)
    if not _choice.quiet:
        _print(text)


class Details(logging.Handler):
    """Shows on the terminal what the packages log, above a progress bar that is there."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print a record, unless it is on the terminal already."""
        if not getattr(record, "shown", False):
            from tqdm import tqdm

            with tqdm.external_write_mode(file=terminal()):
                _print(record.getMessage())


def _print(text: str) -> None:
    with suppress(OSError):
        click.echo(printable(text), file=terminal())
