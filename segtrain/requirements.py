"""Requirements of segtrain beyond segdata: the packages of the extra ``segdata[train]``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from segdata.errors import SegDataError

#: Modules of the packages.
_NEEDED = ("mindspore", "safetensors", "skimage")

#: The versions of Python that MindSpore has wheels for.
_FIRST, _LAST = (3, 10), (3, 12)


@contextmanager
def naming_the_extra() -> Iterator[None]:
    """Name the command that installs the extra, where the block imports a package of it that is missing.

    Raises:
        SegDataError: instead of `ModuleNotFoundError`.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name not in _NEEDED:
            raise
        raise SegDataError(_sentence(error.name, sys.version_info[:2])) from error


def _sentence(name: str, python: tuple[int, int]) -> str:
    missing = f"segtrain: {name} is not installed; expected the packages of segdata[train]."
    install = 'pip install "segdata[train]"'
    if _FIRST <= python <= _LAST:
        return f"{missing} Install them with: {install}"
    first, last, found = (".".join(map(str, version)) for version in (_FIRST, _LAST, python))
    return (
        f"{missing} MindSpore has wheels for Python {first} to {last}, and this is {found}. Install them into an "
        f"environment of such a version: {install}"
    )
