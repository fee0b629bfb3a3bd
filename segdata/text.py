"""Helpers for hand-written text files: lines, names and how messages quote them."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from segdata.errors import FaultsError, InvalidInputError
from segdata.regular import read_regular

#: The control characters of ASCII and Latin-1, some of which terminals obey, except tab and line feed.
_ESCAPES = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160)) if chr(code) not in "\t\n"}

#: What may be secret in a URL: a name and a password before ``@``, and the query, which may have a signature.
_SECRETS = (
    (re.compile(r"(\w+://)(?:[^/@\s]+|[^/@:\s]*:[^@\s]*)@"), r"\1…@"),
    (re.compile(r"(\w+://[^\s?'\"]*\?)[^\s'\"]+"), r"\1…"),
)

#: Options that are not spelled like the arguments of functions.
_OPTIONS = {
    "classes": "class options (--class_names, --num_classes, --ignore_label)",
    "drop_empty": "--drop-empty",
    "no_shuffle": "--no-shuffle",
    "resize_labels": "--resize-labels",
    "class_folders": "--class-folders",
    "thresholds": "--threshold",
}


def check_unique(names: Iterable[str], what: str) -> None:
    """Raise `FaultsError` with the headline `what` if any name occurs more than once."""
    repeated = [f"{name} ({count} times)" for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise FaultsError(what, repeated)


def spellings(names: Iterable[str]) -> list[list[str]]:
    """Return the names that look the same, in groups: they differ in nothing, in spaces at an end or in Unicode form.

    >>> spellings(["cat", "caf\\xe9", "dog", "cat ", "cafe\\u0301"]) == [["cat", "cat "], ["caf\\xe9", "cafe\\u0301"]]
    True
    """
    groups: dict[str, list[str]] = defaultdict(list)
    for name in names:
        groups[unicodedata.normalize("NFC", name.strip())].append(name)
    return [group for group in groups.values() if len(group) > 1]


def same_name(group: Sequence[str], noun: str) -> str:
    """Return what is wrong about a group of `spellings`."""
    apart = ", apart from spaces or Unicode form (NFC, NFD)" if len({*group}) > 1 else ""
    return f"{len(group)} {noun} have the name {group[0]!r}{apart}"


def quoted(line: str) -> str:
    """Return a line of a file in quotes, shortened if it is too long for a message."""
    return repr(line if len(line) <= 100 else f"{line[:99]}…")


def is_unicode(name: str) -> bool:
    """Return whether a file's name is valid Unicode; POSIX allows any bytes, which Python keeps as surrogates.

    >>> is_unicode("caf\\xe9"), is_unicode("caf\\udce9")
    (True, False)
    """
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def printable(text: str) -> str:
    """Return `text` with control characters as escapes, except tabs and line breaks: a file's name may contain any.

    >>> printable("red \\x1b[31m")
    'red \\\\x1b[31m'
    """
    return text.translate(_ESCAPES)


def without_secrets(text: str) -> str:
    """Return `text` with what may be secret in its URLs left out.

    >>> without_secrets("copied s3://me:secret@bucket/set, then https://host/a?signature=1")
    'copied s3://…@bucket/set, then https://host/a?…'
    """
    for pattern, rest in _SECRETS:
        text = pattern.sub(rest, text)
    return text


def text_lines(path: Path) -> list[tuple[int, str]]:
    """Return the lines of a text file, stripped, with their numbers (from 1).

    Blank lines and ``#`` comments are skipped. The text is UTF-8, with or without a byte order mark; lines end with LF,
    CRLF or CR.

    Raises:
        InvalidInputError: when it is not a regular file, cannot be read or is not UTF-8.
    """
    try:
        text = read_regular(path).decode("utf-8-sig")
    except InvalidInputError as error:
        raise InvalidInputError(f"{path}: {error}", error.code) from error
    except OSError as error:
        raise InvalidInputError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InvalidInputError(f"{path}: not UTF-8 text (byte {error.start})") from error
    stripped = ((number, line.strip()) for number, line in enumerate(re.split(r"\r\n?|\n", text), start=1))
    return [(number, line) for number, line in stripped if line and not line.startswith("#")]


def plain_path(name: str) -> str:
    """Return a relative path without doubled slashes and ``.`` parts; ``..``, backslashes and links stay as they are.

    >>> plain_path("./a//b/./c.jpg")
    'a/b/c.jpg'
    """
    # Most paths are plain, and lists are long.
    return name if {"", "."}.isdisjoint(name.split("/")) else PurePosixPath(name).as_posix()


def option_names(arguments: Iterable[str]) -> str:
    """Return the options of the commands for arguments of a function, as messages name them.

    >>> option_names(["images", "drop_empty"])
    '--images or --drop-empty'
    """
    return " or ".join(_OPTIONS.get(argument, f"--{argument}") for argument in arguments)


def plural(count: int, noun: str) -> str:
    """Return a number with its noun, which takes an ``s`` unless the number is 1.

    >>> plural(1, "image"), plural(2, "image")
    ('1 image', '2 images')
    """
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def megabytes(size: int) -> str:
    """Return a number of bytes as text, in kilobytes if it is less than a megabyte.

    >>> megabytes(1_540_000), megabytes(84_300)
    ('1.5 MB', '84 kB')
    """
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.0f} kB"
