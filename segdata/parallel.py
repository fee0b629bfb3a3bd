"""One ordered map over local threads, local processes or the workers of a Dask cluster."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from itertools import islice
from typing import Literal, Protocol, TypeVar

from segdata.cluster import Cluster, Workers, cluster_map
from segdata.errors import SegDataError

_T = TypeVar("_T")
_R = TypeVar("_R")

WorkerKind = Literal["threads", "processes"]

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


def if_worth(workers: Workers, worth: bool) -> Workers:
    """Return `workers`, but one where there is too little work for processes to start; a cluster's have started."""
    return workers if worth or isinstance(workers, Cluster) else 1


class Stopped(Exception):
    """Ends the work of a thread whose result nobody waits for any more."""


_thread = threading.local()


def check_stopped() -> None:
    """Raise `Stopped` in a thread of `ordered_map` whose caller has failed or was interrupted.

    Threads cannot be ended from outside; long work calls this between its steps.
    """
    stop: threading.Event | None = getattr(_thread, "stop", None)
    if stop and stop.is_set():
        raise Stopped


def ordered_map(
    function: Callable[[_T], _R], items: Iterable[_T], *, workers: Workers, kind: WorkerKind = "threads", chunk: int = 1
) -> Iterator[_R]:
    """Yield ``function(item)`` in the order of `items`, whatever the number of workers.

    Only a few chunks wait in memory, so a list of millions streams through. One worker means this thread. A worker is
    handed `chunk` items at a time: more than one where the work on one is less than handing it over. Threads
    are for work outside the interpreter lock. Processes are for the rest; they are not forked from this one, whose
    libraries keep threads of their own, so that a script must call under ``if __name__ == "__main__":``. A cluster is
    handed the same chunks, whatever `kind`; function, items and results must pickle, and files must lie where its
    workers see them by the same path.

    Raises:
        SegDataError: when a worker process dies (killed, out of memory), or see `cluster_map`.
    """
    if isinstance(workers, Cluster):
        for results in cluster_map(partial(_run, function), _chunks(items, chunk), workers):
            yield from results
        return
    if workers <= 1:
        yield from map(function, items)
        return
    stop = threading.Event()
    executor: Executor = _threads(workers, stop) if kind == "threads" else _processes(workers)
    waiting: deque[Future[list[_R]]] = deque()
    try:
        for part in _chunks(items, chunk):
            waiting.append(executor.submit(_run, function, part))
            if len(waiting) >= 4 * workers:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()
    except BrokenProcessPool as error:
        raise SegDataError(
            "a worker process was killed before it finished: out of memory, or started from a script that does not "
            'call under `if __name__ == "__main__":`'
        ) from error
    finally:
        stop.set()
        executor.shutdown(wait=True, cancel_futures=True)


def _threads(workers: int, stop: threading.Event) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(workers, initializer=setattr, initargs=(_thread, "stop", stop))


def _processes(workers: int) -> ProcessPoolExecutor:
    context = multiprocessing.get_context("forkserver")
    return ProcessPoolExecutor(workers, mp_context=context, initializer=_end_with_parent)


def _end_with_parent() -> None:
    """Let a worker process end with its parent: when that is killed it would wait for work for ever.

    Ctrl-C reaches the whole group of processes; the parent answers it.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_wait_for_parent, daemon=True).start()


def _wait_for_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _chunks(items: Iterable[_T], size: int) -> Iterator[list[_T]]:
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk


def _run(function: Callable[[_T], _R], chunk: list[_T]) -> list[_R]:
    return [function(item) for item in chunk]
