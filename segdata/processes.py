"""Worker processes: they end with their parent, stop when it asks them to, and count what they finish."""

from __future__ import annotations

import multiprocessing
import os
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from segdata.errors import SegDataError
from segdata.worker import Advance, begin

if TYPE_CHECKING:
    from ctypes import c_byte
    from multiprocessing.sharedctypes import Synchronized

#: Bytes of the longest temporary folder: a socket's path has at most 107 (unix(7)), and multiprocessing appends 32.
_LONGEST_TEMPORARY = 75

#: Seconds between two readings of what worker processes have counted.
_EVERY = 0.1


@contextmanager
def worker_processes(
    workers: int, function: Callable[..., object], advance: Advance | None = None
) -> Iterator[ProcessPoolExecutor]:
    """Start processes that run `function`; at the end, stop them and wait until they have ended.

    Processes are not forked from this one, since its libraries have running threads, but from a server that has
    imported the module of the first such function. So a script must call this under ``if __name__ == "__main__":``.

    Args:
        workers: number of processes.
        function: what will be submitted.
        advance: gets what the processes report by `segdata.worker.report_progress`.

    Raises:
        SegDataError: when a process dies (killed, out of memory), or there is no folder for temporary files.
    """
    folder = temporary_folder("worker processes", ", or use 1 worker")
    if len(os.fsencode(folder)) > _LONGEST_TEMPORARY:
        raise SegDataError(
            f"{folder}: too long for worker processes; expected a path of at most {_LONGEST_TEMPORARY} bytes for "
            "temporary files. Set TMPDIR to a shorter path."
        )
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["__main__", _module(function)])
    # No event: one that is asked for while the process dies keeps its lock, and setting it would wait forever.
    stop, finished = context.RawValue("b", 0), context.Value("q", 0)
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_begin, initargs=(stop, finished))
    try:
        with _following(finished, advance):
            try:
                yield pool
            finally:
                stop.value = 1
                pool.shutdown(wait=True, cancel_futures=True)
    except BrokenProcessPool as error:
        raise SegDataError(
            "a worker process was killed before it finished, often because memory ran out. Use fewer workers; a script "
            'that calls segdata also needs an `if __name__ == "__main__":` guard'
        ) from error


def _module(function: Callable[..., object]) -> str:
    """Return the module of a function, or of the one that it is a part of."""
    while isinstance(function, partial):
        # The first argument that is a function is what the outer one calls.
        function = next(filter(callable, function.args), function.func)
    return getattr(function, "__module__", None) or "segdata"


def _begin(stop: c_byte, finished: Synchronized[int]) -> None:
    """Make this process a worker that ends together with its parent; if that is killed, it would wait forever.

    Ctrl-C reaches all processes of the group; only the parent handles it.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_wait_for_parent, daemon=True).start()
    begin(lambda: bool(stop.value), partial(_count, finished))


def _count(finished: Synchronized[int], count: int) -> None:
    with finished.get_lock():
        finished.value += count


def _wait_for_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextmanager
def _following(finished: Synchronized[int], advance: Advance | None) -> Iterator[None]:
    """Pass on what worker processes count, until the end of the block."""
    if advance is None:
        yield
        return
    ended = threading.Event()
    thread = threading.Thread(target=_follow, args=(finished, advance, ended), daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _follow(finished: Synchronized[int], advance: Advance, ended: threading.Event) -> None:
    # Read without the lock, which a process that was killed may have kept.
    counter = finished.get_obj()
    seen, last = 0, False
    while not last:
        last = ended.wait(_EVERY)
        now = counter.value
        if now > seen:
            advance(now - seen)
        seen = now


def temporary_folder(user: str, otherwise: str = "") -> str:
    """Return the folder for temporary files.

    Args:
        user: what needs it, for the message.
        otherwise: what can be done without it.

    Raises:
        SegDataError: when no such folder can be written to.
    """
    try:
        return tempfile.gettempdir()
    except FileNotFoundError as error:
        raise SegDataError(
            f"no folder for temporary files is writable, and {user} need one; expected one of the folders in TMPDIR, "
            f"TEMP, TMP or /tmp. Set TMPDIR to a folder that can be written to{otherwise}."
        ) from error
