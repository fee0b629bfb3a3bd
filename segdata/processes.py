"""Worker processes: they end with their parent, stop when it asks them to, and count what they finish."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from traceback import format_exc
from typing import TYPE_CHECKING, Generic, TypeVar, cast

from segdata.errors import SegDataError
from segdata.temporary import temporary_folder
from segdata.worker import Advance, begin

if TYPE_CHECKING:
    from ctypes import c_byte
    from multiprocessing.connection import Connection
    from multiprocessing.context import ForkServerContext
    from multiprocessing.process import BaseProcess
    from multiprocessing.sharedctypes import Synchronized

_T = TypeVar("_T")
_R = TypeVar("_R")

#: Bytes of the longest temporary folder: a socket's path has at most 107 (unix(7)), and multiprocessing appends 32.
_LONGEST_TEMPORARY = 75

#: Seconds between two readings of what worker processes have counted.
_EVERY = 0.1


def can_start_processes() -> bool:
    """Return whether this process can start worker processes.

    It cannot if it is a daemon, such as a worker of a pool or of a PyTorch loader; if its program comes from standard
    input, from which no process can import it; or if the system shares no memory, for example without ``/dev/shm``.
    """
    if multiprocessing.current_process().daemon or getattr(sys.modules["__main__"], "__file__", "") == "<stdin>":
        return False
    try:
        multiprocessing.get_context("forkserver").Value("q")
    except OSError:
        return False
    return True


def no_more_workers(reason: Exception) -> SegDataError:
    """Return the error for a thread or a process that cannot be started."""
    return SegDataError(
        f"no further worker can be started ({reason}): a limit of processes or memory is reached. Use fewer workers, "
        "or raise the limit (ulimit -u, ulimit -v, or that of the container)."
    )


def _not_started(reason: RuntimeError) -> SegDataError:
    """Return the error for a process that multiprocessing refused to start."""
    # `multiprocessing.spawn` refuses when a worker process runs the script, which would start workers without end.
    if "bootstrapping" in str(reason):
        return SegDataError(
            "this script started worker processes, and each of them runs the script again; expected its work under "
            '`if __name__ == "__main__":`. Add that line, or use 1 worker.'
        )
    return no_more_workers(reason)


class WorkerTraceback(Exception):
    """The traceback of an exception in a worker process, as text: an exception arrives without it."""


@contextmanager
def worker_processes(
    workers: int, function: Callable[[_T], _R], advance: Advance | None = None
) -> Iterator[WorkerProcesses[_T, _R]]:
    """Provide processes that run `function`; at the end, stop them and wait until they have ended.

    Processes are not forked from this one, since its libraries have running threads, but from a server that has
    imported the module of the first such function. So a script must call this under ``if __name__ == "__main__":``.

    Args:
        workers: number of processes.
        function: what the processes call with each item that is submitted.
        advance: gets what the processes report by `segdata.worker.report_progress`.

    Raises:
        SegDataError: when there is no folder for temporary files.
    """
    folder = temporary_folder("worker processes", ", or use 1 worker")
    if len(os.fsencode(folder)) > _LONGEST_TEMPORARY:
        raise SegDataError(
            f"{folder}: too long for worker processes; expected a path of at most {_LONGEST_TEMPORARY} bytes for "
            "temporary files. Set TMPDIR to a shorter path."
        )
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["__main__", _module(function)])
    pool = WorkerProcesses(workers, function, context)
    with _following(pool.finished, advance):
        try:
            yield pool
        finally:
            pool.close()


class WorkerProcesses(Generic[_T, _R]):
    """Processes that call one function, each over its own pipe, which a thread of this process serves.

    The pool of the standard library has one pipe for all results: if a worker is killed while it writes to it, the
    others wait forever, and so does the caller.
    """

    def __init__(self, workers: int, function: Callable[[_T], _R], context: ForkServerContext) -> None:
        """Start nothing: each process starts with its first task."""
        self._function = function
        self.finished = context.Value("q", 0)
        self._stop = context.RawValue("b", 0)
        self._context = context
        self._threads = ThreadPoolExecutor(workers)
        self._own = threading.local()
        self._workers: list[tuple[BaseProcess, Connection]] = []

    def submit(self, argument: _T) -> Future[_R]:
        """Let a process call the function.

        Returns:
            its result or exception; `SegDataError` when the process died, killed or out of memory.
        """
        return self._threads.submit(self._call, argument)

    def _call(self, argument: _T) -> _R:
        try:
            connection = self._connection()
        except RuntimeError as refused:
            raise _not_started(refused) from refused
        except (EOFError, OSError) as refused:
            raise no_more_workers(refused) from refused
        try:
            if not hasattr(self._own, "function"):
                # It may hold data sets, which take long to send: each process gets it once.
                connection.send(self._function)
                self._own.function = self._function
            connection.send(argument)
            result, error, trace = connection.recv()
        except (EOFError, OSError) as died:
            raise SegDataError(
                "a worker process was killed before it finished, often because memory ran out. Use fewer workers; a "
                'script that calls segdata also needs an `if __name__ == "__main__":` guard'
            ) from died
        if error is not None:
            raise error from WorkerTraceback(trace)
        return cast("_R", result)

    def _connection(self) -> Connection:
        """Return the connection to the process of the calling thread."""
        if not hasattr(self._own, "connection"):
            connection, other = self._context.Pipe()
            # Daemons do not keep a program from ending that was interrupted twice.
            process = self._context.Process(target=_serve, args=(other, self._stop, self.finished), daemon=True)
            process.start()
            # Only the process has the other end now, so that its death ends what is read from it.
            other.close()
            self._workers.append((process, connection))
            self._own.connection = connection
        return cast("Connection", self._own.connection)

    def close(self) -> None:
        """Let the tasks that run stop at their next step, drop the others, and wait until all processes have ended."""
        self._stop.value = 1
        self._threads.shutdown(cancel_futures=True)
        for process, connection in self._workers:
            connection.close()
            process.join()


def _serve(connection: Connection, stop: c_byte, finished: Synchronized[int]) -> None:
    """Run tasks until the other process closes the connection, or ends.

    Ctrl-C reaches all processes of the group; only the parent handles it.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_wait_for_parent, daemon=True).start()
    begin(lambda: bool(stop.value), partial(_count, finished))
    outcome: tuple[object, Exception | None, str]
    with suppress(EOFError, OSError):
        function = connection.recv()
        while True:
            argument = connection.recv()
            try:
                outcome = function(argument), None, ""
            except Exception as error:
                outcome = None, error, format_exc()
            connection.send(outcome)


def _module(function: Callable[..., object]) -> str:
    """Return the module of a function, or of the one that it is a part of."""
    while isinstance(function, partial):
        # The first argument that is a function is what the outer one calls.
        function = next(filter(callable, function.args), function.func)
    return getattr(function, "__module__", None) or "segdata"


def _count(finished: Synchronized[int], count: int) -> None:
    with finished.get_lock():
        finished.value += count


def _wait_for_parent() -> None:
    """End this process when its parent is killed: a task may take long, and nobody needs its result."""
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
