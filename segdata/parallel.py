"""Ordered map over local threads, local processes or the workers of a Dask cluster."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from functools import cache, partial
from itertools import islice
from typing import Literal, Protocol, TypeVar, overload

from segdata.arguments import check_number
from segdata.cluster import Cluster, Workers, cluster_map
from segdata.errors import Fault, collecting
from segdata.processes import WorkerProcesses, can_start_processes, no_more_workers, worker_processes
from segdata.worker import Advance, begin, reporting

_T = TypeVar("_T")
_R = TypeVar("_R")

#: Bytes of an image or label that are kept for the next one after it was freed.
_KEPT = 8 << 20

#: Minimum number of samples for worker processes, unless their images are decoded: fewer are read before a process has
#: started.
PROCESSES_FROM = 5000

WorkerKind = Literal["threads", "processes"]


class Progress(Protocol):
    """Reports the progress of a task; the library never prints, so the caller decides what to show."""

    def __call__(self, *, total: int, label: str) -> AbstractContextManager[Advance]:
        """Start a task of `total` items."""
        ...


@contextmanager
def silent(*, total: int, label: str) -> Iterator[Advance]:
    """Show no progress: the default `Progress`."""
    yield lambda _count: None


def default_workers() -> int:
    """Return the number of CPU cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@overload
def chosen_workers(workers: int | None) -> int: ...
@overload
def chosen_workers(workers: Workers | None) -> Workers: ...
def chosen_workers(workers: Workers | None) -> Workers:
    """Return `workers`, the argument of a public function; None is one for each CPU core.

    Raises:
        OptionError: when it is not a positive number or a cluster.
    """
    if workers is None:
        return default_workers()
    if not isinstance(workers, Cluster):
        check_number("workers", workers, 1)
    return workers


def if_worth(workers: Workers, worth: bool) -> Workers:
    """Return `workers`, or 1 if the work is not `worth` starting local processes; a cluster is already running."""
    return workers if worth or isinstance(workers, Cluster) else 1


def kind_for(items: int) -> WorkerKind:
    """Return the kind of workers for so many short items: processes, or threads if there are too few for these."""
    return "processes" if items >= PROCESSES_FROM else "threads"


def ordered_map(
    function: Callable[[_T], _R],
    items: Iterable[_T],
    *,
    workers: Workers,
    kind: WorkerKind = "threads",
    chunk: int = 1,
    advance: Advance | None = None,
) -> Iterator[_R]:
    """Yield ``function(item)`` in the order of `items`, for any number of workers.

    Only a few chunks wait in memory, so `items` can be a stream of millions. With one worker, everything runs in the
    calling thread. Each worker gets `chunk` items at a time; use more than one if passing an item to a worker costs
    more than processing it.

    Use threads for work that releases the GIL for long, and processes for everything else; a script must start these
    under ``if __name__ == "__main__":``. Where no process can be started, threads do its work. A cluster gets the same
    chunks and ignores `kind`; function, items and results must be picklable, and its workers must see all files under
    the same paths.

    `advance` gets what the function reports by `segdata.worker.report_progress`, but not from a cluster.

    Raises:
        SegDataError: when a worker cannot be started, or a process dies; see `worker_processes` and `cluster_map`.
    """
    if isinstance(workers, Cluster):
        for results in cluster_map(partial(_run, function), _chunks(items, chunk), workers):
            yield from results
        return
    _keep_freed_memory()
    if workers <= 1:
        with reporting(advance):
            yield from map(function, items)
        return
    run, parts = partial(_run, function), _chunks(items, chunk)
    in_processes = kind == "processes" and can_start_processes()
    with worker_processes(workers, run, advance) if in_processes else _worker_threads(workers, advance) as pool:
        waiting: deque[Future[list[_R]]] = deque()
        if in_processes and chunk > 1:
            yield from _while_starting(pool, workers, run, parts)
        for part in parts:
            waiting.append(_submit(pool, run, part))
            if len(waiting) >= 4 * workers:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()


