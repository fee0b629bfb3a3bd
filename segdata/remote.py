"""Object-store URLs: what they name, what is copied in, what is copied out.

Nothing reads or writes an object store in place: a record set, a checkpoint or a result is copied as whole files
between the store and a local working directory.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from segdata.errors import FaultsError, InvalidInputError, SegDataError, TargetExistsError, name_first
from segdata.files import resolve
from segdata.parallel import Advance, Progress, silent

if TYPE_CHECKING:
    from segdata.object_store import Store

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


def objects(url: Url) -> Iterator[tuple[str, int]]:
    """Yield name, relative to `url`, and size in bytes of each object below it, page by page as the store lists them.

    Raises:
        SegDataError: when the store cannot be reached or refuses; so do all functions below.
    """
    return _store(url).objects(url)


def object_size(url: Url) -> int | None:
    """Return the size of the object at `url` in bytes; None when there is none."""
    return _store(url).size(url)


def fetch(url: Url, sizes: Mapping[str, int], directory: Path, *, progress: Progress = silent) -> None:
    """Copy the objects called ``url / name`` to ``directory / name``.

    Args:
        url: the prefix of all names.
        sizes: the names, and how many bytes each must have.
        directory: where the files go; what fails half way is left there.
        progress: shows how many megabytes are done.

    Raises:
        SegDataError: when they do not fit on the disk, or an object is not of its size any more.
    """
    if not sizes:
        return
    check_space(directory, sum(sizes.values()))
    targets = {name: resolve(directory, name) for name in sizes}
    for target in targets.values():
        target.parent.mkdir(parents=True, exist_ok=True)
    with _megabytes(progress, f"fetch {url.name}", sum(sizes.values())) as advance:
        _store(url).get(url, targets, advance)
    if wrong := [name for name, size in sizes.items() if targets[name].stat().st_size != size]:
        raise SegDataError(
            f"{url}: {len(wrong)} objects have not the size they should have; they are damaged, or being replaced at "
            f"this moment:\n{name_first(wrong)}"
        )


@contextmanager
def fetched(
    url: Url, sizes: Mapping[str, int], work_dir: Path | None = None, *, progress: Progress = silent
) -> Iterator[Path]:
    """Yield a directory, called as `url` is, with copies of some objects; it is removed after the block.

    See `fetch`; `work_dir` is where the directory is made, the system's place for temporary files by default.
    """
    if work_dir:
        work_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="segdata-", dir=work_dir) as temporary:
        directory = Path(temporary) / url.name
        directory.mkdir()
        fetch(url, sizes, directory, progress=progress)
        yield directory


def upload(directory: Path, names: Sequence[str], url: Url, *, progress: Progress = silent) -> None:
    """Copy the files ``directory / name`` to ``url / name``; a reader sees each old or new, never a part of it."""
    if not names:
        return
    sources = {name: directory / name for name in names}
    total = sum(path.stat().st_size for path in sources.values())
    with _megabytes(progress, f"copy out {url.name}", total) as advance:
        _store(url).put(sources, url, advance)


def remove(url: Url, names: Collection[str]) -> None:
    """Remove the objects ``url / name``; one that is not there is no error."""
    if names:
        _store(url).remove(url, sorted(names))


def files_below(directory: Path) -> list[str]:
    """Return the names, relative to `directory` and with slashes, of all files below it; hidden ones are left out."""
    found = (path.relative_to(directory) for path in directory.rglob("*") if path.is_file())
    return sorted(path.as_posix() for path in found if not any(part.startswith(".") for part in path.parts))


def check_space(directory: Path, size: int) -> None:
    """Refuse to begin what does not fit on the disk.

    Raises:
        SegDataError: when fewer than `size` bytes are free where `directory` lies or will lie.
    """
    there = next(path for path in (directory, *directory.absolute().parents) if path.exists())
    free = shutil.disk_usage(there).free
    if size > free:
        raise SegDataError(
            f"{size / 1e6:.1f} MB do not fit into {directory}: {free / 1e6:.1f} MB are free there; choose another "
            "working directory (--work_dir, SEGDATA_WORK_DIR)"
        )


def taken_by_others(url: Url, foreign: Sequence[str]) -> TargetExistsError:
    """Return the error for a prefix that holds objects which this work did not write."""
    return TargetExistsError(
        f"{url} holds objects that this work did not write and would lose:\n{name_first(foreign)}\n"
        "Move them away or choose another place.",
        replaceable=False,
    )


@contextmanager
def naming(url: Url, local: Path) -> Iterator[None]:
    """Call `local` by the URL that it stands for in the errors of the block."""
    try:
        yield
    except (SegDataError, KeyboardInterrupt) as error:
        error.args = tuple(arg.replace(str(local), str(url)) if isinstance(arg, str) else arg for arg in error.args)
        if isinstance(error, FaultsError):
            error.faults = tuple(fault.replace(str(local), str(url)) for fault in error.faults)
        raise


@contextmanager
def _megabytes(progress: Progress, label: str, total: int) -> Iterator[Advance]:
    """Show bytes as megabytes, which is what a person reads."""
    with progress(total=total // 10**6, label=f"{label}, MB") as advance:
        done = 0

        def add(size: int) -> None:
            nonlocal done
            before, done = done, done + size
            advance(done // 10**6 - before // 10**6)

        yield add


def _store(url: Url) -> Store:
    from segdata.object_store import connect

    return connect(url)
