"""Standard streams that are closed, full or cannot encode a character must not end a command with a traceback."""

from __future__ import annotations

import codecs
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

import click

#: The names of the streams in errors.
_OUTPUT = "standard output"
_ERRORS = "standard error"

#: Exit status after the reader of standard output has gone, as in ``| head``: what shells report after SIGPIPE.
_OUTPUT_CLOSED = 128 + 13


class _Stream(io.TextIOWrapper):
    """A standard stream whose errors name it, and that escapes the characters it cannot encode.

    After an error it continues on ``/dev/null``: otherwise, the interpreter fails again when it flushes it at exit.
    """

    def __init__(self, number: int, title: str, encoding: str) -> None:
        super().__init__(
            io.BufferedWriter(io.FileIO(number, "w", closefd=False)),
            # ASCII is what a machine without settings says; its terminals show UTF-8.
            encoding="utf-8" if codecs.lookup(encoding).name == "ascii" else encoding,
            errors="backslashreplace",
            line_buffering=True,
        )
        self.number, self.title = number, title

    def write(self, text: str) -> int:
        with self._named():
            return super().write(text)

    def flush(self) -> None:
        with self._named():
            super().flush()

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self.number)
            os.close(null)
            error.filename = self.title
            raise


def prepare_streams() -> None:
    """Open the closed standard streams on ``/dev/null``, and make the others name their errors and escape characters.

    Cron jobs and daemons close streams. The next file that a program opens would get the number of a closed one, and
    messages that libraries write to standard error would end up in it.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) < 3:
        os.set_inheritable(number, True)
    os.close(number)
    # Streams that a caller replaced, as tests do, are left alone.
    if sys.stdin is None:
        sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
    if sys.stdout is sys.__stdout__:
        sys.stdout = _Stream(1, _OUTPUT, getattr(sys.stdout, "encoding", "utf-8"))
    if sys.stderr is sys.__stderr__:
        sys.stderr = _Stream(2, _ERRORS, getattr(sys.stderr, "encoding", "utf-8"))


def is_prepared(stream: TextIO) -> bool:
    """Return whether `prepare_streams` made this stream; a caller, as tests do, may have put another in its place."""
    return isinstance(stream, _Stream)


def second_errors() -> TextIO:
    """Return a second stream to where standard error leads now; worker processes do not inherit it."""
    sys.stderr.flush()
    return _Stream(os.dup(2), _ERRORS, sys.stderr.encoding)


@contextmanager
def quiet_if_unread() -> Iterator[None]:
    """End without a message when nobody reads standard output any more.

    Raises:
        click.exceptions.Exit: in that case.
    """
    try:
        yield
    except BrokenPipeError as error:
        if error.filename != _OUTPUT:
            raise
        raise click.exceptions.Exit(_OUTPUT_CLOSED) from error
