"""Directory of a training run in an object store: what training there needs besides uploading its files.

A training run may continue an earlier one, its files are uploaded however it ends, and several processes may train
together, of which one uploads.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import msgspec

from segdata.errors import SegDataError, TargetExistsError
from segdata.parallel import Progress
from segdata.store.access import reading
from segdata.store.publishing import find_published, publish
from segdata.store.transfer import called_by_url, fetched
from segdata.store.url import Location, Url, default_work_dir, local_place, parse_location
from segtrain.config.config import Config
from segtrain.config.recipes import read_config
from segtrain.distributed.ranks import ALONE, current, launched
from segtrain.training.train_dir import CONFIG, TRAINING

#: File next to a training run that is not uploaded yet: the objects that were in the store when it started.
_SEEN = ".store.json"

#: Size and modification time of a file.
_Stamp = tuple[int, int]


@contextmanager
def training_directory(
    location: Location, *, resume: bool, overwrite: bool, work_dir: Path | None, progress: Progress
) -> Iterator[Path]:
    """Yield the directory to train in; its contents are uploaded after the block, however the block ends.

    Raises:
        TargetExistsError: when there already is a training run that is neither resumed nor replaced.
        SegDataError: when the store cannot be reached or denies access.
    """
    place = parse_location(location)
    if isinstance(place, Path):
        yield place
        return
    local = _place(place, work_dir)
    if os.environ.get("MS_ROLE") == "MS_SCHED":
        # The scheduler process of msrun only connects the others: it does not train, and the block never returns.
        yield local
        return
    copies = _bring_in(place, local, resume, overwrite, progress)
    config = _stamp(local / CONFIG)
    end = partial(_end, place, local, copies, config, progress)
    try:
        with called_by_url(place, local):
            yield local
    except BaseException as error:
        try:
            end()
        except SegDataError as failure:
            raise SegDataError(f"{error}\n{failure}") from error
        raise
    end()


def resumed_config(location: Location, *, work_dir: Path | None = None) -> Config:
    """Return the settings of the training run at `location`.

    Raises:
        InvalidInputError: when there is no training run, or its settings cannot be read.
        SegDataError: when the store cannot be reached or denies access.
    """
    place = parse_location(location)
    if isinstance(place, Url) and (left := _place(place, work_dir) / CONFIG).is_file():
        return read_config(left)
    with reading(place / CONFIG, work_dir=work_dir) as path:
        return read_config(path)


def _bring_in(url: Url, local: Path, resume: bool, overwrite: bool, progress: Progress) -> dict[str, _Stamp | None]:
    """Check that a training run may start, and return the stamps of files that were downloaded to resume one."""
    there = find_published(url, TRAINING)
    # Files that could not be uploaded, or that a killed program left behind, are newer than the store.
    left = _stamp(local / CONFIG)
    # Without a checkpoint, nothing is lost; those of an upload in progress may be the files that are still to come.
    waiting = left and any(local.glob("*.ckpt"))
    held = [name for name in there.sizes if name.endswith(".ckpt") or there.upload]
    if (waiting or held) and not (resume or overwrite):
        what = (
            f"has a training run that was not uploaded, in {local}"
            if waiting
            else f"already contains a training run ({min(held)})"
        )
        raise TargetExistsError(
            f"{url}: {what}. Continue it with --resume, or choose another directory.", replaceable=True
        )
    seen = msgspec.json.encode(there.sizes, order="sorted")
    copies: dict[str, _Stamp | None] = {}
    if resume and left and not there.upload and (local / _SEEN).exists() and (local / _SEEN).read_bytes() != seen:
        raise SegDataError(
            f"{local}: contains a training run that was not uploaded, but {url} has changed since. Remove one of the "
            "two."
        )
    if resume and not left and there.upload:
        raise SegDataError(
            f"{url}: the upload of a training run is in progress or was interrupted; expected a complete one. Resume "
            "it with the working directory that has the rest of it (--work_dir), or replace it with --overwrite."
        )
    if resume and not left and there.sizes:
        with fetched(url, there.sizes, local.parent, progress=progress) as copy:
            shutil.rmtree(local, ignore_errors=True)
            copy.replace(local)
        copies = {name: _stamp(local / name) for name in there.sizes}
    local.mkdir(parents=True, exist_ok=True)
    (local / _SEEN).write_bytes(seen)
    return copies


def _end(url: Url, local: Path, copies: Mapping[str, _Stamp | None], config: _Stamp | None, progress: Progress) -> None:
    """Upload the files if this process has trained, and remove them; keep those that an earlier program left.

    `config` is the stamp of the settings before training began, which writes them again.
    """
    main = _is_main()
    if main and _stamp(local / CONFIG) not in (None, config):
        unchanged = [name for name, stamp in copies.items() if stamp == _stamp(local / name)]
        try:
            publish(local, url, TRAINING, overwrite=True, unchanged=unchanged, progress=progress)
        except SegDataError as error:
            raise SegDataError(
                f"{error}\nThe results are in {local}. Run the same command with --resume to complete the upload."
            ) from error
    elif main and config and not copies:
        return
    shutil.rmtree(local, ignore_errors=True)


def _place(url: Url, work_dir: Path | None) -> Path:
    """Return the local directory of the training run; each of several processes has its own, which it removes."""
    if not launched():
        return local_place(url, work_dir)
    process = f"{os.environ.get('MS_ROLE', 'rank')}-{os.environ.get('RANK_ID', os.getpid())}".lower()
    return local_place(url, (work_dir or default_work_dir()) / process)


def _is_main() -> bool:
    """Return whether this process wrote the results; with several processes, only known once they are connected."""
    return not launched() or (current() != ALONE and current().is_main)


def _stamp(path: Path) -> _Stamp | None:
    return (path.stat().st_size, path.stat().st_mtime_ns) if path.exists() else None
