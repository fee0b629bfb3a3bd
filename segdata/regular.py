"""Opening of regular files only: a FIFO named like an image would block forever, a device may never end."""

from __future__ import annotations

import stat
from pathlib import Path

from segdata.errors import InvalidInputError

_KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def check_regular(path: Path) -> None:
    """Check that `path` is a regular file, or a link to one, without opening it.

    Raises:
        InvalidInputError: when it is anything else; the caller names the file.
        OSError: when there is no such file, or its folder cannot be read.
    """
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        kind = _KINDS.get(stat.S_IFMT(mode), "a special file")
        raise InvalidInputError(f"is {kind}; expected a regular file", "unreadable")


def read_regular(path: Path) -> bytes:
    """Return the content of a regular file.

    Raises:
        InvalidInputError: see `check_regular`.
        OSError: when the file cannot be read.
    """
    check_regular(path)
    return path.read_bytes()
