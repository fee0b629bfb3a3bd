"""Writing without half-written results: stage beside the target, publish by rename."""

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
        InvalidInputError: when it is absolute or climbs out of `root`. Links inside `root` are the owner's
            choice and are followed.
    """
    if relative.startswith("/") or ".." in relative.split("/") or "\0" in relative:
        raise InvalidInputError(f"{relative!r} leaves the data root {root}; expected a path below it", "outside_root")
    return root / relative


def normal(path: Path) -> Path:
    """Return `path` absolute and without dots, its links not followed: a linked folder stays below its root."""
    return Path(os.path.normpath(path.absolute()))


def below(root: Path, path: Path) -> Path:
    """Return `path`, made `normal`, when it lies below `root` (normal already).

    Raises:
        InvalidInputError: when it does not; no list with paths relative to `root` can name it.
    """
    if not normal(path).is_relative_to(root):
        raise InvalidInputError(
            f"{path} lies outside the data root {root}, and the paths of a list are relative to it; name a data root "
            "above both"
        )
    return normal(path)


def names_by_stem(directory: Path, suffixes: Collection[str]) -> dict[str, list[str]]:
    """Return the names of the files in `directory` by their stem; suffixes match in any case, hidden files do not."""
    found: dict[str, list[str]] = {}
    with os.scandir(directory) as entries:
        for path in sorted(PurePath(entry.name) for entry in entries):
            if path.suffix.lower() in suffixes and not path.name.startswith("."):
                found.setdefault(path.stem, []).append(path.name)
    return found


def check_target_directory(target: Path, *, overwrite: bool, ours: Collection[str]) -> None:
    """Refuse a target directory that may not be replaced.

    Args:
        target: the directory to be published; missing and empty ones are free.
        overwrite: whether what is `ours` may be replaced.
        ours: names of the files that an earlier run of the same work left there; a directory that holds
            anything else is never replaced, so that no foreign file is lost.

    Raises:
        TargetExistsError: when it is taken.
    """
    if not target.exists():
        _check_writable(target)
        return
    if not target.is_dir():
        raise TargetExistsError(f"{target} is a file; expected a directory to write to", replaceable=False)
    foreign = sorted({entry.name for entry in target.iterdir()}.difference(ours))
    if foreign:
        raise TargetExistsError(
            f"{target} holds files that this work did not write and would lose:\n{name_first(foreign)}\n"
            "Move them away or choose another place.",
            replaceable=False,
        )
    if not overwrite and any(target.iterdir()):
        raise TargetExistsError(f"{target} exists already", replaceable=True)


def _check_writable(target: Path) -> None:
    parent = target.parent
    while not parent.exists():
        parent = parent.parent
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        raise SegDataError(f"{target}: {parent} is not a directory that can be written to")


@contextmanager
def staged_directory(target: Path, *, overwrite: bool, ours: Collection[str], keep: bool = False) -> Iterator[Path]:
    """Yield a directory beside `target`; it becomes `target`, in one rename, when the block succeeds.

    When the block fails the staging directory is removed. A killed run leaves it behind under a name that
    starts with a dot; the next run at the same target clears it. It is locked while in use, so that two runs
    cannot write the same target.

    Args:
        target: the directory to be published.
        overwrite: see `check_target_directory`.
        ours: see `check_target_directory`.
        keep: neither clear the staging directory at the start nor remove it on failure, unless it is empty: the block
            can tell what an interrupted run left there.

    Raises:
        TargetExistsError: see `check_target_directory`.
        SegDataError: when another run is writing the same target.
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
            raise SegDataError(f"another run is writing {target} at this moment") from error
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
    """Return where `staged_directory` stages `target`."""
    return target.resolve().with_name(f".{target.resolve().name}.staging")


def empty(directory: Path) -> None:
    """Remove all that lies in `directory`."""
    for entry in directory.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _swap(staging: Path, target: Path) -> None:
    """Put `staging` under the name `target`; an old directory is moved aside first and removed last."""
    if not target.exists():
        staging.rename(target)
        return
    replaced = Path(tempfile.mkdtemp(prefix=f".{target.name}.replaced-", dir=target.parent))
    target.rename(replaced / target.name)
    staging.rename(target)
    shutil.rmtree(replaced)


def check_target_file(path: Path, *, overwrite: bool) -> None:
    """Refuse a file that may not be replaced.

    Raises:
        TargetExistsError: when `path` exists and `overwrite` is false, or is no file.
    """
    if path.exists() and not (overwrite and path.is_file()):
        raise TargetExistsError(f"{path} exists already", replaceable=path.is_file())


def write_file(path: Path, data: bytes, *, overwrite: bool) -> None:
    """Write one whole file by rename; a reader sees the old file or the new one, never a part.

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
    """Return the permission bits a new file has under this process's umask."""
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
