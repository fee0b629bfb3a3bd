"""The file of an id in a folder, and the ids without one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from segdata.files import names_by_stem


class IdFiles:
    """Finds the file of an id in one folder and keeps what it did not find.

    Attributes:
        folder: the folder, relative to the data root.
        missing: the ids without a file; each once, however many splits have it.
    """

    def __init__(self, root: Path, folder: Path, suffixes: Sequence[str]) -> None:
        """Look into `folder`, which lies below `root` and may be missing; suffixes are lower case with their dot."""
        self.names = names_by_stem(folder, suffixes) if folder.is_dir() else {}
        self.folder = folder.relative_to(root)
        self.suffixes = suffixes
        self.missing: dict[str, None] = {}
        self._ambiguous: dict[str, None] = {}

    def __call__(self, id_: str) -> str:
        """Return the path of the id's file, relative to the data root; empty when there is none."""
        names = self.names.get(id_, [])
        if not names:
            self.missing[id_] = None
        elif len(names) > 1:
            self._ambiguous[f"{self.folder.as_posix()}: which of {', '.join(names)} is {id_}?"] = None
        return (self.folder / names[0]).as_posix() if names else ""

    def faults(self, *, missing: bool = True) -> list[str]:
        """Return a sentence for each id with several files and, unless told otherwise, for each without one."""
        absent = [f"{(self.folder / id_).as_posix()}{self.suffixes[0]}: missing" for id_ in self.missing]
        return [*(absent if missing else ()), *self._ambiguous]
