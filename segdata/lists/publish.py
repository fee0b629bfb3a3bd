"""Write files that belong together, such as a training and a validation list: all of them or none."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Protocol

from segdata.errors import InvalidInputError, TargetExistsError
from segdata.files.locks import lock_file, locked
from segdata.files.ownership import check_target_file
from segdata.files.publishing import close_staging, open_staging, write_new
from segdata.lists import read_list

#: Hidden directory in which the files of one folder are staged, and the file in it that names them.
_STAGING, _JOURNAL = ".lists.staging", "lists.json"


class CheckTargets(Protocol):
    """Reject files that must not be replaced, as `check_target_lists` does."""

    def __call__(self, paths: Collection[Path], *, overwrite: bool) -> None:
        """Check each of `paths`."""
        ...


def check_target_lists(paths: Collection[Path], *, overwrite: bool) -> None:
    """Reject list files that must not be replaced.

    The commands choose the names of these files, not the user: with `overwrite`, only list files are replaced.

    Raises:
        TargetExistsError: when one exists and `overwrite` is false, or it is not a list file.
        SegDataError: when the folder cannot be written to.
    """
    for path in paths:
        check_target_file(path, overwrite=overwrite)
        if path.exists() and path.stat().st_size:
            try:
                read_list(path, faults=[])
            except InvalidInputError as error:
                raise TargetExistsError(
                    f"{path}: exists and is not a list file, so it is not replaced. Move it away.", replaceable=False
                ) from error


def write_together(
    folder: Path, files: Mapping[str, bytes], *, overwrite: bool, check: CheckTargets = check_target_lists
) -> None:
    """Write all `files` or none of them; a new file is never beside the old version of another.

    All files are staged in the hidden directory ``.lists.staging`` first, so that a full disk changes nothing. Then the
    old files are moved there, before the first new one gets its name. When anything fails, the new files are removed
    and the old ones get their names back. After a kill, the next command that writes such files to `folder` does so.

    Args:
        folder: directory of the files.
        files: content by name.
        overwrite: replace existing files.
        check: rejects files that must not be replaced: by default, those that are not lists.

    Raises:
        TargetExistsError: see `check`.
        InUseError: when another run is writing such files to `folder`.
        OSError: when a file cannot be written or renamed.
    """
    targets = [folder / name for name in files]
    check(targets, overwrite=overwrite)
    folder.mkdir(parents=True, exist_ok=True)
    staging = folder / _STAGING
    with locked(lock_file(staging), folder):
        open_staging(staging)
        _undo(staging, folder)
        close_staging(staging)
        check(targets, overwrite=overwrite)
        open_staging(staging)
        try:
            _replace(staging, folder, files)
        except BaseException:
            _undo(staging, folder)
            raise
        finally:
            close_staging(staging)


def _replace(staging: Path, folder: Path, files: Mapping[str, bytes]) -> None:
    new, old = staging / "new", staging / "old"
    new.mkdir()
    old.mkdir()
    for name, data in files.items():
        write_new(new / name, data, named=folder / name)
    # Written last: without this file, nothing has been moved.
    replaced = [name for name in files if os.path.lexists(folder / name)]
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    journal = json.dumps({"replaced": replaced, "digests": digests}).encode()
    write_new(staging / _JOURNAL, journal, named=staging / _JOURNAL)
    for name in replaced:
        (folder / name).replace(old / name)
    for name in files:
        (new / name).replace(folder / name)


def _undo(staging: Path, folder: Path) -> None:
    """Undo renames that did not all happen: remove every new file before the first old one comes back."""
    new, old = staging / "new", staging / "old"
    try:
        journal = json.loads((staging / _JOURNAL).read_bytes())
    except (OSError, ValueError):
        return
    digests: dict[str, str] = journal["digests"]
    placed = [name for name in digests if not (new / name).exists()]
    if len(placed) == len(digests):
        return
    for name in placed:
        path, back = folder / name, name in journal["replaced"] and not os.path.lexists(old / name)
        # Somebody may have written another file since.
        if not back and path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == digests[name]:
            path.unlink()
    for name in journal["replaced"]:
        if os.path.lexists(old / name) and not os.path.lexists(folder / name):
            (old / name).replace(folder / name)
    (staging / _JOURNAL).unlink()
