"""Arguments of public functions: paths as users write them, and values that are refused in one sentence."""

from __future__ import annotations

import operator
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, SupportsIndex, TypeAlias, get_args, overload

from segdata.errors import InvalidInputError, OptionError, suggest
from segdata.text import without_secrets

#: A path on this machine: text, a `pathlib.Path`, or another object with a path.
FilePath: TypeAlias = str | os.PathLike[str]

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")

#: A URL with one slash or none: as a path, results would be written to a folder named ``s3:``.
_MISTYPED = re.compile(r"(s3|obs):", re.IGNORECASE)


@overload
def local_path(given: FilePath, cure: str = "") -> Path: ...
@overload
def local_path(given: None, cure: str = "") -> None: ...
def local_path(given: FilePath | None, cure: str = "") -> Path | None:
    """Return `given` as a path; None stays None.

    Args:
        given: path on this machine.
        cure: sentence to add when it is a URL.

    Raises:
        InvalidInputError: when the text is a URL, or a mistyped one.
    """
    if isinstance(given, str) and _URL.match(given):
        raise InvalidInputError(f"{without_secrets(given)} is a URL; expected a local path.{cure and f' {cure}'}")
    return None if given is None else plain_location(given)


def plain_location(given: FilePath) -> Path:
    """Return `given`, which is not a URL, as a path.

    Raises:
        InvalidInputError: when it is a mistyped URL.
    """
    if isinstance(given, str) and "://" not in given and (mistyped := _MISTYPED.match(given)):
        raise InvalidInputError(
            f"{given}: expected {mistyped[1]}://BUCKET/… for a URL. For a local path, put ./ before it."
        )
    return given if isinstance(given, Path) else Path(given)


def local_paths(given: FilePath | Sequence[FilePath]) -> list[Path]:
    """Return one path or several as a list of paths; see `local_path` for the errors raised."""
    several = [given] if isinstance(given, str | os.PathLike) else given
    return [local_path(each) for each in several]


def check_choice(name: str, value: object, choices: Any, *, optional: bool = False) -> None:
    """Check that the argument `name` has one of the values of a `Literal`, or None if it is optional.

    Raises:
        OptionError: when it has another one.

    >>> from typing import Literal
    >>> check_choice("on_error", "skp", Literal["fail", "skip"])
    Traceback (most recent call last):
    ...
    segdata.errors.OptionError: on_error = 'skp': did you mean skip? Expected one of fail, skip
    """
    known = get_args(choices)
    if value not in known and not (optional and value is None):
        raise OptionError(f"{name} = {value!r}: {suggest(str(value), known)}")


def check_number(name: str, value: SupportsIndex | None, low: int, high: int | None = None) -> None:
    """Check that the argument `name` is a whole number of at least `low` and at most `high`, or None.

    Raises:
        OptionError: when it is not.

    >>> check_number("ignore_label", 256, 0, 255)
    Traceback (most recent call last):
    ...
    segdata.errors.OptionError: ignore_label = 256: expected a whole number, 0 to 255
    """
    if value is None:
        return
    try:
        number = operator.index(value)
    except TypeError:
        number = low - 1
    if number < low or (high is not None and number > high):
        expected = f"{low} or more" if high is None else f"{low} to {high}"
        raise OptionError(f"{name} = {value!r}: expected a whole number, {expected}")


def check_several(name: str, value: object) -> None:
    """Check that the argument `name` is not a single text or path, whose characters would be taken for several.

    Raises:
        OptionError: when it is.

    >>> check_several("categories", "dog")
    Traceback (most recent call last):
    ...
    segdata.errors.OptionError: categories = 'dog': expected a sequence, such as ['dog']
    """
    if isinstance(value, str | os.PathLike):
        text = os.fspath(value)
        raise OptionError(f"{name} = {text!r}: expected a sequence, such as [{text!r}]")


def check_opened(name: str, value: object, opener: str = "segdata.open_dataset") -> None:
    """Check that the argument `name` is not a path or a name, but what the function `opener` returns for it.

    Raises:
        OptionError: when it is text or a path.

    >>> check_opened("dataset", "train_lst.txt")
    Traceback (most recent call last):
    ...
    segdata.errors.OptionError: dataset = 'train_lst.txt': expected what segdata.open_dataset returns for it
    """
    if isinstance(value, str | os.PathLike):
        raise OptionError(f"{name} = {os.fspath(value)!r}: expected what {opener} returns for it")
