"""What the programs write, and its way out to an object store."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from segdata.errors import InvalidInputError, SegDataError, TargetExistsError
from segdata.parallel import Progress
from segdata.store.transfer import (
    called_by_url,
    fetched,
    files_below,
    foreign_objects_error,
    object_size,
    objects,
    remove,
    upload,
)
from segdata.store.url import Location, Url, default_work_dir, local_place
from segtrain.config.config import Config
from segtrain.config.recipes import read_config
from segtrain.distributed.ranks import ALONE, current, launched

#: Files of a training (`segtrain.training.train_dir`); others below its URL are left alone.
_CONFIG = "config.yaml"
_TRAINING = re.compile(r"config\.yaml|metrics\.jsonl|(last|best|[^/.][^/]*-\d+_\d+)\.(ckpt|json)")

#: Beside a training that is not copied out yet: what the store held when it began.
_SEEN = ".store.json"

#: Size and time of a file.
_Stamp = tuple[int, int]


@dataclass(frozen=True)
class _Output:
    """What is written here to be copied out.

    Attributes:
        url: where to.
        local: where it lies until then.
        old: objects below `url` that it replaces.
        known: files of `local` that are copies of objects, with what tells whether they changed.
        left: the same of the configuration that an earlier program has left in `local`.
    """

    url: Url
    local: Path
    old: list[str]
    known: dict[str, _Stamp | None]
    left: _Stamp | None = None


@contextmanager
def training_directory(
    location: Location, *, resume: bool, overwrite: bool, work_dir: Path | None, progress: Progress
) -> Iterator[Path]:
    """Yield the directory to train in; what is in it after the block is copied out, however the block ends.

    Raises:
        TargetExistsError: when there is a training, and it is neither resumed nor replaced.
        SegDataError: when the store cannot be reached or refuses.
    """
    if isinstance(location, Path):
        yield location
        return
    if os.environ.get("MS_ROLE") == "MS_SCHED":
        # The process of msrun that only lets the others meet trains nothing, and does not come back from that.
        yield _place(location, work_dir)
        return
    output = _begin(location, _place(location, work_dir), resume, overwrite, progress)
    try:
        with called_by_url(location, output.local):
            yield output.local
    except BaseException as error:
        try:
            _copy_out_training(output, progress)
        except SegDataError as failure:
            raise SegDataError(f"{error}\n{failure}") from error
        raise
    _copy_out_training(output, progress)


@contextmanager
def results_directory(
    location: Location, *, overwrite: bool, work_dir: Path | None, progress: Progress
) -> Iterator[Path]:
    """Yield the directory for predictions; it is copied out when the block succeeds.

    Raises:
        TargetExistsError: when there are results and `overwrite` is false, or foreign objects.
        SegDataError: when the store cannot be reached or refuses.
    """
    if isinstance(location, Path):
        yield location
        return
    output = _Output(location, local_place(location, work_dir), _old_results(location, overwrite), {})
    with called_by_url(location, output.local):
        yield output.local
    _copy_out(output, progress)


def resumed_config(location: Location, *, work_dir: Path | None = None) -> Config:
    """Return the settings of the training that lies at `location`.

    Raises:
        InvalidInputError: when there is no training, or its settings cannot be read.
        SegDataError: when the store cannot be reached or refuses.
    """
    if isinstance(location, Path):
        return read_config(location / _CONFIG)
    left = _place(location, work_dir) / _CONFIG
    if left.is_file():
        return read_config(left)
    size = object_size(location / _CONFIG)
    if size is None:
        raise InvalidInputError(f"{location / _CONFIG}: no such object; there is no training to resume")
    with fetched(location, {_CONFIG: size}) as copy, called_by_url(location, copy):
        return read_config(copy / _CONFIG)


def _begin(url: Url, local: Path, resume: bool, overwrite: bool, progress: Progress) -> _Output:
    """Check that a training may begin, or bring in the one that goes on."""
    sizes = {name: size for name, size in objects(url) if _TRAINING.fullmatch(name)}
    # What could not be copied out, or was left by a killed program, is ahead of the store.
    left = _stamp(local / _CONFIG)
    if (left or sizes) and not (resume or overwrite):
        what = f"that was not copied out, in {local}" if left else f"already ({min(sizes)})"
        raise TargetExistsError(
            f"{url} holds a training {what}: resume it or choose another directory", replaceable=True
        )
    seen = msgspec.json.encode(sizes, order="sorted")
    if resume and left and (local / _SEEN).exists() and (local / _SEEN).read_bytes() != seen:
        raise SegDataError(
            f"{local} holds a training that was not copied out, but {url} has changed since: remove one of the two"
        )
    known: dict[str, _Stamp | None] = {}
    if resume and not left and sizes:
        with fetched(url, sizes, local.parent, progress=progress) as copy:
            shutil.rmtree(local, ignore_errors=True)
            copy.replace(local)
        known = {name: _stamp(local / name) for name in sizes}
    local.mkdir(parents=True, exist_ok=True)
    (local / _SEEN).write_bytes(seen)
    return _Output(url, local, sorted(sizes), known, left)


def _copy_out_training(output: _Output, progress: Progress) -> None:
    config = _stamp(output.local / _CONFIG)
    begun = config not in (None, output.left, output.known.get(_CONFIG))
    if begun and _is_main():
        # From here on a difference is of our own making.
        (output.local / _SEEN).unlink()
        _copy_out(output, progress)
    elif not output.left or not _is_main():
        shutil.rmtree(output.local, ignore_errors=True)


def _place(url: Url, work_dir: Path | None) -> Path:
    """Return where the training lies here: each of several processes has a place of its own, which it removes."""
    if not launched():
        return local_place(url, work_dir)
    process = f"{os.environ.get('MS_ROLE', 'rank')}-{os.environ.get('RANK_ID', os.getpid())}".lower()
    return local_place(url, (work_dir or default_work_dir()) / process)


def _is_main() -> bool:
    """Return whether this process has written the results. One of several knows when it has met the others."""
    return not launched() or (current() != ALONE and current().is_main)


def _copy_out(output: _Output, progress: Progress) -> None:
    """Copy out what is new; remove what it replaces in the store, and what lies here."""
    names = files_below(output.local)
    changed = [name for name in names if output.known.get(name) != _stamp(output.local / name)]
    # As here: nobody shall find a checkpoint whose side file is still to come.
    checkpoints = [name for name in changed if name.endswith(".ckpt")]
    try:
        for group in ([name for name in changed if name not in checkpoints], checkpoints):
            upload(output.local, group, output.url, progress=progress)
        remove(output.url, set(output.old).difference(names))
    except SegDataError as error:
        raise SegDataError(f"{error}; the results lie in {output.local}") from error
    shutil.rmtree(output.local)


def _stamp(path: Path) -> _Stamp | None:
    return (path.stat().st_size, path.stat().st_mtime_ns) if path.exists() else None


def _old_results(url: Url, overwrite: bool) -> list[str]:
    """Return what lies below `url`, if results may be written there."""
    from segtrain.inference.semantic.predict import INDEX_DIR, OVERLAY_DIR, PALETTE_DIR

    names = sorted(name for name, _ in objects(url))
    if foreign := [name for name in names if name.partition("/")[0] not in (INDEX_DIR, PALETTE_DIR, OVERLAY_DIR)]:
        raise foreign_objects_error(url, foreign)
    if names and not overwrite:
        raise TargetExistsError(f"{url} exists already", replaceable=True)
    return names
