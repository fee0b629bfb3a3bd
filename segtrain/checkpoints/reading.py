"""Read checkpoints from a path here or a URL there."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from segdata.errors import InvalidInputError, name_first
from segdata.parallel import Progress, silent
from segdata.store.access import reading
from segdata.store.transfer import object_size, objects
from segdata.store.url import Location, Url, parse_location


def reading_checkpoint(
    location: Location, *, work_dir: Path | None = None, progress: Progress = silent
) -> AbstractContextManager[Path]:
    """Yield a local path of a checkpoint; one in a store is copied for the block, with its side file if it has one.

    As in the labs, a URL may also be the prefix of a single checkpoint.

    Raises:
        InvalidInputError: when there is no checkpoint, or there are several.
        SegDataError: when the store cannot be reached or denies access.
    """
    place = parse_location(location)
    if isinstance(place, Url) and object_size(place) is None:
        place = _only_checkpoint(place)
    return reading(place, beside=[Path(place.name).with_suffix(".json").name], work_dir=work_dir, progress=progress)


def _only_checkpoint(url: Url) -> Url:
    found = sorted(name for name, _ in objects(url) if name.endswith(".ckpt") and "/" not in name)
    if not found:
        raise InvalidInputError(f"{url}: no such checkpoint")
    if len(found) > 1:
        raise InvalidInputError(
            f"{url}: contains {len(found)} checkpoints; expected one. Name one of them:\n{name_first(found)}"
        )
    return url / found[0]
