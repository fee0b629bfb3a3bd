"""The folder that the paths of a list are relative to: which one it is if it is not the one that was named."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from segdata.errors import InvalidInputError
from segdata.lists import Pair

#: Number of folders above and below that are tried.
_ABOVE, _BELOW = 3, 1000


def check_root(path: Path, root: Path, pairs: Sequence[Pair]) -> None:
    """Check that `root` is not the wrong folder for the paths of a list.

    It is if none of the images is below it, and all of them are below another one near it: above, directly below, or
    around the list. Otherwise nothing is said: missing images are faults of samples.

    Args:
        path: the list.
        root: folder that its paths are meant to be relative to.
        pairs: the samples of the list.

    Raises:
        InvalidInputError: when it is the wrong folder; the message names the right one.
    """
    names = [pair.image for pair in pairs if not Path(pair.image).is_absolute()]
    if not names or any(os.path.lexists(root / name) for name in names):
        return
    for folder in dict.fromkeys(_near([root, path.absolute().parent])):
        if all(_is_file(folder / name) for name in names):
            none = f"none of {len(names)} images is" if len(names) > 1 else "its only image is not"
            every = "all are" if len(names) > 1 else "it is"
            raise InvalidInputError(f"{path}: {none} below {root}; {every} below {folder}. Use --data_root {folder}.")


def _is_file(path: Path) -> bool:
    # A name may be too long, or a folder closed.
    with suppress(OSError, ValueError):
        return path.is_file()
    return False


def _near(places: Iterable[Path]) -> Iterator[Path]:
    for place in places:
        yield place
        yield from list(place.parents)[:_ABOVE]
        with suppress(OSError):
            yield from sorted(place.iterdir())[:_BELOW]
