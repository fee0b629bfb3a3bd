"""State of the worker that a function runs in: whether it is to stop, and how far it is."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

#: Takes the number of items finished since the last call; may be called from any thread.
Advance = Callable[[int], object]

_state = threading.local()


class Stopped(Exception):
    """Ends a worker whose result is no longer needed."""


def begin(stopped: Callable[[], bool], advance: Advance | None) -> None:
    """Make the calling thread a worker that asks `stopped` whether to stop, and reports to `advance`."""
    _state.stopped, _state.advance = stopped, advance


@contextmanager
def reporting(advance: Advance | None) -> Iterator[None]:
    """Report what the calling thread finishes to `advance`, until the end of the block."""
    before = getattr(_state, "advance", None)
    _state.advance = advance
    try:
        yield
    finally:
        _state.advance = before


def check_stopped() -> None:
    """Raise `Stopped` in a worker of `segdata.parallel.ordered_map` if the caller failed or was interrupted.

    Threads cannot be ended from outside, and processes leave unfinished files if they are, so long-running functions
    call this between steps.
    """
    stopped: Callable[[], bool] | None = getattr(_state, "stopped", None)
    if stopped and stopped():
        raise Stopped


def report_progress(count: int) -> None:
    """Report that a part of the item is finished, for items that take long; see `segdata.parallel.ordered_map`."""
    advance: Advance | None = getattr(_state, "advance", None)
    if advance:
        advance(count)
