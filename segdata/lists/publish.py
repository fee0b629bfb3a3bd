"""Write several files that belong together, such as a training and a validation list: all of them or none."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from segdata.files import check_target_file, file_mode


def write_files(files: Mapping[Path, bytes], *, overwrite: bool) -> None:
    """Write all `files` or none of them; a new file is never beside the old version of another.

    All files are staged beside their targets first, so that a full disk changes nothing. Then the old files are moved
    aside, under hidden names that end in ``.old``, before the first new one gets its name. When anything fails, the new
    files are removed and the old ones get their names back. A killed process leaves some of the names empty, and the
    files under their hidden names.

    Args:
        files: content by path.
        overwrite: replace existing files.

    Raises:
        TargetExistsError: see `segdata.files.check_target_file`.
        OSError: when a file cannot be written or renamed.
    """
    for path in files:
        check_target_file(path, overwrite=overwrite)
    with ExitStack() as leftovers:
        staged = {path: _stage(path, data, leftovers) for path, data in files.items()}
        olds = {path: temporary.with_suffix(".old") for path, temporary in staged.items() if path.exists()}
        try:
            for path, old in olds.items():
                path.replace(old)
            for path, temporary in staged.items():
                temporary.replace(path)
        except BaseException:
            _put_back(staged, olds)
            raise
        for old in olds.values():
            old.unlink()


def _stage(path: Path, data: bytes, leftovers: ExitStack) -> Path:
    """Write `data` beside `path` and return its temporary name, which `leftovers` removes if it is still there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".new", dir=path.parent)
    temporary = Path(name)
    leftovers.callback(temporary.unlink, missing_ok=True)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
    except OSError as error:
        # Python does not name the file that a write fails on.
        raise OSError(error.errno, error.strerror, str(path)) from error
    temporary.chmod(file_mode())
    return temporary


def _put_back(staged: Mapping[Path, Path], olds: Mapping[Path, Path]) -> None:
    """Undo the renames: remove every new file before the first old one comes back."""
    for path, temporary in staged.items():
        if not temporary.exists():
            path.unlink(missing_ok=True)
    for path, old in olds.items():
        if old.exists():
            old.replace(path)
