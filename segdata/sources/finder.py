"""Find files: of each id in a folder, or all below a folder."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from segdata.errors import Fault, InvalidInputError
from segdata.files.paths import names_by_stem
from segdata.images.header import IMAGE_SUFFIXES
from segdata.text import plural, quoted

#: Number of ids that a message shows.
_SHOWN = 3

#: Endings that some lists put after an id.
_ENDINGS = (*IMAGE_SUFFIXES, ".mat")

#: What the lists of VOC's ImageSets/Main put after an id: 1 if the image has the class, 0 if it is difficult, or -1.
CLASS_FLAG = re.compile(r"\s+(-1|0|1)$")

#: What Oxford Pets' lists put after an id: the numbers of its class, species and breed.
_COLUMNS = re.compile(r"(\s+\d+){2,}$")


class IdFiles:
    """Finds the file of each id in one folder and records the ids without one; an id may name a subfolder.

    Attributes:
        folder: the folder, relative to the data root.
        missing: the ids without a file; each once, even if several splits contain it.
    """

    def __init__(self, root: Path, folder: Path, suffixes: Sequence[str]) -> None:
        """List `folder`, which is below `root` and may be missing; suffixes are lower case and include the dot."""
        self.folder = folder.relative_to(root)
        self.suffixes = suffixes
        self.missing: dict[str, None] = {}
        self._path = folder
        self._ambiguous: dict[Fault, None] = {}
        self._listed: dict[str, dict[str, list[str]]] = {}
        self._names("")

    def __call__(self, id_: str) -> str:
        """Return the path of the id's file, relative to the data root; empty if there is no file."""
        names = self._files(id_)
        if not names:
            self.missing[id_] = None
        elif len(names) > 1:
            several = Fault("invalid", self.folder.as_posix(), f"{id_} has several files: {', '.join(names)}")
            self._ambiguous[several] = None
        return (self.folder / id_).with_name(names[0]).as_posix() if names else ""

    def ids(self) -> set[str]:
        """Return the ids with a file in the folder itself, and in the subfolders that were searched so far."""
        return {f"{parent}/{stem}" if parent else stem for parent, names in self._listed.items() for stem in names}

    def near(self, ids: Collection[str]) -> dict[str, str]:
        """Return the ids without a file, but with a near form, and that form; see `near_id`."""
        without = [id_ for id_ in ids if not self._files(id_)]
        lowered = {id_.lower(): id_ for id_ in self.ids()}
        forms = {id_: near_id(id_, lowered) for id_ in without}
        return {id_: form for id_, form in forms.items() if form}

    def faults(self, *, missing: bool = True) -> list[Fault]:
        """Return a fault for each id with several files and, if `missing`, for each without one."""
        places = [f"{(self.folder / id_).as_posix()}{self.suffixes[0]}" for id_ in self.missing]
        absent = [Fault("missing_image", place, "does not exist") for place in places]
        return [*(absent if missing else ()), *self._ambiguous]

    def _files(self, id_: str) -> list[str]:
        parent, _, stem = id_.rpartition("/")
        return self._names(parent).get(stem, [])

    def _names(self, parent: str) -> dict[str, list[str]]:
        if parent not in self._listed:
            folder = self._path / parent
            self._listed[parent] = names_by_stem(folder, self.suffixes) if folder.is_dir() else {}
        return self._listed[parent]


def near_id(id_: str, known: Mapping[str, str]) -> str:
    """Return the id that `id_` probably means, given all ids by their lower case; or an empty text.

    It has another case, an ending, a folder, a class flag or columns of numbers too many. An ending is wrong even if
    the image itself is not there.

    >>> near_id("images/A.jpg", {"a": "a"}), near_id("b 37 2 25", {"b": "b"}), near_id("c.png", {})
    ('a', 'b', 'c')
    """
    stem, dot, ending = id_.rpartition(".")
    ended = f"{dot}{ending}".lower() in _ENDINGS
    for form in (id_, stem, CLASS_FLAG.sub("", id_), _COLUMNS.sub("", id_)):
        for name in (form, form.rpartition("/")[2]):
            if found := known.get(name.lower()):
                return found
    return stem if ended else ""


def no_image(wrong: Sequence[str], count: int, near: str) -> str:
    """Return the message about the ids of a list that match no image: the first three, and the `near` form of one."""
    shown = ", ".join(map(quoted, wrong[:_SHOWN])) + (", …" if len(wrong) > _SHOWN else "")
    cure = f"such as {near!r}. Correct the ids." if near else "of images. Correct the ids, or restore the images."
    verb = "matches" if count == 1 else "match"
    return f"{len(wrong)} of {plural(count, 'id')} {verb} no image ({shown}); expected ids {cure}"


def folded(name: str) -> str:
    """Return the form that names share which differ only by case or Unicode form."""
    return unicodedata.normalize("NFC", name).casefold()


def files_below(folder: Path, suffixes: Collection[str] = ()) -> list[Path]:
    """Return the files below `folder` with these extensions, sorted; linked folders are searched too, each folder once.

    Suffixes are in lower case and match in any case; without any, all files are returned. Hidden files and folders are
    left out.

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
        found += [
            Path(parent, name)
            for name in names
            if name[0] != "." and (not suffixes or Path(name).suffix.lower() in suffixes)
        ]
    return sorted(found)


def _refuse(error: OSError) -> None:
    raise InvalidInputError(f"{error.filename}: cannot be read: {error.strerror}", "unreadable") from error
