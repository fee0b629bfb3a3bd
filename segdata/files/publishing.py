"""Atomic writes: stage the files in a hidden directory beside the target, then publish them in one step."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from segdata.errors import SegDataError
from segdata.files.exchange import exchange
from segdata.files.locks import lock_file, locked
from segdata.files.ownership import check_target_directory, check_target_file, write_marker
from segdata.files.paths import is_plain_file, real

_log = logging.getLogger(__name__)

#: Name of the empty file that marks a staging directory as one of ours.
_MARK = ".segdata-staging"

#: Names in a staging directory: what is to be published, and what it replaces.
_NEW, _OLD = "new", "old"


@contextmanager
def staged_unless(dry_run: bool, target: Path, *, overwrite: bool) -> Iterator[Path | None]:
    """Yield a staging directory for `target`, see `staged_directory`; None in a dry run, after the same checks."""
    if dry_run:
        check_target_directory(target, overwrite=overwrite)
        yield None
    else:
        with staged_directory(target, overwrite=overwrite) as staging:
            yield staging


@contextmanager
def staged_directory(
    target: Path, *, overwrite: bool, ours: Collection[str] | None = None, keep: bool = False
) -> Iterator[Path]:
    """Yield a staging directory for `target`; when the block succeeds, it takes the place of `target` in one step.

    It is the directory ``new`` in ``.NAME.staging``, which is beside the target. When the block fails, it is removed. A
    killed run leaves it behind; the next run for the same target clears it. A lock is held meanwhile, so
    that two runs cannot write to the same target.

    Args:
        target: the directory to publish. It gets a `RESULT_MARKER`, unless `ours` is given.
        overwrite: see `check_target_directory`.
        ours: see `check_target_directory`.
        keep: do not clear the staging directory at the start, and remove it on failure only if it is empty. The
            block can then find what an interrupted run left there.

    Raises:
        TargetExistsError: see `check_target_directory`.
        InUseError: when another run is writing to the same target.
        SegDataError: when something else has the name of the staging directory.
    """
    target = real(target)
    check_target_directory(target, overwrite=overwrite, ours=ours)
    target.parent.mkdir(parents=True, exist_ok=True)
    new = staging_directory(target)
    with locked(lock_file(target), target):
        open_staging(new.parent)
        if _put_back(new.parent, target):
            check_target_directory(target, overwrite=overwrite, ours=ours)
        _clear(new.parent, keep={_NEW} if keep else set())
        new.mkdir(exist_ok=True)
        try:
            with naming(target):
                yield new
                check_target_directory(target, overwrite=overwrite, ours=ours)
                if ours is None:
                    write_marker(new)
                _publish(new, target)
            _log.info("published %s", target)
        except BaseException:
            if not (keep and new.is_dir() and any(new.iterdir())):
                close_staging(new.parent)
            raise
        close_staging(new.parent)


def staging_directory(target: Path) -> Path:
    """Return the directory in which `staged_directory` stages `target`."""
    return real(target).with_name(f".{real(target).name}.staging") / _NEW


def open_staging(staging: Path) -> None:
    """Create a hidden directory for staging unless it exists, and mark it as ours; see `close_staging`.

    Raises:
        SegDataError: when a link, a file or a directory of somebody else has its name.
    """
    with suppress(FileExistsError):
        staging.mkdir()
    if staging.is_symlink() or not staging.is_dir():
        raise _not_staging(staging, "is a link" if staging.is_symlink() else "is not a directory")
    mark = staging / _MARK
    if any(staging.iterdir()) and not is_plain_file(mark):
        raise _not_staging(staging, "contains files that this program did not write, or an earlier version wrote")
    mark.touch()


def close_staging(staging: Path) -> None:
    """Remove a staging directory, its mark last: a process that is killed here leaves a directory that is ours.

    What cannot be removed now is cleared by the next run; the result is complete all the same.
    """
    with suppress(OSError):
        _clear(staging, keep=set())
        (staging / _MARK).unlink(missing_ok=True)
        staging.rmdir()


def empty(directory: Path) -> None:
    """Remove everything in a directory. Links are removed, not followed."""
    _clear(directory, keep=set(), mark=None)


def _clear(directory: Path, *, keep: set[str], mark: str | None = _MARK) -> None:
    for entry in directory.iterdir():
        if entry.name in keep or entry.name == mark:
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _not_staging(staging: Path, reason: str) -> SegDataError:
    return SegDataError(
        f"{staging}: {reason}; expected nothing there, because results are staged under this name. "
        "Move it away or choose another target."
    )


def _publish(new: Path, target: Path) -> None:
    """Put `new` in the place of `target`; what was there is then in the staging directory."""
    if not target.exists():
        new.rename(target)
    elif not exchange(new, target):
        # Between these two, the target is missing; a run that is killed here is undone by the next one.
        target.rename(new.with_name(_OLD))
        try:
            new.rename(target)
        except BaseException:
            _put_back(new.parent, target)
            raise


def _put_back(staging: Path, target: Path) -> bool:
    """Put back what `_publish` moved away, if nothing took its place; return whether it did."""
    if target.exists() or not (staging / _OLD).exists():
        return False
    (staging / _OLD).rename(target)
    return True


def write_file(path: Path, data: bytes, *, overwrite: bool) -> None:
    """Write a complete file by rename; readers see either the old file or the new one, never a partial file.

    It is staged as ``.NAME.segdata-new`` beside `path`. A killed run leaves this file; the next one replaces it.

    Raises:
        TargetExistsError: see `check_target_file`.
        InUseError: when another run is writing the same file.
    """
    check_target_file(path, overwrite=overwrite)
    path.parent.mkdir(parents=True, exist_ok=True)
    staged = staged_file(path)
    with locked(lock_file(path), path):
        # Another run may have written it since.
        check_target_file(path, overwrite=overwrite)
        try:
            write_new(staged, data, named=path)
            staged.replace(path)
            _log.debug("wrote %s", path)
        except BaseException as error:
            staged.unlink(missing_ok=True)
            if isinstance(error, OSError):
                error.filename = str(path)
            raise


def staged_file(path: Path) -> Path:
    """Return the path under which `write_file` stages `path`."""
    return path.with_name(f".{path.name}.segdata-new")


def write_new(staged: Path, data: bytes, *, named: Path) -> None:
    """Write `data` to `staged`; a file of that name from a killed run is removed first.

    Raises:
        OSError: when it cannot be written, with the path `named`, which the user knows.
    """
    staged.unlink(missing_ok=True)
    try:
        with staged.open("xb") as file:
            file.write(data)
    except OSError as error:
        # Python does not name the file that a write fails on.
        raise OSError(error.errno, error.strerror, str(named)) from error


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Give `path` to an error that names no file: neither Python nor MindSpore names the one that a write fails on."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            # NumPy gives only a text.
            error.strerror = error.strerror or f"cannot be written: {error}"
            error.filename = str(path)
        raise


def file_mode() -> int:
    """Return the permission bits of a new file under the umask of this process."""
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
