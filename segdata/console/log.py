"""The log file of a command line, and what libraries write to standard error.

MindSpore writes its messages to standard error, partly from C++. Its own variable GLOG_v says from which level on.
"""

from __future__ import annotations

import atexit
import logging
import os
import platform
import re
import shlex
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from segdata.console.messages import SHOWN, Details, choose_terminal, forget_choices, say
from segdata.console.streams import is_prepared, second_errors
from segdata.errors import InvalidInputError
from segdata.regular import read_start
from segdata.text import plural, printable, without_secrets

_log = logging.getLogger(__name__)

#: The loggers of both packages' modules are below these.
_PACKAGES = ("segdata", "segtrain")
for _name in _PACKAGES:
    # Without any handler, Python itself prints what is logged as an error.
    logging.getLogger(_name).addHandler(logging.NullHandler())

#: A line of a log. Its start proves that a file is a log of this program.
_FORMAT = "%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s"
_START = re.compile(rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} \d+ [A-Z]+ [\w.]+: ")
_START_BYTES = 200

#: MindSpore's variable for the lowest level of its messages, and the level of errors.
_LEVEL, _ERRORS = "GLOG_v", "3"

#: Packages whose version is logged, where they are installed.
_LIBRARIES = ("numpy", "opencv-python-headless", "mindspore")


class _Log(logging.FileHandler):
    """Appends records to a file. A disk that is full ends the log, not the work."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, encoding="utf-8", errors="backslashreplace")
        self.setFormatter(logging.Formatter(_FORMAT))
        self._begin = path.stat().st_size

    def format(self, record: logging.LogRecord) -> str:
        return printable(without_secrets(super().format(record)))

    def handleError(self, record: logging.LogRecord) -> None:
        logging.getLogger().removeHandler(self)
        error = sys.exc_info()[1]
        reason = getattr(error, "strerror", None) or error
        say(f"{self.baseFilename}: {reason}. The log ends here; the command continues.")

    def close(self) -> None:
        # What did not fit is still in the buffer.
        with suppress(OSError):
            super().close()

    def tell_errors(self) -> None:
        """Say how many errors MindSpore has written into the file from this process."""
        error = re.compile(rb"\[(?:ERROR|CRITICAL)\] \w+\(%d\b" % os.getpid())
        with suppress(OSError), Path(self.baseFilename).open("rb") as file:
            file.seek(self._begin)
            if errors := sum(1 for line in file if error.match(line)):
                say(f"{self.baseFilename}: has {plural(errors, 'error message')} of MindSpore")


class _Opened:
    """Record of what the options of a command line opened."""

    def __init__(self, line: str = "", own_level: bool = False) -> None:
        """Nothing yet, for a command `line`; MindSpore's level is our own choice or the user's."""
        self.line, self.own_level = line, own_level
        self.details: Details | None = None
        self.file: _Log | None = None


_opened = _Opened()


@contextmanager
def logged(program: str, arguments: Sequence[str]) -> Iterator[None]:
    """Keep MindSpore's warnings off the terminal in the block: a command line, whose options may ask for more.

    An error that nobody foresaw is logged, and the log file is named after it.
    """
    global _opened
    begun = time.monotonic()
    _opened = _Opened(without_secrets(shlex.join([program, *arguments])), _LEVEL not in os.environ)
    os.environ.setdefault(_LEVEL, _ERRORS)
    try:
        yield
    except SystemExit as ended:
        _log.info("ended with status %s after %.1f s", ended.code or 0, time.monotonic() - begun)
        raise
    except BaseException:
        # Python prints it on the terminal.
        _log.critical("ended by an unexpected error", exc_info=True, extra=SHOWN)
        if _opened.file:
            say(f"{_opened.file.baseFilename}: has the messages of this run")
        raise
    finally:
        _close(_opened)


def show_details() -> None:
    """Show on the terminal what the packages log from level INFO on, and MindSpore's warnings."""
    if _opened.details is None:
        _opened.details = Details(logging.INFO)
        for name in _PACKAGES:
            logging.getLogger(name).addHandler(_opened.details)
        _begin(_opened.details)


def open_log(path: Path) -> None:
    """Append to `path` all that is logged, and what libraries write to standard error.

    When the process ends, a message on the terminal tells the number of MindSpore's errors in it.

    Raises:
        InvalidInputError: when it is not a regular file, or is another file than a log of this program.
        OSError: when it cannot be written.
    """
    if _opened.file:
        raise InvalidInputError("two log files are given; expected one")
    _check_ours(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    _opened.file = _Log(path)
    logging.getLogger().addHandler(_opened.file)
    logging.captureWarnings(True)
    _begin(_opened.file)
    if sys.stderr is not None and is_prepared(sys.stderr):
        choose_terminal(second_errors())
        # The file itself, not a thread that copies lines: they are in it even if the process crashes.
        with path.open("ab") as file:
            os.dup2(file.fileno(), 2)
        # What is registered before MindSpore is imported runs after MindSpore's own end, which may fail, too.
        atexit.register(_opened.file.tell_errors)


def _check_ours(path: Path) -> None:
    try:
        start = read_start(path, _START_BYTES)
    except FileNotFoundError:
        return
    if start and not _START.match(start):
        raise InvalidInputError(
            "is not a log of segdata or segtrain, so it is not appended to; expected such a log or a new file. Choose "
            "another --log-file."
        )


def _begin(handler: logging.Handler) -> None:
    """Tell `handler` what runs here, and let MindSpore write its warnings."""
    if _opened.own_level:
        os.environ.pop(_LEVEL, None)
    for name in _PACKAGES:
        logging.getLogger(name).setLevel(logging.DEBUG)
    for text in (f"segdata {_version('segdata')}: {_opened.line}", _platform()):
        handler.handle(_log.makeRecord(_log.name, logging.INFO, __file__, 0, text, (), None))


def _platform() -> str:
    libraries = (f"{name} {found}" for name in _LIBRARIES if (found := _version(name)))
    return ", ".join([f"Python {platform.python_version()} on {platform.platform()}", *libraries])


def _version(name: str) -> str:
    """Return the version of a package, or an empty text if it is not installed."""
    # Imported here: it would take a third of the time of --help.
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _close(opened: _Opened) -> None:
    for name in _PACKAGES:
        logger = logging.getLogger(name)
        logger.setLevel(logging.NOTSET)
        if opened.details:
            logger.removeHandler(opened.details)
    if opened.file:
        logging.captureWarnings(False)
        logging.getLogger().removeHandler(opened.file)
        opened.file.close()
    if opened.own_level:
        os.environ.pop(_LEVEL, None)
    forget_choices()
