"""Errors, progress and reports on the terminal."""

from __future__ import annotations

import io
import json
import logging
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import click
import msgspec

from segdata.console.streams import prepare_streams, quiet_if_unread, say
from segdata.errors import SegDataError, TargetExistsError
from segdata.parallel import Advance
from segdata.records.convert import UnfinishedError
from segdata.records.resume import PlanChangedError
from segdata.text import printable

_R = TypeVar("_R")

#: Exit statuses: 1 for bad data or failed work. 2, for wrong usage, comes from click. 130 and 143 are what shells
#: report after Ctrl-C and after SIGTERM, which schedulers send before they kill a process.
FAILED = 1
INTERRUPTED = 128 + signal.SIGINT
TERMINATED = 128 + signal.SIGTERM


class Terminated(KeyboardInterrupt):
    """Raised on SIGTERM."""


class CommandGroup(click.Group):
    """Group whose commands report bad input with a message and an exit status, never a traceback."""

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run the command line and exit with one of the statuses above."""
        prepare_streams()
        try:
            # Damage is reported in our own messages.
            logging.getLogger("tifffile").setLevel(logging.CRITICAL)
            with _terminable():
                # Without standalone mode, click returns the status of `Context.exit` instead of exiting with it.
                sys.exit(super().main(*args, **{**extra, "standalone_mode": False}) or 0)
        except click.ClickException as error:
            shown = io.StringIO()
            error.show(shown)
            say(shown.getvalue().rstrip("\n"))
            sys.exit(error.exit_code)
        except (click.Abort, KeyboardInterrupt) as error:
            # click turns an interrupt into an `Abort`.
            cause = error.__cause__ if isinstance(error, click.Abort) else error
            resume = f"; {cause}. Use --resume to continue." if str(cause or "") else ""
            say(f"Interrupted{resume}")
            sys.exit(TERMINATED if isinstance(cause, Terminated) else INTERRUPTED)
        except SegDataError as error:
            say(f"Error: {error}{_hint(error)}")
            sys.exit(FAILED)
        except OSError as error:
            say(f"Error: {_os_error(error)}")
            sys.exit(FAILED)

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        """Parse the command line; this is where help is printed."""
        with quiet_if_unread():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        with quiet_if_unread():
            return super().invoke(ctx)


@contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM interrupt like Ctrl-C, so that running work can stop cleanly."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _terminate(_signal: int, _frame: object) -> None:
    raise Terminated


def _hint(error: SegDataError) -> str:
    if isinstance(error, TargetExistsError) and error.replaceable:
        return " (--overwrite replaces it)"
    if isinstance(error, UnfinishedError):
        return " (use --resume to continue)"
    return " (omit --resume to write everything again)" if isinstance(error, PlanChangedError) else ""


def _os_error(error: OSError) -> str:
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror or error}"


@contextmanager
def progress_bar(*, total: int, label: str) -> Iterator[Advance]:
    """Show a progress bar on standard error if it is a terminal; the command line's `Progress`."""
    from tqdm import tqdm

    with tqdm(total=total, desc=label, unit="", file=sys.stderr, disable=None, dynamic_ncols=True) as bar:
        yield bar.update


def emit(report: _R, as_json: bool, text: Callable[[_R], str]) -> None:
    """Print `report` on standard output, as JSON or as formatted by `text`."""
    click.echo(_json(report) if as_json else printable(text(report)))


def _json(report: object) -> str:
    """Return `report` as JSON, with escapes if its names are not valid Unicode or standard output cannot encode it."""
    try:
        text = msgspec.json.format(msgspec.json.encode(report), indent=2).decode()
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return json.dumps(msgspec.to_builtins(report), indent=2)
    return text


def table(rows: list[tuple[str, ...]], *, right: Iterable[int] = ()) -> str:
    """Return `rows` (the first is the header) in aligned columns; `right` lists the right-aligned ones."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    aligned = set(right)
    lines = [
        "  ".join(
            cell.rjust(width) if column in aligned else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    return "\n".join(lines)
