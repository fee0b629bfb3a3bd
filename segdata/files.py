"""Atomic writes: stage the files next to the target, then publish them with a rename.

Only what this program provably wrote is replaced or removed: a marker file in each directory proves it, never a name.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePath
from typing import Literal

import msgspec

from segdata.errors import InvalidInputError, SegDataError, TargetExistsError, name_first

#: Name of the file in a result directory that lists all other files in it.
RESULT_MARKER = ".segdata-files.json"

#: Name of the empty file that marks a staging directory as one of ours; the published directory does not have it.
_STAGING_MARK = ".segdata-staging"


class _Marker(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Content of a `RESULT_MARKER`: the size in bytes of each file by relative name, or the target of a link."""

    version: Literal[1]
    files: dict[str, int | str]


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


def check_inputs_outside(target: Path, *inputs: Path | None) -> None:
    """Refuse to replace an input of the command that writes `target`.

    Raises:
        InvalidInputError: when one of `inputs` is `target` or is inside it, links resolved.
    """
    replaced = target.resolve()
    for path in inputs:
        if path and path.resolve().is_relative_to(replaced):
            where = "the target itself" if path.resolve() == replaced else f"in the target {target}"
            raise InvalidInputError(
                f"{path}: is {where}, which would be replaced; expected an input outside the target. "
                "Choose another target."
            )


def check_target_directory(target: Path, *, overwrite: bool, ours: Collection[str] | None = None) -> None:
    """Reject a target directory that must not be replaced.

    Args:
        target: the directory to publish; it may be missing or empty.
        overwrite: whether files that an earlier run wrote may be replaced.
        ours: names of these files, for record sets: their manifest lists them. By default, the `RESULT_MARKER` does. A
            directory that contains anything else is never replaced, so that no other file is lost.

    Raises:
        TargetExistsError: when the target exists and must not be replaced.
    """
    if not target.exists():
        _check_writable(target)
        return
    if not target.is_dir():
        raise TargetExistsError(f"{target}: is a file; expected a directory", replaceable=False)
    if not any(target.iterdir()):
        return
    foreign = _unmarked(target) if ours is None else _unnamed(target, ours)
    if foreign:
        raise TargetExistsError(
            f"{target}: contains files that this command did not write and would delete:\n{name_first(foreign)}\n"
            "Move them away or choose another target.",
            replaceable=False,
        )
    if not overwrite:
        raise TargetExistsError(f"{target}: already exists", replaceable=True)


def _unnamed(target: Path, ours: Collection[str]) -> list[str]:
    """Return the entries of `target` that are not regular files named in `ours`."""
    with os.scandir(target) as entries:
        return sorted(each.name for each in entries if each.name not in ours or not each.is_file(follow_symlinks=False))


def _unmarked(target: Path) -> list[str]:
    """Return the files below `target` that its marker does not list, or that have changed since.

    Raises:
        TargetExistsError: when there is no marker, or it cannot be read.
    """
    path = target / RESULT_MARKER
    reason = "has no"
    if _is_regular(path):
        try:
            files = msgspec.convert(json.loads(path.read_bytes()), _Marker).files
            return sorted(name for name, fact in _facts(target) if name not in files or files[name] != fact)
        except (ValueError, RecursionError, msgspec.ValidationError):
            reason = "has a damaged or unknown"
    raise TargetExistsError(
        f"{target}: {reason} {RESULT_MARKER}, so something else or an earlier version of this program wrote it; "
        "expected a missing or empty directory, or an earlier result. Remove it yourself or choose another target.",
        replaceable=False,
    )


