"""Outputs of the programs, and their upload to an object store."""

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

#: Files of a training run (`segtrain.training.train_dir`); other files below its URL are left alone.
_CONFIG = "config.yaml"
_TRAINING = re.compile(r"config\.yaml|metrics\.jsonl|(last|best|[^/.][^/]*-\d+_\d+)\.(ckpt|json)")

#: File next to a training run that is not uploaded yet: the objects that were in the store when it started.
_SEEN = ".store.json"

#: Size and modification time of a file.
_Stamp = tuple[int, int]


@dataclass(frozen=True)
class _Output:
    """Output that is written locally and then uploaded.

    Attributes:
        url: target of the upload.
        local: local directory until the upload.
        old: objects below `url` that the output replaces.
        known: files in `local` that are copies of objects, with their stamps to detect changes.
        left: stamp of the configuration that an earlier program left in `local`.
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
    """Yield the directory to train in; its contents are uploaded after the block, however the block ends.

    Raises:
        TargetExistsError: when there already is a training run that is neither resumed nor replaced.
        SegDataError: when the store cannot be reached or denies access.
    """
    if isinstance(location, Path):
        yield location
        return
    if os.environ.get("MS_ROLE") == "MS_SCHED":
        # The scheduler process of msrun only connects the others: it does not train, and the block never returns.
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
    """Yield the directory for predictions; it is uploaded when the block succeeds.

    Raises:
        TargetExistsError: when there are results and `overwrite` is false, or there are foreign objects.
        SegDataError: when the store cannot be reached or denies access.
    """
    if isinstance(location, Path):
        yield location
        return
    output = _Output(location, local_place(location, work_dir), _old_results(location, overwrite), {})
    with called_by_url(location, output.local):
        yield output.local
    _copy_out(output, progress)


def resumed_config(location: Location, *, work_dir: Path | None = None) -> Config:
    """Return the settings of the training run at `location`.

    Raises:
        InvalidInputError: when there is no training run, or its settings cannot be read.
        SegDataError: when the store cannot be reached or denies access.
    """
    if isinstance(location, Path):
        return read_config(location / _CONFIG)
    left = _place(location, work_dir) / _CONFIG
    if left.is_file():
        return read_config(left)
    size = object_size(location / _CONFIG)
    if size is None:
        raise InvalidInputError(f"{location / _CONFIG}: no such object; there is no training run to resume")
    with fetched(location, {_CONFIG: size}) as copy, called_by_url(location, copy):
        return read_config(copy / _CONFIG)


def _begin(url: Url, local: Path, resume: bool, overwrite: bool, progress: Progress) -> _Output:
    """Check that a training run may start, or download the run to resume."""
    sizes = {name: size for name, size in objects(url) if _TRAINING.fullmatch(name)}
    # Files that could not be uploaded, or that a killed program left behind, are newer than the store.
    left = _stamp(local / _CONFIG)
    if (left or sizes) and not (resume or overwrite):
        what = (
            f"has a training run that was not uploaded, in {local}"
            if left
            else f"already holds a training run ({min(sizes)})"
        )
        raise TargetExistsError(f"{url} {what}. Resume it or choose another directory.", replaceable=True)
    seen = msgspec.json.encode(sizes, order="sorted")
    if resume and left and (local / _SEEN).exists() and (local / _SEEN).read_bytes() != seen:
        raise SegDataError(
            f"{local} holds a training run that was not uploaded, but {url} has changed since. Remove one of the two."
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
        # From here on, changes in the store come from this program.
        (output.local / _SEEN).unlink()
        _copy_out(output, progress)
    elif not output.left or not _is_main():
        shutil.rmtree(output.local, ignore_errors=True)


def _place(url: Url, work_dir: Path | None) -> Path:
    """Return the local directory of the training run; each of several processes has its own, which it removes."""
    if not launched():
        return local_place(url, work_dir)
    process = f"{os.environ.get('MS_ROLE', 'rank')}-{os.environ.get('RANK_ID', os.getpid())}".lower()
    return local_place(url, (work_dir or default_work_dir()) / process)


def _is_main() -> bool:
    """Return whether this process wrote the results; with several processes, only known once they are connected."""
    return not launched() or (current() != ALONE and current().is_main)


def _copy_out(output: _Output, progress: Progress) -> None:
    """Upload new files, then remove the objects they replace and the local copy."""
    names = files_below(output.local)
    changed = [name for name in names if output.known.get(name) != _stamp(output.local / name)]
    # As on disk: a reader must never find a checkpoint whose side file is still missing.
    checkpoints = [name for name in changed if name.endswith(".ckpt")]
    try:
        for group in ([name for name in changed if name not in checkpoints], checkpoints):
            upload(output.local, group, output.url, progress=progress)
        remove(output.url, set(output.old).difference(names))
    except SegDataError as error:
        raise SegDataError(f"{error}\nThe results are in {output.local}.") from error
    shutil.rmtree(output.local)


def _stamp(path: Path) -> _Stamp | None:
    return (path.stat().st_size, path.stat().st_mtime_ns) if path.exists() else None


def _old_results(url: Url, overwrite: bool) -> list[str]:
    """Return the objects below `url`; raise if results must not be written there."""
    from segtrain.inference.semantic.predict import RESULT_INDEX, RESULT_OVERLAY, RESULT_PALETTE

    names = sorted(name for name, _ in objects(url))
    if foreign := [
        name for name in names if name.partition("/")[0] not in (RESULT_INDEX, RESULT_PALETTE, RESULT_OVERLAY)
    ]:
        raise foreign_objects_error(url, foreign)
    if names and not overwrite:
        raise TargetExistsError(f"{url}: already exists", replaceable=True)
    return names
