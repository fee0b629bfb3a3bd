"""Locations: a local path or the URL of an object store."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from segdata.arguments import FilePath, plain_location
from segdata.errors import InvalidInputError

_URL = re.compile(r"(s3|obs)://([^/]*)/*(.*?)/*", re.DOTALL)


@dataclass(frozen=True)
class Url:
    """An object, or all objects below a prefix; `key` has no leading or trailing slash and may be empty."""

    scheme: str
    bucket: str
    key: str

    def __str__(self) -> str:
        return f"{self.scheme}://{self.bucket}" + (f"/{self.key}" if self.key else "")

    def __truediv__(self, name: str) -> Url:
        return Url(self.scheme, self.bucket, f"{self.key}/{name}" if self.key else name)

    @property
    def name(self) -> str:
        """The last part of the key, or the bucket."""
        return self.key.rpartition("/")[2] or self.bucket

    @property
    def parent(self) -> Url:
        """The prefix that contains this URL."""
        return Url(self.scheme, self.bucket, self.key.rpartition("/")[0])


#: A local path, or a URL in an object store; a string is either.
Location: TypeAlias = FilePath | Url


def parse_location(text: Location) -> Path | Url:
    """Return `text` as a URL if it is one, otherwise as a path.

    Raises:
        InvalidInputError: for URLs with another scheme, mistyped ones, and those whose parts cannot form a path.
    """
    if isinstance(text, Url):
        return text
    if not isinstance(text, str) or "://" not in text:
        return plain_location(text)
    # The text is not repeated: it may contain a secret, which may contain a slash.
    if sign := next((sign for sign in "@:" if sign in text.partition("://")[2].partition("/")[0]), None):
        raise InvalidInputError(
            f"URL with {sign!r} before its path; expected s3://BUCKET/… without credentials or a port. Set them in the "
            "environment."
        )
    match = _URL.fullmatch(text)
    if not match:
        # What follows a question mark may be a signature.
        raise InvalidInputError(f"{text.partition('?')[0]}: expected a path, s3://BUCKET/… or obs://BUCKET/…")
    scheme, bucket, key = match.groups()
    if not bucket or "\0" in text or (key and {"", ".", ".."} & set(key.split("/"))):
        raise InvalidInputError(f"{text}: expected {scheme}://BUCKET/PATH without empty parts, '.' or '..'")
    return Url(scheme, bucket, key)


def default_work_dir() -> Path:
    """Return the default directory for copies: ``segdata`` in the user's cache directory."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "segdata"


def local_place(url: Url, work_dir: Path | None) -> Path:
    """Return the path in the working directory for the copy of `url`.

    The path is always the same, so that interrupted work can resume. Its last part is the name of the URL, and no such
    path is inside another.
    """
    above = hashlib.sha256(str(url.parent).encode()).hexdigest()[:12]
    return (work_dir or default_work_dir()) / f"{url.scheme}-{url.bucket}-{above}" / url.name
