"""An exchange of two paths in one step, which the standard library does not have."""

from __future__ import annotations

import ctypes
import errno
import os
from pathlib import Path

#: Relative paths start from the working directory (linux/fcntl.h).
_AT_FDCWD = -100

#: RENAME_EXCHANGE of renameat2(2) (linux/fs.h), and RENAME_SWAP of renamex_np(2) (macOS, sys/stdio.h).
_SWAP = 2

#: Errors of a kernel or a file system without an exchange, by both manual pages.
_UNSUPPORTED = {errno.ENOSYS, errno.EINVAL, errno.ENOTSUP}


def exchange(first: Path, second: Path) -> bool:
    """Swap what two paths name, in one step that no kill can divide; return false where that is not supported.

    Both must exist, on one file system; they can be directories that contain files.

    Raises:
        OSError: when the exchange fails; nothing has changed then.

    Example:
        >>> exchange(Path("site.new"), Path("site"))  # doctest: +SKIP
        True
    """
    libc = ctypes.CDLL(None, use_errno=True)
    paths = os.fsencode(first), os.fsencode(second)
    if hasattr(libc, "renameat2"):
        failed = libc.renameat2(_AT_FDCWD, paths[0], _AT_FDCWD, paths[1], ctypes.c_uint(_SWAP))
    elif hasattr(libc, "renamex_np"):
        failed = libc.renamex_np(*paths, ctypes.c_uint(_SWAP))
    else:
        return False
    code = ctypes.get_errno()
    if failed and code not in _UNSUPPORTED:
        raise OSError(code, os.strerror(code), str(second))
    return not failed
