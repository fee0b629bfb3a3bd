"""One ordered map over local threads or processes."""

from __future__ import annotations

import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, contextmanager
from typing import Literal, Protocol, TypeVar

from segdata.errors import SegDataError

T = TypeVar("T")
R = TypeVar("R")

Kind = Literal["threads", "processes"]


#: Called with how many items are done since the last call; may be called from any thread.
Advance = Callable[[int], object]


class Progress(Protocol):
    """Shows how far a piece of work is; the library never prints, the caller decides what is seen."""

    def __call__(self, *, total: int, label: str) -> AbstractContextManager[Advance]:
        """Begin a piece of work of `total` items."""
        ...


@contextmanager
def silent(*, total: int, label: str) -> Iterator[Advance]:
    """Show nothing: the default `Progress`."""
    yield lambda _count: None


def default_workers() -> int:
    """Return the number of processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def ordered_map(function: Callable[[T], R], items: Iterable[T], *, workers: int, kind: Kind = "threads") -> Iterator[R]:
    """Yield ``function(item)`` in the order of `items`, whatever the number of workers.

    At most four times `workers` results wait in memory, so a list of millions streams through.
    One worker means this thread. Processes are spawned, not forked: MindSpore keeps threads of its own.

    Raises:
        SegDataError: when a worker process dies (killed, out of memory).
    """
    if workers <= 1:
        yield from map(function, items)
        return
    executor = _executor(workers, kind)
    waiting: deque[Future[R]] = deque()
    try:
        for item in items:
            waiting.append(executor.submit(function, item))
            if len(waiting) >= 4 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool as error:
        raise SegDataError(
            "a worker process was killed before it finished (out of memory?); nothing was kept"
        ) from error
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


def _executor(workers: int, kind: Kind) -> Executor:
    if kind == "threads":
        return ThreadPoolExecutor(workers)
    return ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"))
