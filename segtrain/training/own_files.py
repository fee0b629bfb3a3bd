"""Ownership in a training directory: a list of the files that training wrote there, so that no other is removed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import msgspec

from segdata.errors import InvalidInputError
from segdata.files.paths import is_plain_file
from segdata.files.publishing import write_file
from segdata.regular import DESCRIPTION_BYTES, read_regular

#: Name of the list in a training directory.
OWN_FILES = ".segtrain-files.json"


class _List(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Content of `OWN_FILES`: the size in bytes by name; null for a file that grows or was being written."""

    version: Literal[1]
    files: dict[str, int | None]


class OwnFiles:
    """The files of one training directory that training wrote, by their names and sizes."""

    def __init__(self, directory: Path) -> None:
        """Represent the list in `directory`, which need not exist yet."""
        self.directory = directory

    def read(self) -> dict[str, int | None]:
        """Return the listed sizes by name; a missing or damaged list proves nothing, so it is empty."""
        try:
            text = read_regular(self.directory / OWN_FILES, at_most=DESCRIPTION_BYTES)
            return dict(msgspec.json.decode(text, type=_List).files)
        except (OSError, InvalidInputError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return {}

    def owned(self) -> list[Path]:
        """Return the listed files that exist and have the listed size, in order; links are somebody else's."""
        found = ((self.directory / name, size) for name, size in sorted(self.read().items()) if "/" not in name)
        return [path for path, size in found if is_plain_file(path) and size in (None, path.stat().st_size)]

    def among(self, sizes: Mapping[str, int]) -> list[str]:
        """Return the list itself and, of files with these sizes in bytes by name, those that it lists."""
        listed = self.read()
        return [OWN_FILES, *(name for name, size in sizes.items() if listed.get(name, -1) in (None, size))]

    @contextmanager
    def writing(self, *paths: Path, grows: bool = False) -> Iterator[None]:
        """List `paths` before the block writes them, and their sizes afterwards unless they grow."""
        names = [path.name for path in paths]
        self._write({**self.read(), **dict.fromkeys(names)})
        yield
        if not grows:
            sizes = {path.name: path.stat().st_size for path in paths if path.is_file()}
            self._write({**self.read(), **sizes})

    def forget(self, *paths: Path) -> None:
        """Remove from the list what was removed from the directory."""
        gone = {path.name for path in paths}
        self._write({name: size for name, size in self.read().items() if name not in gone})

    def _write(self, files: dict[str, int | None]) -> None:
        text = msgspec.json.encode(_List(1, dict(sorted(files.items()))))
        write_file(self.directory / OWN_FILES, text, overwrite=True)
