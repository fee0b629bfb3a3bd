"""Ownership: what a command may replace, and whether it could be published there.

Only what this program provably wrote is replaced or removed: a marker file in each directory proves it, never a name.
"""

from __future__ import annotations

import fnmatch
import json
import os
import re
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Literal

import msgspec

from segdata.errors import InvalidInputError, SegDataError, TargetExistsError, name_first
from segdata.files.locks import lock_file
from segdata.files.paths import is_plain_file, real

#: Name of the file in a result directory that lists all other files in it.
RESULT_MARKER = ".segdata-files.json"


class _Marker(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Content of a `RESULT_MARKER`: the size in bytes of each file by relative name, or the target of a link."""

    version: Literal[1]
    files: dict[str, int | str]


def check_inputs_outside(target: Path, *inputs: Path | None) -> None:
    """Refuse to replace an input of the command that writes `target`.

    Raises:
        InvalidInputError: when one of `inputs` is `target` or is inside it, links resolved.
    """
    replaced = real(target)
    for path in inputs:
        if path and real(path).is_relative_to(replaced):
            where = "the target itself" if real(path) == replaced else f"in the target {target}"
            raise InvalidInputError(f"{path}: is {where}, which would be replaced. Choose another target.")


def check_target_directory(target: Path, *, overwrite: bool, ours: Collection[str] | None = None) -> None:
    """Reject a target directory that must not be replaced.

    Args:
        target: the directory to publish; it may be missing or empty.
        overwrite: whether files that an earlier run wrote may be replaced.
        ours: names of these files, for record sets: their manifest lists them. By default, the `RESULT_MARKER` does. A
            directory that contains anything else is never replaced, so that no other file is lost.

    Raises:
        TargetExistsError: when the target exists and must not be replaced.
        SegDataError: when it could not be published, because its directory cannot be written to, or it is a mount point
            or the working directory.
    """
    if target.exists() and not target.is_dir():
        raise TargetExistsError(f"{target}: is a file; expected a directory", replaceable=False)
    if _is_mount_point(real(target)):
        raise SegDataError(
            f"{target}: is a mount point, which a rename cannot replace; expected a directory below it. "
            f"Choose {target / 'NAME'}."
        )
    if _contains_working_directory(real(target)):
        raise SegDataError(
            f"{target}: is or contains the working directory; if it were replaced, this shell would stay in the old "
            f"one, which is removed. Choose {target / 'NAME'}, or run the command in another directory."
        )
    check_writable(target)
    if not target.exists() or not any(target.iterdir()):
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
    """Return the files below `target` that its marker does not list, or that have changed since."""
    files = marked_files(target)
    return sorted(name for name, fact in _facts(target) if name not in files or files[name] != fact)


def marked_files(directory: Path) -> dict[str, int | str]:
    """Return the files that the `RESULT_MARKER` of a result lists, with the size in bytes or the target of a link.

    Raises:
        TargetExistsError: when there is no marker, or it cannot be read.
    """
    path = directory / RESULT_MARKER
    reason = "has no"
    if is_plain_file(path):
        try:
            return msgspec.convert(json.loads(path.read_bytes()), _Marker).files
        except (ValueError, RecursionError, msgspec.ValidationError):
            reason = "has a damaged or unknown"
    raise TargetExistsError(
        f"{directory}: {reason} {RESULT_MARKER}, so another program or another version of this one wrote it; "
        "expected a missing or empty directory, or an earlier result. Choose another target, or remove this one "
        "yourself.",
        replaceable=False,
    )


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


def write_marker(directory: Path) -> None:
    """Write the `RESULT_MARKER` of a complete result.

    Locks of files in it that could not be removed after they were written are removed now; they are empty, so that a
    file of a result that has such a name stays.

    Raises:
        OSError: when a lock cannot be removed, or the marker cannot be written.
    """
    files = dict(sorted(_facts(directory)))
    for name in fnmatch.filter(files, f"*{lock_file(directory / '*').name}"):
        if files[name] == 0:
            (directory / name).unlink()
            del files[name]
    # Names need not be valid Unicode: json escapes what UTF-8 cannot represent, msgspec refuses it.
    (directory / RESULT_MARKER).write_text(
        json.dumps({"version": 1, "files": files}, separators=(",", ":")), encoding="ascii"
    )


def check_writable(target: Path) -> None:
    """Check that something can be renamed to `target`, whose directory need not exist yet.

    Raises:
        SegDataError: when the directory cannot be written to.
    """
    parent = real(target).parent
    while not parent.exists():
        parent = parent.parent
    if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
        raise SegDataError(f"{target}: cannot be created: {parent} is not a writable directory")


def _contains_working_directory(path: Path) -> bool:
    try:
        return Path.cwd().is_relative_to(path)
    except FileNotFoundError:
        # It was removed.
        return False


def _is_mount_point(path: Path) -> bool:
    """Return whether something is mounted at `path`, such as the volume of a container."""
    if os.path.ismount(path):
        return True
    try:
        mounts = Path("/proc/self/mountinfo").read_bytes().splitlines()
    except OSError:
        return False
    # A directory of the same file system, mounted a second time, is found only here: the fifth field, in which white
    # space is escaped as octal numbers (proc_pid_mountinfo(5)).
    points = {re.sub(rb"\\(\d{3})", lambda escaped: bytes([int(escaped[1], 8)]), line.split()[4]) for line in mounts}
    return os.fsencode(path) in points


def check_target_file(path: Path, *, overwrite: bool, inputs: Iterable[Path | None] = ()) -> None:
    """Reject a file that must not be replaced.

    Args:
        path: the file to write; it may be missing.
        overwrite: whether an existing file may be replaced.
        inputs: files that the command reads. None of them is replaced, also if `path` is another name of it.

    Raises:
        TargetExistsError: when `path` exists and `overwrite` is false, or when it is not a file.
        InvalidInputError: when `path` is one of `inputs`.
        SegDataError: when its directory cannot be written to, or it is a mount point.
    """
    if not path.exists():
        if path.is_symlink():
            # Also refuses a link to itself.
            raise TargetExistsError(
                f"{path}: is a link to {real(path)}, which is missing; expected a file or nothing. Remove the link or "
                "choose another path.",
                replaceable=False,
            )
        check_writable(path)
        return
    if not (overwrite and path.is_file()):
        raise TargetExistsError(f"{path}: already exists", replaceable=path.is_file())
    if _is_mount_point(real(path)):
        raise SegDataError(f"{path}: is a mount point, which a rename cannot replace. Choose another path.")
    check_writable(path)
    there = path.stat()
    for each in inputs:
        with suppress(OSError):
            if each and os.path.samestat(each.stat(), there):
                raise InvalidInputError(
                    f"{path}: is an input of this command ({each}), which would be replaced; expected another file. "
                    "Choose another path."
                )
