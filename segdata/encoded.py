"""Encoded images and labels: files below a folder, or bytes in memory, read in the same way."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from segdata.errors import Code, InvalidInputError
from segdata.files.paths import check_below
from segdata.images.header import missing_text
from segdata.regular import read_regular

#: Device and inode of a file.
FileId: TypeAlias = tuple[int, int]


@dataclass(frozen=True, slots=True)
class File:
    """A file below a folder.

    Attributes:
        root: the folder.
        name: path relative to it, with POSIX slashes.
        missing: kind of fault when there is no such file.
    """

    root: Path
    name: str
    missing: Code = "missing_image"

    def find(self) -> Path:
        """Return the path, for readers that need only part of the file; they find out whether it is there.

        Raises:
            InvalidInputError: when it leaves its root.
        """
        return Path(self._place())

    def read(self) -> bytes:
        """Return the content.

        Raises:
            InvalidInputError: see `find`; also when the file is missing, is not a regular file or cannot be read.
        """
        place = self._place()
        try:
            return read_regular(place)
        except FileNotFoundError as error:
            raise InvalidInputError(missing_text(self.name), self.missing) from error
        except OSError as error:
            raise InvalidInputError(f"cannot be read: {error.strerror}", "unreadable") from error

    def status(self) -> os.stat_result | None:
        """Return size, times and identity of the file, after links; None if there is no such file below the root."""
        try:
            return os.stat(self._place())  # noqa: PTH116
        except (InvalidInputError, OSError):
            return None

    def _place(self) -> str:
        # Making a `Path` takes ten times as long, and a set has millions of files.
        check_below(self.root, self.name)
        return os.path.join(self.root, self.name)  # noqa: PTH118


@dataclass(frozen=True, slots=True)
class Stored:
    """An encoded image or label in memory, such as a field of a record; it has the methods of `File`."""

    name: str
    data: bytes

    def find(self) -> bytes:
        """Return the content."""
        return self.data

    def read(self) -> bytes:
        """Return the content."""
        return self.data

    def status(self) -> os.stat_result | None:
        """Return None: there is no file."""
        return None


Encoded: TypeAlias = File | Stored


def file_id(status: os.stat_result | None) -> FileId | None:
    """Return the device and inode of a file."""
    return (status.st_dev, status.st_ino) if status else None
