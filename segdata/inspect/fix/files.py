"""Files whose pixels change: their new content, and a folder in which they are in the place of the old ones."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from segdata.encoded import File
from segdata.files.publishing import empty
from segdata.parallel import Progress, silent
from segdata.sources.coco.media import Media, place_images


class NewFiles:
    """The images and labels of a data set, some of them with new content. The source does not change.

    Attributes:
        root: folder to read from: the source, until `settle` has linked new files and all others in one folder.
        names: names of the new files.
    """

    def __init__(self, source: Path, work: Path) -> None:
        """Start without new files; `work` is an empty folder for them."""
        self._source, self._new, self._linked = source, work / "new", work / "linked"
        self.root = source
        self.names: set[str] = set()

    def read(self, name: str) -> bytes:
        """Return the content of a file.

        Raises:
            InvalidInputError: when it cannot be read.
        """
        return File(self.root, name).read()

    def write(self, name: str, data: bytes) -> None:
        """Give a file new content; `settle` puts it in the place of the old one."""
        path = self._new / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        self.names.add(name)

    def settle(self, names: Iterable[str]) -> None:
        """Link the files `names` of the data set, new ones and others, in the folder `root`."""
        if not self.names:
            return
        self._linked.mkdir(exist_ok=True)
        empty(self._linked)
        self._place(self._linked, names, "symlink", "symlink", workers=1, progress=silent)
        self.root = self._linked

    def publish(self, target: Path, names: Iterable[str], media: Media, *, workers: int, progress: Progress) -> int:
        """Place the files `names` in the folder `target`; return how many of them are new."""
        return self._place(target, names, media, "copy", workers=workers, progress=progress)

    def _place(
        self, target: Path, names: Iterable[str], media: Media, new: Media, *, workers: int, progress: Progress
    ) -> int:
        every = dict.fromkeys(names)
        old = [name for name in every if name not in self.names and File(self._source, name).status()]
        place_images(self._source, target, old, media, workers=workers, progress=progress)
        fresh = [name for name in every if name in self.names]
        place_images(self._new, target, fresh, new, workers=workers, progress=progress)
        return len(fresh)
