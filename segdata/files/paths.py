"""Paths below a root, the files of a directory by name, and digests of files."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Collection
from pathlib import Path, PurePath

from segdata.errors import InvalidInputError

#: Inode, size in bytes and modification time in nanoseconds of a file; None if it is missing.
FileState = tuple[int, int, int] | None


def resolve(root: Path, relative: str) -> Path:
    """Return `relative` (POSIX slashes) under `root`.

    Raises:
        InvalidInputError: when the path is absolute or leaves `root`. Links inside `root` are the owner's
            choice and are followed.
    """
    check_below(root, relative)
    return root / relative


def check_below(root: Path, relative: str) -> None:
    """Check that `relative` is a path below `root`.

    Raises:
        InvalidInputError: see `resolve`.
    """
    if relative.startswith("/") or ".." in relative.split("/") or "\0" in relative:
        raise InvalidInputError(
            f"{relative!r} is outside the data root {root}; expected a path below it", "outside_root"
        )


def normal(path: Path) -> Path:
    """Return `path` as an absolute path without dots. Links are not resolved: a linked folder stays below its root."""
    return Path(os.path.normpath(path.absolute()))


def is_plain_file(path: Path) -> bool:
    """Return whether `path` is a regular file itself; a link to one is not."""
    return path.is_file() and not path.is_symlink()


def real(path: Path) -> Path:
    """Return `path` as an absolute path with all links resolved; it need not exist.

    Raises:
        InvalidInputError: when a link leads back to itself.
    """
    # From Python 3.13 on, `Path.resolve` no longer refuses such a link; earlier it did so by a `RuntimeError`.
    found = Path(os.path.realpath(path))
    try:
        found.stat()
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise InvalidInputError(
                f"{path}: contains a link that leads back to itself; expected a path that can exist. Remove the link "
                "or choose another path."
            ) from error
    return found


def below(root: Path, path: Path) -> Path:
    """Return the `normal` form of `path`, which must be below `root` (already normal).

    Raises:
        InvalidInputError: when it is not below `root`, so a list with paths relative to `root` cannot name it.
    """
    if not normal(path).is_relative_to(root):
        raise InvalidInputError(
            f"{path}: is outside the data root {root}; expected a path below it, because the paths in a list are "
            "relative to the data root. Choose a data root that contains both."
        )
    return normal(path)


def names_by_stem(directory: Path, suffixes: Collection[str]) -> dict[str, list[str]]:
    """Return the file names in `directory`, grouped by stem. Suffixes match in any case; hidden files are skipped."""
    found: dict[str, list[str]] = {}
    with os.scandir(directory) as entries:
        for path in sorted(PurePath(entry.name) for entry in entries):
            if path.suffix.lower() in suffixes and not path.name.startswith("."):
                found.setdefault(path.stem, []).append(path.name)
    return found


def file_state(file: Path | int) -> FileState:
    """Return the state of a file, given by its path or descriptor; None if it is missing."""
    try:
        found = os.stat(file)  # noqa: PTH116
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def copy_file(source: Path, target: Path) -> None:
    """Copy the content of a file.

    Raises:
        OSError: when one of them cannot be read or written, with the path of that one.
    """
    try:
        shutil.copyfile(source, target)
    except OSError as error:
        # Python names the source even if the target is what cannot be written.
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise OSError(error.errno, error.strerror, str(target)) from error
        raise


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file in hex."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
