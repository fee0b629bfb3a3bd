"""Object-store URLs: what they name, what is copied in, what is copied out.

Nothing reads or writes an object store in place: a record set, a checkpoint or a result is copied as whole files
between the store and a local working directory.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from segdata.errors import FaultsError, SegDataError, TargetExistsError, name_first
from segdata.files import resolve
from segdata.parallel import Advance, Progress, silent
from segdata.store.url import Url

if TYPE_CHECKING:
    from segdata.store.s3 import Store


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


def foreign_objects_error(url: Url, foreign: Sequence[str]) -> TargetExistsError:
    """Return the error for a prefix that holds objects which this work did not write."""
    return TargetExistsError(
        f"{url} holds objects that this work did not write and would lose:\n{name_first(foreign)}\n"
        "Move them away or choose another place.",
        replaceable=False,
    )


@contextmanager
def called_by_url(url: Url, local: Path) -> Iterator[None]:
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
    from segdata.store.s3 import connect

    return connect(url)
