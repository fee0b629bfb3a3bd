"""Search a folder for files, links to folders included, each folder once."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from segdata.errors import Fault, FaultsError, InvalidInputError
from segdata.text import plural


def search_folder(folder: Path, *, skip: Path, recursive: bool) -> tuple[list[Path], list[Path]]:
    """Return the files of a folder, sorted, and the links to subfolders that were searched under another path.

    Hidden files and folders and the folder `skip` are left out.

    Raises:
        InvalidInputError: when there is no such folder.
        FaultsError: when it or subfolders cannot be read.
    """
    if not folder.is_dir():
        raise InvalidInputError(f"{folder}: no such folder")
    search = _Search(folder, skip, recursive)
    if search.faults:
        raise FaultsError(f"{plural(len(search.faults), 'folder')} cannot be read", sorted(search.faults, key=str))
    return sorted(search.files), search.repeated


class _Search:
    """Files of a folder and its subfolders, links last, so that a folder that links lead to keeps its own path."""

    def __init__(self, folder: Path, skip: Path, recursive: bool) -> None:
        self.files: list[Path] = []
        self.repeated: list[Path] = []
        self.faults: list[Fault] = []
        self._folders, self._links = deque([folder]), deque[Path]()
        seen: set[tuple[int, int]] = set()
        while self._folders or self._links:
            each = (self._folders or self._links).popleft()
            with self._reading(each):
                status = each.stat()
                if (status.st_dev, status.st_ino) in seen:
                    self.repeated.append(each)
                elif not seen or not (skip.exists() and each.samefile(skip)):
                    seen.add((status.st_dev, status.st_ino))
                    self._list(each, recursive)

    def _list(self, folder: Path, recursive: bool) -> None:
        with os.scandir(folder) as entries:
            for entry in sorted((entry for entry in entries if entry.name[0] != "."), key=lambda entry: entry.name):
                path = folder / entry.name
                with self._reading(path):
                    if not entry.is_dir():
                        self.files.append(path)
                    elif recursive:
                        (self._links if entry.is_symlink() else self._folders).append(path)

    @contextmanager
    def _reading(self, path: Path) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.faults.append(Fault("unreadable", str(path), f"cannot be read: {error.strerror}"))
