"""Find the file of each id in a folder, and record the ids without one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from segdata.files import names_by_stem


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
        self._ambiguous: dict[str, None] = {}

    def __call__(self, id_: str) -> str:
        """Return the path of the id's file, relative to the data root; empty if there is no file."""
        names = self.names.get(id_, [])
        if not names:
            self.missing[id_] = None
        elif len(names) > 1:
            self._ambiguous[f"{self.folder.as_posix()}: {id_} has several files: {', '.join(names)}"] = None
        return (self.folder / names[0]).as_posix() if names else ""

    def faults(self, *, missing: bool = True) -> list[str]:
        """Return a sentence for each id with several files and, if `missing`, for each without one."""
        absent = [f"{(self.folder / id_).as_posix()}{self.suffixes[0]}: missing" for id_ in self.missing]
        return [*(absent if missing else ()), *self._ambiguous]
