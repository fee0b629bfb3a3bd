"""The folder of the images of a list or a COCO JSON: which one it is if it is not the one that was named."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from segdata.errors import InvalidInputError

#: Number of folders above, and beside or below, that are tried.
_ABOVE, _BELOW = 3, 1000


def check_root(path: Path, root: Path, images: Sequence[str], option: str) -> None:
    """Check that `root` is not the wrong folder for the images of a data set.

    It is if none of the images is below it, and all of them are below another one near it: above, beside, directly
    below, or around the list or JSON. Otherwise nothing is said: missing images are faults of samples.

    Args:
        path: the list or JSON.
        root: folder that the names of its images are meant to be relative to.
        images: these names.
        option: the option that names the folder.

    Raises:
        InvalidInputError: when it is the wrong folder; the message names the right one, or two that may be.
    """
    names = [name for name in images if not os.path.isabs(name)]  # noqa: PTH117
    if not names or any(os.path.lexists(root / name) for name in names):
        return
    near = dict.fromkeys(_near([root, path.absolute().parent]))
    candidates = [folder for folder in near if all(_is_file(folder / name) for name in names)]
    # A link to a folder is not another one; the first is the nearest.
    found = [*{folder.resolve(): folder for folder in reversed(candidates)}.values()][::-1]
    found.sort(key=lambda folder: min(_steps(folder, root), _steps(folder, path.absolute().parent)))
    if found:
        none = f"none of {len(names)} images is" if len(names) > 1 else "its only image is not"
        every = "all are" if len(names) > 1 else "it is"
        where = f"{every} below {found[0]}"
        if len(found) > 1:
            where = f"files of these names are below {found[0]} and {found[1]}"
            option = f"the right one: {option}"
        raise InvalidInputError(f"{path}: {none} below {root}; {where}. Use {option} {found[0]}.")


def _is_file(path: Path) -> bool:
    # A name may be too long, or a folder closed.
    with suppress(OSError, ValueError):
        return path.is_file()
    return False


def _steps(folder: Path, place: Path) -> int:
    """Return how far a folder is from a place; a step up counts more, since other data sets may be there."""
    return sum(2 if part == ".." else 1 for part in Path(os.path.relpath(folder, place)).parts)


def _near(places: Iterable[Path]) -> Iterator[Path]:
    for place in places:
        yield place
        yield from list(place.parents)[:_ABOVE]
        for folder in (place, place.parent):
            with suppress(OSError):
                yield from sorted(folder.iterdir())[:_BELOW]
