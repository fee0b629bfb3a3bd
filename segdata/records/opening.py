"""Open any record set, with or without a manifest, here or in an object store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from segdata.errors import OptionError
from segdata.parallel import Progress, silent
from segdata.records.fetch import local_set
from segdata.records.foreign import ForeignSet, is_foreign, open_foreign
from segdata.records.manifest import MANIFEST
from segdata.records.reader import RecordSet, open_set
from segdata.store.access import reading
from segdata.store.transfer import object_size
from segdata.store.url import Location, Url, parse_location


@contextmanager
def opened_rows(
    location: Location,
    *,
    image_field: str | None = None,
    label_field: str | None = None,
    work_dir: Path | None = None,
    progress: Progress = silent,
) -> Iterator[RecordSet | ForeignSet]:
    """Yield the set at `location`; one in a store is copied for the block, or taken from an earlier copy.

    Args:
        location: directory, manifest or any file of a set, as a path or a URL.
        image_field: see `open_foreign`.
        label_field: see `open_foreign`.
        work_dir: directory for the copy; by default ``~/.cache/segdata``.
        progress: reports the progress of the copy.

    Raises:
        InvalidInputError: when there is no set, or it is damaged.
        OptionError: when a field is told of a set with a manifest, which describes its fields.
        SegDataError: when the store cannot be reached or denies access, or the disk is too small.
    """
    with found_set(location, work_dir=work_dir, progress=progress) as path:
        if is_foreign(path):
            yield open_foreign(path, image_field=image_field, label_field=label_field)
            return
        found = open_set(path)
        if image_field or label_field:
            raise OptionError(
                f"{location}: has a manifest, which describes its fields; omit --image_field, --label_field"
            )
        yield found


@contextmanager
def found_set(location: Location, *, work_dir: Path | None = None, progress: Progress = silent) -> Iterator[Path]:
    """Yield the path of a set, or of its copy; see `opened_rows`."""
    place = parse_location(location)
    if isinstance(place, Path) or _has_manifest(place):
        yield local_set(place, work_dir=work_dir, progress=progress)
        return
    # Without a manifest, only the header of a shard names the others: all files of its folder are copied.
    single = object_size(place) is not None
    folder = place.parent if single else place
    with reading(folder, lambda name: "/" not in name, work_dir=work_dir, progress=progress) as copy:
        yield copy / place.name if single else copy


def _has_manifest(url: Url) -> bool:
    folders = [url, url.parent] if url.key else [url]
    return url.name == MANIFEST or any(object_size(folder / MANIFEST) is not None for folder in folders)
