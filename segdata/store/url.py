"""A path here or a URL there: one value that names either."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from segdata.errors import InvalidInputError

if TYPE_CHECKING:
    pass


_URL = re.compile(r"(s3|obs)://([^/]*)/*(.*?)/*", re.DOTALL)


@dataclass(frozen=True)
class Url:
    """An object, or all objects below a prefix; `key` neither begins nor ends with a slash, and may be empty."""

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
        """The prefix that this lies below."""
        return Url(self.scheme, self.bucket, self.key.rpartition("/")[0])


#: Where something lies: here, or in an object store.
Location: TypeAlias = Path | Url


def parse_location(text: str) -> Location:
    """Return the URL that `text` is, or else the path.

    Raises:
        InvalidInputError: when it is a URL of another kind, or one whose parts cannot be a path.
    """
    if "://" not in text:
        return Path(text)
    if "@" in text.partition("://")[2].partition("/")[0]:
        # The text itself is not repeated: it may hold a secret.
        raise InvalidInputError(
            "a URL with '@' before its path; credentials do not belong there, but in the environment"
        )
    match = _URL.fullmatch(text)
    if not match:
        raise InvalidInputError(f"{text}: expected a path, s3://BUCKET/… or obs://BUCKET/…")
    scheme, bucket, key = match.groups()
    if not bucket or "\0" in text or (key and {"", ".", ".."} & set(key.split("/"))):
        raise InvalidInputError(f"{text}: expected {scheme}://BUCKET/PATH, no part of it empty, '.' or '..'")
    return Url(scheme, bucket, key)


def default_work_dir() -> Path:
    """Return where copies are kept when the caller does not say: ``segdata`` in the user's cache directory."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "segdata"


def local_place(url: Url, work_dir: Path | None) -> Path:
    """Return the path in the working directory that stands for `url`.

    It is always the same, so that interrupted work can go on; it has the name of the URL; no place lies in another one.
    """
    above = hashlib.sha256(str(url.parent).encode()).hexdigest()[:12]
    return (work_dir or default_work_dir()) / f"{url.scheme}-{url.bucket}-{above}" / url.name
