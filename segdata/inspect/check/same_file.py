"""Find two names of one image file: links, and names that systems which ignore case or Unicode form take for one."""

from __future__ import annotations

import unicodedata

from segdata.dataset import Dataset
from segdata.encoded import FileId, file_id
from segdata.errors import Fault
from segdata.text import plain_path


class FileNames:
    """Names of images, by file and without case and Unicode form; `place` says where they are."""

    def __init__(self, place: str = "") -> None:
        """Start without names."""
        self._place = place
        self._by_id: dict[FileId, str] = {}
        self._by_folded: dict[str, str] = {}

    def add(self, name: str, file_id: FileId | None) -> None:
        """Add a name; of several names of one file, the first is kept."""
        self._by_folded.setdefault(_folded(name), name)
        if file_id:
            self._by_id.setdefault(file_id, name)

    def find(self, name: str, file_id: FileId | None) -> Fault | None:
        """Return a fault if another name that was added is the same file as this one."""
        linked = self._by_id.get(file_id) if file_id else None
        if linked and plain_path(linked) != plain_path(name):
            return Fault("same_file", name, f"is the same file as {linked}{self._place}, through a link")
        similar = self._by_folded.get(_folded(name))
        if similar and plain_path(similar) != plain_path(name):
            return Fault("same_file", name, f"differs from {similar}{self._place} only by case or Unicode form")
        return None


def file_names(dataset: Dataset) -> FileNames:
    """Return the names of all samples of a data set; those of a record set have no files."""
    found = FileNames(f" in {dataset.path}")
    for name, file in dataset.files():
        found.add(name, file_id(file.status()) if file else None)
    return found


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", plain_path(name)).lower())
