"""Products: which files belong together, on disk and in a store, and in which order they are published."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from segdata.files.ownership import RESULT_MARKER, marked_files

#: Files that are uploaded concurrently, between two updates of the note about an upload.
_GROUP = 8


@dataclass(frozen=True)
class Product:
    """Files that a writer publishes together; each kind is declared once, by the module that writes it.

    Attributes:
        what: name of the product in messages.
        index: name of the file that makes the others a product. In a store it is removed first and uploaded last.
        owned: takes a directory with the index, and the sizes in bytes of files by name; returns the names of those
            that belong to the product.
        takes: whether a product may use a name. Objects with other names are left alone.
        late: suffix of the files that are uploaded after all others but the index.
        pinned: whether the index has the digests of all files, so that an interrupted upload need not repeat them.
    """

    what: str
    index: str
    owned: Callable[[Path, Mapping[str, int]], Collection[str]]
    takes: Callable[[str], bool] = lambda _name: True
    late: str | None = None
    pinned: bool = False

    def upload_groups(self, names: Collection[str]) -> list[list[str]]:
        """Return `names` without the index, in the order in which they are uploaded; a group is one step."""

        def last(name: str) -> bool:
            return self.late is not None and name.endswith(self.late)

        files = sorted((name for name in names if name != self.index), key=lambda name: (last(name), name))
        return [
            same[start : start + _GROUP]
            for same in (list(group) for _, group in groupby(files, last))
            for start in range(0, len(same), _GROUP)
        ]


def _marked(directory: Path, sizes: Mapping[str, int]) -> list[str]:
    marked = marked_files(directory)
    return [RESULT_MARKER, *(name for name, size in sizes.items() if marked.get(name) == size)]


#: The files of a directory that `segdata.files.publishing.staged_directory` published: its marker lists them.
RESULTS = Product("result", RESULT_MARKER, _marked)
