"""Atomic writes: stage the files next to the target, then publish them with a rename."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath

from segdata.errors import InvalidInputError, SegDataError, TargetExistsError, name_first


def resolve(root: Path, relative: str) -> Path:
    """Return `relative` (POSIX slashes) under `root`.

    Raises:
        InvalidInputError: when the path is absolute or leaves `root`. Links inside `root` are the owner's
            choice and are followed.
    """
    if relative.startswith("/") or ".." in relative.split("/") or "\0" in relative:
        raise InvalidInputError(
            f"{relative!r}: is outside the data root {root}; expected a path below it", "outside_root"
        )
    return root / relative


def normal(path: Path) -> Path:
    """Return `path` as an absolute path without dots. Links are not resolved: a linked folder stays below its root."""
    return Path(os.path.normpath(path.absolute()))


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


def check_target_directory(target: Path, *, overwrite: bool, ours: Collection[str]) -> None:
    """Reject a target directory that must not be replaced.

    Args:
        target: the directory to publish; it may be missing or empty.
        overwrite: whether files named in `ours` may be replaced.
        ours: names of the files that an earlier run of the same command wrote there. A directory that contains
            anything else is never replaced, so that no other file is lost.

    Raises:
        TargetExistsError: when the target exists and must not be replaced.
    """
    if not target.exists():
        _check_writable(target)
        return
    if not target.is_dir():
        raise TargetExistsError(f"{target}: is a file; expected a directory", replaceable=False)
    foreign = sorted({entry.name for entry in target.iterdir()}.difference(ours))
    if foreign:
        raise TargetExistsError(
            f"{target}: contains files that this command did not write and would delete:\n{name_first(foreign)}\n"
            "Move them or choose another directory.",
            replaceable=False,
        )
    if not overwrite and any(target.iterdir()):
        raise TargetExistsError(f"{target}: already exists", replaceable=True)


def _check_writable(target: Path) -> None:
    parent = target.parent
    while not parent.exists():
        parent = parent.parent
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        raise SegDataError(f"{target}: cannot be created: {parent} is not a writable directory")


@contextmanager
def staged_directory(target: Path, *, overwrite: bool, ours: Collection[str], keep: bool = False) -> Iterator[Path]:
    """Yield a staging directory next to `target`; when the block succeeds, a single rename makes it `target`.

    When the block fails, the staging directory is removed. A killed run leaves it behind under a name that
    starts with a dot; the next run for the same target clears it. The directory is locked while in use, so that
    two runs cannot write to the same target.

    Args:
        target: the directory to publish.
        overwrite: see `check_target_directory`.
        ours: see `check_target_directory`.
        keep: do not clear the staging directory at the start, and remove it on failure only if it is empty. The
            block can then find what an interrupted run left there.

    Raises:
        TargetExistsError: see `check_target_directory`.
        SegDataError: when another run is writing to the same target.
    """
    target = target.resolve()
    check_target_directory(target, overwrite=overwrite, ours=ours)
    staging = staging_directory(target)
    staging.mkdir(parents=True, exist_ok=True)
    lock = os.open(staging, os.O_RDONLY)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise SegDataError(f"{target}: another run is writing to it. Wait until that run has finished.") from error
        if not keep:
            empty(staging)
        try:
            yield staging
            check_target_directory(target, overwrite=overwrite, ours=ours)
            _swap(staging, target)
        except BaseException:
            if not keep or not any(staging.iterdir()):
                shutil.rmtree(staging, ignore_errors=True)
            raise
    finally:
        os.close(lock)


def staging_directory(target: Path) -> Path:
    """Return the directory in which `staged_directory` stages `target`."""
    return target.resolve().with_name(f".{target.resolve().name}.staging")


def empty(directory: Path) -> None:
    """Remove everything in `directory`."""
    for entry in directory.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _swap(staging: Path, target: Path) -> None:
    """Rename `staging` to `target`; an existing directory is moved aside first and removed last."""
    if not target.exists():
        staging.rename(target)
        return
    replaced = Path(tempfile.mkdtemp(prefix=f".{target.name}.replaced-", dir=target.parent))
    target.rename(replaced / target.name)
    staging.rename(target)
    shutil.rmtree(replaced)


def check_target_file(path: Path, *, overwrite: bool) -> None:
    """Reject a file that must not be replaced.

    Raises:
        TargetExistsError: when `path` exists and `overwrite` is false, or when it is not a file.
    """
    if path.exists() and not (overwrite and path.is_file()):
        raise TargetExistsError(f"{path}: already exists", replaceable=path.is_file())


def write_file(path: Path, data: bytes, *, overwrite: bool) -> None:
    """Write a complete file by rename; readers see either the old file or the new one, never a partial file.

    Raises:
        TargetExistsError: see `check_target_file`.
    """
    check_target_file(path, overwrite=overwrite)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, staged = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(staged).chmod(file_mode())
        Path(staged).replace(path)
    except BaseException:
        Path(staged).unlink(missing_ok=True)
        raise


def file_mode() -> int:
    """Return the permission bits of a new file under the umask of this process."""
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
