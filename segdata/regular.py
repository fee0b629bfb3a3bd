"""Opening of regular files only: a FIFO named like an image would block forever, a device may never end."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from segdata.errors import InvalidInputError

#: Bytes of the largest description that is read: of a record set, a checkpoint or an upload. Real ones have less
#: than a hundredth of it.
DESCRIPTION_BYTES = 64 << 20

_KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


#: A FIFO or a device opens at once.
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def check_regular(path: Path) -> None:
    """Check that `path` is a regular file, or a link to one, without opening it.

    Raises:
        InvalidInputError: when it is anything else; the caller names the file.
        OSError: when there is no such file, or its folder cannot be read.
    """
    _check_mode(path.stat())


def read_start(path: Path, size: int) -> bytes:
    """Return the first `size` bytes of a regular file, or all if it has fewer; see `read_regular` for errors."""
    descriptor, _ = _open(path)
    try:
        return os.read(descriptor, size)
    finally:
        os.close(descriptor)


def read_regular(path: Path | str, *, at_most: int | None = None) -> bytes:
    """Return the content of a regular file; take no more memory than `at_most` bytes.

    Raises:
        InvalidInputError: when the file has more than `at_most` bytes; see also `check_regular`.
        OSError: when the file cannot be read.
    """
    descriptor, size = _open(path)
    try:
        content = os.read(descriptor, (size if at_most is None else min(size, at_most)) + 1)
        # The system reads a file that nobody changes up to its end; very long ones in several parts.
        if len(content) != size and (at_most is None or len(content) <= at_most):
            content += _rest(descriptor, None if at_most is None else at_most + 1 - len(content))
    finally:
        os.close(descriptor)
    if at_most is not None and len(content) > at_most:
        raise InvalidInputError(
            f"has {size} bytes; expected at most {at_most}, so it is another file or damaged", "too_large"
        )
    return content


def _rest(descriptor: int, at_most: int | None) -> bytes:
    with open(descriptor, "rb", closefd=False) as file:
        return file.read(-1 if at_most is None else at_most)


def _open(path: Path | str) -> tuple[int, int]:
    """Return the descriptor of a regular file and its size."""
    try:
        descriptor = os.open(path, _FLAGS)
    except OSError:
        # A socket cannot be opened.
        check_regular(Path(path))
        raise
    try:
        status = os.fstat(descriptor)
        _check_mode(status)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor, status.st_size


def _check_mode(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = _KINDS.get(stat.S_IFMT(status.st_mode), "a special file")
        raise InvalidInputError(f"is {kind}; expected a regular file", "unreadable")
