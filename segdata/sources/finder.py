"""Find files: of each id in a folder, or all below a folder."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from pathlib import Path

from segdata.errors import Fault, InvalidInputError
from segdata.files.paths import names_by_stem


class IdFiles:
    """Finds the file of each id in one folder and records the ids without one.

    Attributes:
        folder: the folder, relative to the data root.
        missing: the ids without a file; each once, even if several splits contain it.
    """

    def __init__(self, root: Path, folder: Path, suffixes: Sequence[str]) -> None:
        """List `folder`, which is below `root` and may be missing; suffixes are lower case and include the dot."""
        self.names = names_by_stem(folder, suffixes) if folder.is_dir() else {}
        self.folder = folder.relative_to(root)
        self.suffixes = suffixes
        self.missing: dict[str, None] = {}
        self._ambiguous: dict[Fault, None] = {}

    def __call__(self, id_: str) -> str:
        """Return the path of the id's file, relative to the data root; empty if there is no file."""
        names = self.names.get(id_, [])
        if not names:
            self.missing[id_] = None
        elif len(names) > 1:
            several = Fault("invalid", self.folder.as_posix(), f"{id_} has several files: {', '.join(names)}")
            self._ambiguous[several] = None
        return (self.folder / names[0]).as_posix() if names else ""

    def faults(self, *, missing: bool = True) -> list[Fault]:
        """Return a fault for each id with several files and, if `missing`, for each without one."""
        places = [f"{(self.folder / id_).as_posix()}{self.suffixes[0]}" for id_ in self.missing]
        absent = [Fault("missing_image", place, "missing") for place in places]
        return [*(absent if missing else ()), *self._ambiguous]


def files_below(folder: Path, suffixes: Collection[str]) -> list[Path]:
    """Return the files below `folder` with these extensions, sorted; linked folders are searched too, each folder once.

    Suffixes are in lower case and match in any case. Hidden files and folders are left out.

    Raises:
        InvalidInputError: when a folder is missing or cannot be read.
    """
    found: list[Path] = []
    seen = set[tuple[int, int]]()
    for parent, folders, names in os.walk(folder, followlinks=True, onerror=_refuse):
        status = Path(parent).stat()
        if (status.st_dev, status.st_ino) in seen:
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        folders[:] = sorted(name for name in folders if name[0] != ".")
        found += [Path(parent, name) for name in names if name[0] != "." and Path(name).suffix.lower() in suffixes]
    return sorted(found)


def _refuse(error: OSError) -> None:
    raise InvalidInputError(f"{error.filename}: cannot be read: {error.strerror}", "unreadable") from error
