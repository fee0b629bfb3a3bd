"""Names of the files that a record set is taken apart to."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from itertools import chain, count
from pathlib import Path, PurePosixPath

from segdata.errors import Fault, FaultsError, InvalidInputError, collecting
from segdata.files.paths import resolve
from segdata.lists import Pair, format_list
from segdata.text import plain_path

_LABELS = "labels"

#: Bytes that the name of a file may have.
_NAME_BYTES = 255


@dataclass(frozen=True)
class NamePlan:
    """Names that keep those of the rows where possible.

    Attributes:
        images: names of images that cannot keep that of their row, by number of the row.
        shared: names without suffix that would give two labels one path; these labels have the full name of the image.
        folder: folder of the labels, which contains no image.
        renamed: one entry for each of `images`.
    """

    images: dict[int, str] = field(default_factory=dict)
    shared: frozenset[str] = frozenset()
    folder: str = _LABELS
    renamed: tuple[Fault, ...] = ()

    def image(self, number: int, name: str) -> str:
        """Return the path of the image of a row."""
        return self.images.get(number) or plain_path(name)

    def label(self, image: str, suffix: str) -> str:
        """Return the path of the label beside the path of its image."""
        stem = _stem(image)
        return f"{self.folder}/{image if stem in self.shared else stem}{suffix}"


def plan_names(
    names: Iterable[str], root: Path, faults: list[Fault], *, taken: Collection[str] = (), listed: bool = False
) -> NamePlan:
    """Choose the paths of the images below `root`; of rows with one name, the later ones get a number.

    Args:
        names: name of each row.
        root: folder of the files.
        faults: list to append names to that no file below `root` can have.
        taken: names that no image may have.
        listed: whether a list file names the images and their labels.

    >>> found = []
    >>> plan_names(["a.jpg", "b/c.jpg", "a.jpg"], Path("x"), found).images
    {2: 'a_2.jpg'}
    """
    rows: dict[str, int] = {}
    repeated: list[tuple[int, str]] = []
    for number, name in enumerate(names):
        with collecting(faults, f"row {number}"):
            plain = _checked(root, name, taken)
            if listed:
                _check_label(plain)
            if plain in rows:
                repeated.append((number, plain))
            rows.setdefault(plain, number)
    every = set(rows)
    images = {number: _numbered(name, every) for number, name in repeated}
    parents = {parent.as_posix() for name in every for parent in PurePosixPath(name).parents}
    faults += (
        Fault("invalid", f"row {rows[name]}", f"file name {name!r} is also a folder in the names of other rows")
        for name in sorted(every & parents)
    )
    shared = _shared_stems(every, parents)
    faults += (
        Fault("invalid", f"row {rows[name]}", f"file name {name!r}: its label would be named as a folder of labels is")
        for name in sorted(rows)
        if _stem(name) in shared and f"{name}.png" in parents
    )
    tops = {name.partition("/")[0] for name in every}
    folders = chain([_LABELS], (f"{_LABELS}_{n}" for n in count(2)))
    folder = next(name for name in folders if name not in tops)
    renamed = tuple(
        Fault(
            "duplicate_image",
            f"row {number}",
            f"has the file name of row {rows[name]}, {name}; written as {images[number]}",
        )
        for number, name in repeated
    )
    return NamePlan(images, shared, folder, renamed)


def _checked(root: Path, name: str, taken: Collection[str]) -> str:
    """Return the plain form of a name that a file below `root` can have."""
    resolve(root, name)
    plain = plain_path(name)
    if plain in ("", "."):
        raise InvalidInputError(f"file name {name!r}; expected the path of a file", "outside_root")
    if not {plain, *map(str, PurePosixPath(plain).parents)}.isdisjoint(taken):
        raise InvalidInputError(f"file name {name!r}: segdata unpack writes a file of this name", "outside_root")
    _check_length(plain)
    return plain


def _check_length(path: str) -> None:
    if (longest := max(len(os.fsencode(part)) for part in path.split("/"))) > _NAME_BYTES:
        raise InvalidInputError(f"file name of {longest} bytes; expected at most {_NAME_BYTES}")


def _check_label(image: str) -> None:
    """Refuse the name of an image that no list file can have, or whose label would have too long a name."""
    _check_length(f"{_stem(image)}.png")
    try:
        format_list([Pair(image, image)])
    except FaultsError as error:
        raise InvalidInputError(
            f"file name {image!r}; expected one that a list file can have: without TAB, line break, # at the start or "
            "white space at an end"
        ) from error


def _shared_stems(every: Collection[str], folders: Collection[str]) -> frozenset[str]:
    """Return the names without suffix that cannot be those of labels: of several images, or of a folder of labels."""
    stems = Counter(map(_stem, every))
    shared = {stem for stem, images in stems.items() if images > 1 or f"{stem}.png" in folders}
    # The label of a.jpg is a.jpg.png then, so that of a.jpg.gz cannot be.
    while more := {stem for stem in stems if stem in every and stem not in shared and _stem(stem) in shared}:
        shared |= more
    return frozenset(shared)


def _numbered(name: str, every: set[str]) -> str:
    """Return a name that is not among `every`, and add it."""
    suffix = PurePosixPath(name).suffix
    free = next(new for n in count(2) if (new := f"{_stem(name)}_{n}{suffix}") not in every)
    every.add(free)
    return free


def _stem(name: str) -> str:
    return name.removesuffix(PurePosixPath(name).suffix)