def progress_map(
    function: Callable[[_T], _R],
    items: Iterable[_T],
    *,
    total: int,
    label: str,
    progress: Progress,
    workers: Workers,
    kind: WorkerKind = "threads",
    chunk: int = 1,
) -> Iterator[_R]:
    """Yield the results of `ordered_map`, and report each of the `total` items as `progress` of the task `label`."""
    with progress(total=total, label=label) as advance:
        for result in ordered_map(function, items, workers=workers, kind=kind, chunk=chunk):
            advance(1)
            yield result


def map_faults(
    function: Callable[[_T], _R],
    items: Iterable[_T],
    faults: list[Fault],
    *,
    name: Callable[[_T], str],
    total: int,
    label: str,
    progress: Progress,
    workers: Workers,
    kind: WorkerKind = "threads",
    chunk: int = 1,
) -> Iterator[_R]:
    """Yield ``function(item)`` for each item that it does not refuse, in order; collect the faults of all others.

    This is the only way in which one bad sample does not end the work on the others.

    Args:
        function: raises `InvalidInputError` to refuse an item; a `FaultsError` has several faults.
        items: any number of items.
        faults: list to append to.
        name: returns the name of an item, for faults that do not name their place.
        total: see `progress_map`, also for the next two.
        label: name of the task.
        progress: reports progress.
        workers: see `ordered_map`, also for the next two.
        kind: threads or processes.
        chunk: number of items that a worker gets at a time.

    >>> from segdata.errors import InvalidInputError
    >>> found = []
    >>> def double(text):
    ...     if not text.isdigit():
    ...         raise InvalidInputError("not a number")
    ...     return 2 * int(text)
    >>> list(map_faults(double, ["1", "x"], found, name=str, total=2, label="x", progress=silent, workers=1))
    [2]
    >>> print(*found)
    x: not a number
    """
    attempt = partial(_attempt, function, name)
    for results, found in progress_map(
        attempt, items, total=total, label=label, progress=progress, workers=workers, kind=kind, chunk=chunk
    ):
        faults += found
        yield from results


def _attempt(function: Callable[[_T], _R], name: Callable[[_T], str], item: _T) -> tuple[list[_R], list[Fault]]:
    results: list[_R] = []
    faults: list[Fault] = []
    with collecting(faults, name(item)):
        results.append(function(item))
    return results, faults


@contextmanager
def _worker_threads(workers: int, advance: Advance | None) -> Iterator[ThreadPoolExecutor]:
    stop = threading.Event()
    executor = ThreadPoolExecutor(workers, initializer=begin, initargs=(stop.is_set, advance))
    try:
        yield executor
    finally:
        stop.set()
        executor.shutdown(wait=True, cancel_futures=True)


@cache
def _keep_freed_memory() -> None:
    """Let the C library use freed memory again without returning it to the system in between.

    Freeing a long block makes glibc keep all shorter ones (mallopt(3), ``M_MMAP_THRESHOLD``). Otherwise the system
    clears the same pages again for every image, which is a third of the time of checking.
    """
    bytes(_KEPT)


def _while_starting(
    pool: WorkerProcesses[list[_T], list[_R]] | ThreadPoolExecutor,
    workers: int,
    run: Callable[[list[_T]], list[_R]],
    parts: Iterator[list[_T]],
) -> Iterator[_R]:
    """Yield the results of the first parts, computed by the calling thread until worker processes have started.

    Starting them takes as long as checking a thousand samples.
    """
    starting = [_submit(pool, run, []) for _ in range(workers)]
    while not all(worker.done() for worker in starting) and (part := next(parts, None)):
        yield from run(part)


def _submit(
    pool: WorkerProcesses[list[_T], list[_R]] | ThreadPoolExecutor, run: Callable[[list[_T]], list[_R]], part: list[_T]
) -> Future[list[_R]]:
    try:
        return pool.submit(part) if isinstance(pool, WorkerProcesses) else pool.submit(run, part)
    except RuntimeError as error:
        raise no_more_workers(error) from error


def _chunks(items: Iterable[_T], size: int) -> Iterator[list[_T]]:
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk


def _run(function: Callable[[_T], _R], chunk: list[_T]) -> list[_R]:
    _keep_freed_memory()
    return [function(item) for item in chunk]