def _is_regular(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _facts(directory: Path, prefix: str = "") -> Iterator[tuple[str, int | str | None]]:
    """Yield the name, relative to `directory`, and the size of each file below it, except for its marker.

    A link is not followed: it has its target instead of a size. Devices and the like have None.
    """
    with os.scandir(directory / prefix) as entries:
        for entry in entries:
            name = prefix + entry.name
            if name == RESULT_MARKER:
                continue
            if entry.is_symlink():
                yield name, str(Path(entry.path).readlink())
            elif entry.is_dir():
                yield from _facts(directory, f"{name}/")
            else:
                yield name, entry.stat().st_size if entry.is_file() else None


def _write_marker(directory: Path) -> None:
    files = {name: fact for name, fact in sorted(_facts(directory)) if name != _STAGING_MARK}
    # Names need not be valid Unicode: json escapes what UTF-8 cannot represent, msgspec refuses it.
    (directory / RESULT_MARKER).write_text(
        json.dumps({"version": 1, "files": files}, separators=(",", ":")), encoding="ascii"
    )


def _check_writable(target: Path) -> None:
    parent = target.parent
    while not parent.exists():
        parent = parent.parent
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        raise SegDataError(f"{target}: cannot be created: {parent} is not a writable directory")


@contextmanager
def staged_directory(
    target: Path, *, overwrite: bool, ours: Collection[str] | None = None, keep: bool = False
) -> Iterator[Path]:
    """Yield a staging directory next to `target`; when the block succeeds, a single rename makes it `target`.

    When the block fails, the staging directory is removed. A killed run leaves it behind under a name that
    starts with a dot; the next run for the same target clears it. The directory is locked while in use, so that
    two runs cannot write to the same target.

    Args:
        target: the directory to publish. It gets a `RESULT_MARKER`, unless `ours` is given.
        overwrite: see `check_target_directory`.
        ours: see `check_target_directory`.
        keep: do not clear the staging directory at the start, and remove it on failure only if it is empty. The
            block can then find what an interrupted run left there.

    Raises:
        TargetExistsError: see `check_target_directory`.
        SegDataError: when another run is writing to the same target, or something else has the name of the staging
            directory.
    """
    target = target.resolve()
    check_target_directory(target, overwrite=overwrite, ours=ours)
    staging = staging_directory(target)
    lock = _open_staging(staging)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise SegDataError(f"{target}: another run is writing to it. Wait until that run has finished.") from error
        _mark(staging)
        if not keep:
            empty(staging)
        try:
            yield staging
            check_target_directory(target, overwrite=overwrite, ours=ours)
            if ours is None:
                _write_marker(staging)
            _swap(staging, target)
        except BaseException:
            if keep and _in_use(staging):
                (staging / _STAGING_MARK).touch()
            else:
                shutil.rmtree(staging, ignore_errors=True)
            raise
    finally:
        os.close(lock)


def staging_directory(target: Path) -> Path:
    """Return the directory in which `staged_directory` stages `target`."""
    return target.resolve().with_name(f".{target.resolve().name}.staging")


def _open_staging(staging: Path) -> int:
    """Create the staging directory unless it exists, and open it; a link is not followed."""
    staging.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        staging.mkdir()
    try:
        return os.open(staging, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError as error:
        if staging.is_symlink() or not staging.is_dir():
            raise _not_staging(staging, "is a link" if staging.is_symlink() else "is not a directory") from error
        raise


def _mark(staging: Path) -> None:
    """Mark the staging directory as ours; refuse one that has other contents and no mark."""
    if _in_use(staging) and not _is_regular(staging / _STAGING_MARK):
        raise _not_staging(staging, "contains files that this program did not write, or an earlier version wrote")
    (staging / _STAGING_MARK).touch()


def _not_staging(staging: Path, reason: str) -> SegDataError:
    return SegDataError(
        f"{staging}: {reason}; expected nothing there, because results are staged under this name. "
        "Move it away or choose another target."
    )


def _in_use(staging: Path) -> bool:
    """Return whether a staging directory contains anything but its mark."""
    return staging.is_dir() and any(path.name != _STAGING_MARK for path in staging.iterdir())


def empty(staging: Path) -> None:
    """Remove everything in a staging directory except the mark that it is ours. Links are removed, not followed."""
    for entry in staging.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        elif entry.name != _STAGING_MARK:
            entry.unlink()


def _swap(staging: Path, target: Path) -> None:
    """Rename `staging` to `target`; an existing directory is moved aside first and removed last."""
    # A run that is killed right here leaves a directory that the next run refuses, with a sentence.
    (staging / _STAGING_MARK).unlink(missing_ok=True)
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
