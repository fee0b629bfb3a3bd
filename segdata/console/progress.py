"""Progress of work: a bar on a terminal, elsewhere a line for each tenth."""

from __future__ import annotations

import logging
import time
from typing import Any

from segdata.console.messages import SHOWN, is_quiet, notify, terminal

_log = logging.getLogger(__name__)

#: Seconds from the start of the work to its first line of progress, and from line to line.
SECONDS = 5.0


class ProgressBar:
    """Shows on standard error how much of some work is done.

    On a terminal, it is a bar. A file or a pipe gets a line when another tenth is done, and `SECONDS` went by since the
    last one; with ``-q``, nothing is shown. The lines and how long the work took are logged in any case.

    >>> with ProgressBar(2, "reading") as bar:
    ...     bar.advance()
    """

    def __init__(self, total: int, label: str, *, unit: str = "", done: int = 0) -> None:
        """Begin with `done` of `total` steps, each of them a `unit`."""
        from tqdm import tqdm

        self._total, self._done, self._first = total, done, done
        self._title = self._label = label
        self._detail = ""
        self._unit = f" {unit}s" if unit else ""
        self._start = time.monotonic()
        self._told()
        # tqdm disables itself where there is no terminal.
        disable = True if is_quiet() else None
        self._bar: tqdm[Any] = tqdm(
            total=total,
            initial=done,
            desc=label,
            unit=unit,
            file=terminal(),
            disable=disable,
            dynamic_ncols=True,
        )

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def describe(self, label: str, detail: str) -> None:
        """Change the texts before and after the bar; they are shown with the next step."""
        self._label, self._detail = label, detail
        self._bar.set_description(label, refresh=False)
        self._bar.set_postfix_str(detail, refresh=False)

    def advance(self, amount: int = 1, *, told: bool = False) -> None:
        """Show that `amount` more steps are done; with `told`, a line of the caller says so, too."""
        self._done += amount
        self._bar.update(amount)
        if told:
            self._told()
        elif self._tenths() > self._last_tenths and time.monotonic() - self._last_time >= SECONDS:
            self._told()
            if self._bar.disable:
                notify(self._line())
            else:
                _log.info("%s", self._line(), extra=SHOWN)

    def line(self, text: str) -> None:
        """Print a notice above the bar."""
        with self._bar.external_write_mode(file=terminal()):
            notify(text)

    def close(self) -> None:
        """End the bar, and log how long the work took."""
        if not self._bar.disable:
            self._bar.close()
        _log.info("%s: %d of %d%s in %.1f s", self._title, self._done, self._total, self._unit, self._seconds())

    def _told(self) -> None:
        """Remember when a line was shown."""
        self._last_tenths, self._last_time = self._tenths(), time.monotonic()

    def _tenths(self) -> int:
        return 10 * self._done // self._total if self._total else 10

    def _seconds(self) -> float:
        return time.monotonic() - self._start

    def _line(self) -> str:
        interval = self._bar.format_interval
        left = self._seconds() * (self._total - self._done) / (self._done - self._first)
        share = f"{100 * self._done // self._total} % ({self._done} of {self._total}{self._unit})"
        detail = f", {self._detail}" if self._detail else ""
        return f"{self._label}: {share}, {interval(self._seconds())}, {interval(left)} left{detail}"
