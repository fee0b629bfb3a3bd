"""Read checkpoints from a path here or a URL there."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import TypeVar

from segdata.errors import InvalidInputError, name_first
from segdata.parallel import Progress, silent
from segdata.store.access import reading
from segdata.store.transfer import object_size, objects
from segdata.store.url import Location, Url, parse_location
from segtrain.checkpoints.info import CheckpointInfo, read_info, read_side_file

_P = TypeVar("_P", Path, Url)

#: Checkpoints of a training, the one to use first. Other directories with several checkpoints leave the choice open.
_TRAINED = ("best.ckpt", "last.ckpt")

#: File that every training directory has, and no other.
_SETTINGS = "config.yaml"


def reading_checkpoint(
    location: Location, *, work_dir: Path | None = None, progress: Progress = silent
) -> AbstractContextManager[Path]:
    """Yield a local path of a checkpoint; one in a store is copied for the block, with its side file if it has one.

    As in the labs, the location may also be a directory or prefix; see `find_checkpoint`.

    Raises:
        InvalidInputError: when there is no checkpoint, or there are several.
        SegDataError: when the store cannot be reached or denies access.
    """
    place = find_checkpoint(location)
    return reading(place, beside=[Path(place.name).with_suffix(".json").name], work_dir=work_dir, progress=progress)


def reading_info(location: Location, *, work_dir: Path | None = None) -> CheckpointInfo:
    """Return the side file of the checkpoint at `location`; of one in a store, nothing else is copied.

    Raises:
        InvalidInputError: when there is no checkpoint, or its side file is missing, damaged or of a newer format.
        SegDataError: when the store cannot be reached or denies access.
    """
    place = find_checkpoint(location)
    if isinstance(place, Path):
        return read_info(place)
    with reading(place.parent / Path(place.name).with_suffix(".json").name, work_dir=work_dir) as side:
        return read_side_file(side.with_name(place.name))


def find_checkpoint(location: Location) -> Path | Url:
    """Return the checkpoint that `location` names: a file, or a directory or prefix with a training or one checkpoint.

    Of a training, this is the checkpoint of its best evaluation, or the last one if it was never evaluated. A path of
    which nothing exists is returned as it is.

    Raises:
        InvalidInputError: when there is no checkpoint in it, or there are several. The message says what is there.
        SegDataError: when the store cannot be reached or denies access.
    """
    place = parse_location(location)
    if isinstance(place, Path):
        return local_checkpoint(place)
    if object_size(place) is not None:
        return place
    return _only_checkpoint(place, sorted(name for name, _ in objects(place) if "/" not in name))


def local_checkpoint(path: Path) -> Path:
    """Return the checkpoint that a path names; see `find_checkpoint`."""
    return _only_checkpoint(path, sorted(each.name for each in path.iterdir())) if path.is_dir() else path


def _only_checkpoint(place: _P, names: list[str]) -> _P:
    found = [name for name in names if name.endswith(".ckpt") and not name.startswith(".")]
    trained = [name for name in _TRAINED if name in found and _SETTINGS in names]
    if trained or len(found) == 1:
        return place / (trained or found)[0]
    if found:
        raise InvalidInputError(
            f"{place}: contains {len(found)} checkpoints; expected one. Name one of them:\n{name_first(found)}"
        )
    if shown := [name for name in names if not name.startswith(".")]:
        raise InvalidInputError(f"{place}: contains no checkpoint (.ckpt); it contains:\n{name_first(shown)}")
    if isinstance(place, Path):
        raise InvalidInputError(f"{place}: contains no checkpoint (.ckpt); the directory is empty")
    raise InvalidInputError(f"{place}: no such checkpoint")
