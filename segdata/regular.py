"""Opening of regular files only: a FIFO named like an image would block forever, a device may never end."""

from __future__ import annotations

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


def read_regular(path: Path, *, at_most: int | None = None) -> bytes:
    """Return the content of a regular file; take no more memory than `at_most` bytes.

    Raises:
        InvalidInputError: when the file has more than `at_most` bytes; see also `check_regular`.
        OSError: when the file cannot be read.
    """
    check_regular(path)
    if at_most is None:
        return path.read_bytes()
    with path.open("rb") as file:
        content = file.read(min(path.stat().st_size, at_most) + 1)
    if len(content) > at_most:
        raise InvalidInputError(
            f"has {path.stat().st_size} bytes; expected at most {at_most}, so it is another file or damaged",
            "too_large",
        )
    return content
