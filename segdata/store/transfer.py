"""Copy files between an object store and a local working directory.

Nothing reads or writes an object store in place: record sets, checkpoints and results are copied as complete files.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from segdata.errors import Fault, FaultsError, SegDataError, name_first
from segdata.files.paths import resolve
from segdata.parallel import Progress, silent
from segdata.store.url import Url
from segdata.text import plural
from segdata.worker import Advance

if TYPE_CHECKING:
    from segdata.store.s3 import Store

#: What helps against a copy that is not what its list says.
COPY_AGAIN = "Run the command again when nothing writes there; if it fails again, write the files again"


def objects(url: Url) -> Iterator[tuple[str, int]]:
    """Yield the name, relative to `url`, and the size in bytes of each object below it, page by page from the store.

    Raises:
        SegDataError: when the store cannot be reached or rejects the request. All functions below raise it too.
    """
    return _store(url).objects(url)


def object_size(url: Url) -> int | None:
    """Return the size of the object at `url` in bytes; None if it does not exist."""
    return _store(url).size(url)


def fetch(url: Url, sizes: Mapping[str, int], directory: Path, *, progress: Progress = silent) -> None:
    """Copy the objects ``url / name`` to ``directory / name``.

    Args:
        url: prefix of all names.
        sizes: expected size in bytes of each name.
        directory: directory to write to; after a failure, partial results remain there.
        progress: reports progress in megabytes.

    Raises:
        SegDataError: when the files do not fit on the disk, or the size of an object has changed.
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
            f"{url}: wrong size of {plural(len(wrong), 'object')}; damaged or being replaced right now. "
            f"{COPY_AGAIN}:\n{name_first(wrong)}"
        )


@contextmanager
def fetched(
    url: Url, sizes: Mapping[str, int], work_dir: Path | None = None, *, progress: Progress = silent
) -> Iterator[Path]:
    """Yield a directory, named like `url`, with copies of some objects; it is removed after the block.

    See `fetch`. The directory is created in `work_dir`, by default in the system's directory for temporary files.
    Errors of the block name its files by their URLs.
    """
    if work_dir:
        work_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="segdata-", dir=work_dir) as temporary:
        directory = Path(temporary) / url.name
        directory.mkdir()
        fetch(url, sizes, directory, progress=progress)
        with called_by_url(url, directory):
            yield directory


def upload(directory: Path, names: Sequence[str], url: Url, *, progress: Progress = silent) -> None:
    """Copy the files ``directory / name`` to ``url / name``; readers see each file old or new, never partial."""
    if not names:
        return
    sources = {name: directory / name for name in names}
    total = sum(path.stat().st_size for path in sources.values())
    with _megabytes(progress, f"upload {url.name}", total) as advance:
        _store(url).put(sources, url, advance)


def remove(url: Url, names: Collection[str]) -> None:
    """Remove the objects ``url / name``; missing ones are ignored."""
    if names:
        _store(url).remove(url, sorted(names))


def check_space(directory: Path, size: int) -> None:
    """Check that `size` bytes fit on the disk.

    Raises:
        SegDataError: when fewer bytes are free on the disk of `directory`, which need not exist yet.
    """
    there = next(path for path in (directory, *directory.absolute().parents) if path.exists())
    free = shutil.disk_usage(there).free
    if size > free:
        raise SegDataError(
            f"{directory}: {size / 1e6:.1f} MB do not fit; {free / 1e6:.1f} MB are free. Choose another working "
            "directory (--work_dir, SEGDATA_WORK_DIR)."
        )


@contextmanager
def called_by_url(url: Url, local: Path) -> Iterator[None]:
    """Name the files of a copy by their URLs in the errors of the block.

    Code that reads files names them by their paths, but a copy that does not outlive the block cannot be found there,
    and the directory has a name that nobody else has. Therefore this is the one place where a message is changed.
    """

    def named(text: str) -> str:
        return text.replace(str(local), str(url))

    try:
        yield
    except (SegDataError, KeyboardInterrupt) as error:
        error.args = tuple(named(arg) if isinstance(arg, str) else arg for arg in error.args)
        if isinstance(error, FaultsError):
            error.what = named(error.what)
            error.faults = tuple(
                replace(each, where=named(each.where), what=named(each.what))
                if isinstance(each, Fault)
                else named(each)
                for each in error.faults
            )
        raise


@contextmanager
def _megabytes(progress: Progress, label: str, total: int) -> Iterator[Advance]:
    """Report progress of bytes in megabytes."""
    with progress(total=total // 10**6, label=f"{label}, MB") as advance:
        done = 0

        def add(size: int) -> None:
            nonlocal done
            before, done = done, done + size
            advance(done // 10**6 - before // 10**6)

        yield add


def _store(url: Url) -> Store:
    from segdata.store.s3 import connect

    return connect(url)
