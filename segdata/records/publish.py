"""Record sets written here and copied out to an object store.

A store has no rename, so a set is published file by file, its manifest last: what has no manifest is no record set.
Until then an object ``upload.json`` says whose the files are and which of them are there, so that a copying that was
interrupted is completed by the next one.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from segdata.errors import InvalidInputError, SegDataError, TargetExistsError
from segdata.parallel import Progress, silent
from segdata.records import convert
from segdata.records.manifest import MANIFEST, open_set, read_manifest
from segdata.store.transfer import called_by_url, fetched, foreign_objects_error, objects, remove, upload
from segdata.store.url import Location, Url, local_place

_T = TypeVar("_T")

UPLOAD = "upload.json"

#: Files that are copied out between two notes of what is there.
_GROUP = 8


@dataclass(frozen=True)
class _Upload:
    """The note about a copying that is under way.

    Attributes:
        manifest: SHA-256 of the manifest of the set that is copied.
        files: names of all objects that may lie there: of this set, and of what it replaces.
        done: those of this set that are there.
    """

    format: Literal["segdata upload"]
    manifest: str
    files: tuple[str, ...]
    done: tuple[str, ...]


@dataclass(frozen=True)
class _Prefix:
    """What lies below a prefix that a set is to be published at: objects of ours only."""

    sizes: dict[str, int]
    upload: _Upload | None


def write_location(
    source: convert.Source[_T],
    dst_path: Location,
    *,
    work_dir: Path | None = None,
    overwrite: bool = False,
    dry_run: bool = False,
    progress: Progress = silent,
    **options: Any,
) -> convert.ConvertReport:
    """Write a record set as `segdata.records.convert.to_mindrecord` does, to a directory or to an object store.

    For a store the set is written to the working directory, copied out with its manifest last, and removed there.

    Args:
        source: see there, as for all other options.
        dst_path: the set's directory or URL.
        work_dir: where the set lies before it is copied.
        overwrite: replace a record set that lies at `dst_path`.
        dry_run: check everything, write nothing.
        progress: shows how far it is.

    Raises:
        SegDataError: as there; and when the store cannot be reached or refuses. A set that is written stays in the
            working directory then.
        TargetExistsError: when `dst_path` is taken.
    """
    if isinstance(dst_path, Path):
        return convert.to_mindrecord(
            source, dst_path, overwrite=overwrite, dry_run=dry_run, progress=progress, **options
        )
    _look(dst_path, overwrite=overwrite)
    local = local_place(dst_path, work_dir)
    # What lies there is of a run that could not copy it out.
    report = convert.to_mindrecord(source, local, overwrite=True, dry_run=dry_run, progress=progress, **options)
    if not dry_run:
        try:
            publish(local, dst_path, overwrite=overwrite, progress=progress)
        except SegDataError as error:
            raise SegDataError(
                f"{error}; the set is whole in {local}, and the same command copies out what is missing"
            ) from error
        shutil.rmtree(local)
    return replace(report, target=str(dst_path))


def publish(directory: Path, url: Url, *, overwrite: bool = False, progress: Progress = silent) -> None:
    """Copy the record set in `directory` to `url`, its manifest last; what an interrupted copying left is kept.

    Raises:
        TargetExistsError: when a set lies there and `overwrite` is false, or foreign objects do.
        SegDataError: when the store cannot be reached or refuses.
    """
    manifest = open_set(directory).manifest
    digest = hashlib.sha256((directory / MANIFEST).read_bytes()).hexdigest()
    there = _look(url, overwrite=overwrite)
    shards = [name for name in manifest.files if name != MANIFEST]
    done: set[str] = set()
    if there.upload and there.upload.manifest == digest:
        done = {name for name in there.upload.done if there.sizes.get(name) == (directory / name).stat().st_size}
    note = _Upload("segdata upload", digest, tuple(sorted({*manifest.files, *there.sizes})), tuple(sorted(done)))
    _write_note(url, note)
    # From here on until the end nobody finds a set, neither the old one nor the new one.
    remove(url, [name for name in there.sizes if name == MANIFEST])
    remove(url, [name for name in there.sizes if name not in (*shards, MANIFEST, UPLOAD)])
    missing = [name for name in shards if name not in done]
    for group in (missing[start : start + _GROUP] for start in range(0, len(missing), _GROUP)):
        upload(directory, group, url, progress=progress)
        done.update(group)
        _write_note(url, replace(note, done=tuple(sorted(done))))
    upload(directory, [MANIFEST], url)
    remove(url, [UPLOAD])


def _look(url: Url, *, overwrite: bool) -> _Prefix:
    """Return what lies below `url`, if a set may be published there."""
    if not url.key:
        raise InvalidInputError(f"{url}: names a bucket; a record set needs a name in it, such as {url}/train")
    sizes = dict(objects(url))
    with fetched(url, {name: sizes[name] for name in (MANIFEST, UPLOAD) if name in sizes}) as found:
        note = _read_note(found / UPLOAD)
        ours = {*(note.files if note else ()), *([UPLOAD] if note else ())}
        if MANIFEST in sizes:
            with called_by_url(url, found):
                ours.update(read_manifest(found / MANIFEST).files)
    if foreign := sorted(set(sizes) - ours):
        raise foreign_objects_error(url, foreign)
    if MANIFEST in sizes and not overwrite:
        raise TargetExistsError(f"{url} exists already", replaceable=True)
    return _Prefix(sizes, note)


def _read_note(path: Path) -> _Upload | None:
    """Return the note, None where there is none or a file of another kind has its name."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Upload)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def _write_note(url: Url, note: _Upload) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        (Path(temporary) / UPLOAD).write_bytes(msgspec.json.encode(note))
        upload(Path(temporary), [UPLOAD], url)
