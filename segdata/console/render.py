"""Errors, progress and reports on the terminal."""

from __future__ import annotations

import io
import json
import logging
import re
import shlex
import signal
import sys
import threading
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, TypeVar

import click

from segdata.console.flags import plain_flags
from segdata.console.lazy import LazyGroup
from segdata.console.log import logged
from segdata.console.messages import SHOWN, say
from segdata.console.progress import ProgressBar
from segdata.console.streams import prepare_streams, quiet_if_unread
from segdata.errors import Fault, FaultsError, SegDataError, TargetExistsError
from segdata.text import printable

if TYPE_CHECKING:
    from segdata.worker import Advance

_R = TypeVar("_R")

_log = logging.getLogger(__name__)

#: Escapes of the control characters that `printable` keeps.
_BREAKS = {ord("\t"): "\\t", ord("\n"): "\\n"}

#: A command with the option that every command has, to read it from a command line that the parser refused.
_WITH_JSON = click.Command("", params=[click.Option(["--json"], is_flag=True)])

#: Exit statuses: 1 for bad data or failed work. 2, for wrong usage, comes from click. 130 and 143 are what shells
#: report after Ctrl-C and after SIGTERM, which schedulers send before they kill a process.
FAILED = 1
INTERRUPTED = 128 + signal.SIGINT
TERMINATED = 128 + signal.SIGTERM


class Terminated(KeyboardInterrupt):
    """Raised on SIGTERM."""


@dataclass(frozen=True)
class ErrorReport:
    """Report of a command that failed, which --json prints on standard output.

    Attributes:
        error: the message. Of several faults, it is the headline.
        faults: all faults, in input order; empty if the message is about something else. `where` is empty if `what`
            names the place.
    """

    error: str
    faults: tuple[Fault, ...]


class CommandGroup(LazyGroup):
    """Group whose commands report bad input with a message and an exit status, never a traceback."""

    def main(self, args: Sequence[str] | None = None, *rest: Any, **extra: Any) -> Any:
        """Run the command line and exit with one of the statuses above."""
        prepare_streams()
        given = list(sys.argv[1:] if args is None else args)
        with logged(self.callback.__module__.partition(".")[0] if self.callback else "", given):
            self._run(given, *rest, **extra)

    def _run(self, given: list[str], *rest: Any, **extra: Any) -> Any:
        try:
            # Damage is reported in our own messages.
            logging.getLogger("tifffile").setLevel(logging.CRITICAL)
            with _terminable():
                # Without standalone mode, click returns the status of `Context.exit` instead of exiting with it.
                sys.exit(super().main(given, *rest, **{**extra, "standalone_mode": False}) or 0)
        except click.ClickException as error:
            shown = io.StringIO()
            error.show(shown)
            _fail(error, error.format_message(), given, error.exit_code, shown=shown.getvalue().rstrip("\n"))
        except (click.Abort, KeyboardInterrupt) as error:
            # click turns an interrupt into an `Abort`.
            cause = error.__cause__ if isinstance(error, click.Abort) else error
            resume = f": {cause}. Use --resume to continue." if str(cause or "") else ""
            text = f"Interrupted{resume}"
            _fail(error, text, given, TERMINATED if isinstance(cause, Terminated) else INTERRUPTED, shown=text)
        except SegDataError as error:
            _fail(error, f"{error}{_hint(error)}", given, FAILED)
        except OSError as error:
            _fail(error, _os_error(error), given, FAILED)

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        """Parse the command line; this is where help is printed."""
        with quiet_if_unread():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        with quiet_if_unread():
            return super().invoke(ctx)


def _fail(error: BaseException, text: str, arguments: Sequence[str], status: int, *, shown: str | None = None) -> None:
    """Report a failure, as JSON too if the command line asks for it, and exit.

    The arguments decide and not the parsed option: the parser itself may have refused them.
    """
    say(shown or f"Error: {text}")
    given = plain_flags(_WITH_JSON, list(arguments))
    if "--json" in (given[: given.index("--")] if "--" in given else given):
        what = error.what if isinstance(error, FaultsError) else text
        # The message is on standard error, and the status says the rest.
        with suppress(OSError):
            click.echo(_json(ErrorReport(what, tuple(_faults(error)))))
    sys.exit(status)


def _faults(error: BaseException) -> Iterator[Fault]:
    """Yield the faults of an error, or of the one that caused it: a failed upload adds its own message."""
    if isinstance(error, FaultsError):
        yield from (fault if isinstance(fault, Fault) else Fault(error.code, "", fault) for fault in error.faults)
    elif error.__cause__:
        yield from _faults(error.__cause__)


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
    from segdata.records.convert import UnfinishedError
    from segdata.records.resume import PlanChangedError

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
    """Show the progress of work; the command line's `Progress`."""
    with ProgressBar(total, label) as bar:
        yield bar.advance


def emit(report: _R, as_json: bool, text: Callable[[_R], str]) -> None:
    """Print `report`, a dataclass or several, on standard output, as JSON or as formatted by `text`."""
    shown = _json(report) if as_json else printable(text(report))
    if not as_json:
        _log.info("%s", shown, extra=SHOWN)
    click.echo(shown)


def report_name(kind: type) -> str:
    """Return the value of the key ``report`` in the JSON of a class of reports, from the name of the class.

    >>> report_name(ErrorReport)
    'error'
    """
    return re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__.removesuffix("Report")).lower()


def _json(report: object) -> str:
    """Return `report` as JSON, with escapes if its names are not valid Unicode or standard output cannot encode it."""
    import msgspec

    named = [_named(each) for each in report] if isinstance(report, list | tuple) else _named(report)
    try:
        text = msgspec.json.format(msgspec.json.encode(named), indent=2).decode()
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return json.dumps(msgspec.to_builtins(named), indent=2)
    return text


def _named(report: Any) -> dict[str, Any]:
    """Return the members of `report`, a dataclass, after its name."""
    return {"report": report_name(type(report)), **{each.name: getattr(report, each.name) for each in fields(report)}}


def not_known(unknown: Sequence[str]) -> list[str]:
    """Return the lines about what a data set does not say."""
    return [f"not given  {fact}" for fact in unknown]


def root_line(root: str, *, coco: bool) -> str:
    """Return the line that names the folder of a new list or JSON as an option of later commands, quoted for a shell.

    >>> root_line("my data", coco=False)
    "data root, to use with the list: --data_root 'my data'"
    """
    what = "image folder, to use with the JSON: --images" if coco else "data root, to use with the list: --data_root"
    return f"{what} {shlex.quote(root)}"


def table(rows: list[tuple[str, ...]], *, right: Iterable[int] = ()) -> str:
    """Return `rows` (the first is the header) in aligned columns; `right` lists the right-aligned ones.

    A cell is one line: tabs and line breaks in names are escapes.
    """
    cells = [[printable(cell).translate(_BREAKS) for cell in row] for row in rows]
    widths = [max(map(_width, column)) for column in zip(*cells, strict=True)]
    aligned = set(right)
    lines = []
    for row in cells:
        padded = []
        for column, (cell, width) in enumerate(zip(row, widths, strict=True)):
            space = " " * (width - _width(cell))
            padded.append(space + cell if column in aligned else cell + space)
        lines.append("  ".join(padded).rstrip())
    return "\n".join(lines)


def _width(text: str) -> int:
    """Return the number of columns of a terminal that a text fills: wide letters take two, marks above others none."""
    if text.isascii():
        return len(text)
    letters = [letter for letter in text if not unicodedata.combining(letter) and unicodedata.category(letter) != "Cf"]
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in letters)
