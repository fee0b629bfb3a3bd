"""Locks: two runs never write to the same place at the same time."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from segdata.errors import SegDataError


class InUseError(SegDataError):
    """Another run is writing there right now."""


def lock_file(target: Path) -> Path:
    """Return the path of the lock for `target`: a hidden file beside it.

    >>> lock_file(Path("out/set")).as_posix()
    'out/.set.segdata-lock'
    """
    return target.with_name(f".{target.name}.segdata-lock")


@contextmanager
def locked(path: Path, target: Path, *, wait: bool = False) -> Iterator[None]:
    """Hold the lock file `path` while the block runs, and remove it at the end.

    The kernel releases the lock of a process that is killed. Its empty lock file stays until the next run. Where the
    file system has no locks, `filelock` uses the existence of the file instead, with the number of its process in it.

    Args:
        path: lock file, in a directory that exists; see `lock_file`.
        target: what the lock protects, for the message.
        wait: wait for the other run instead of raising an error.

    Raises:
        InUseError: when another run holds the lock.
        SegDataError: when something else has the name of the lock file.
    """
    # Imported here: only commands that write need it, and it imports asyncio.
    from filelock import FileLock, Timeout

    if _is_something_else(path):
        raise SegDataError(f"{path}: is not a file; segdata needs this name for a lock file. Move it away.")
    lock = FileLock(path, thread_local=False)
    try:
        lock.acquire(timeout=-1 if wait else 0)
    except Timeout as error:
        raise InUseError(f"{target}: another run is writing to it. Wait until that run has finished.") from error
    try:
        yield
    finally:
        # Removed while it is held: who opened it before finds after locking that it is gone, and tries again. What
        # cannot be removed is an empty file that the next run uses.
        with suppress(OSError):
            if path.is_file() and not path.stat().st_size:
                path.unlink()
        lock.release()


def _is_something_else(path: Path) -> bool:
    """Return whether anything but a regular file has the name; one call, since the other run may remove the file."""
    try:
        return not stat.S_ISREG(path.lstat().st_mode)
    except FileNotFoundError:
        return False
