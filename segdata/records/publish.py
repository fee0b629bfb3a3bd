"""Record sets in an object store: write them here and upload them.

A store has no rename, so a set is published file by file, its manifest last: files without a manifest are not a record
set. Until then an object ``upload.json`` records which set the files belong to and which of them are uploaded, so that
the next run completes an interrupted upload.
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

#: Files to upload between two updates of ``upload.json``.
_GROUP = 8


@dataclass(frozen=True)
class _Upload:
    """Content of ``upload.json``: the state of an upload in progress.

    Attributes:
        manifest: SHA-256 of the manifest of the set being uploaded.
        files: names of all objects that may exist at the target: those of this set and of the set it replaces.
        done: names of the uploaded files of this set.
    """

    format: Literal["segdata upload"]
    manifest: str
    files: tuple[str, ...]
    done: tuple[str, ...]


@dataclass(frozen=True)
class _Prefix:
    """Objects below the prefix where a set is to be published, all of them written by this program."""

    sizes: dict[str, int]
    upload: _Upload | None


def write_location(
    dataset: convert.Convertible[_T],
    dst_path: Location,
    *,
    work_dir: Path | None = None,
    overwrite: bool = False,
    dry_run: bool = False,
    progress: Progress = silent,
    **options: Any,
) -> convert.ConvertReport:
    """Write a record set with `segdata.records.convert.to_mindrecord`, to a directory or to an object store.

    For a store, write the set to the working directory, upload it with its manifest last, then remove the local copy.

    Args:
        dataset: see `to_mindrecord`, which also describes the other options.
        dst_path: the set's directory or URL.
        work_dir: working directory for the set before the upload.
        overwrite: replace an existing record set at `dst_path`.
        dry_run: check everything, write nothing.
        progress: reports progress.

    Raises:
        SegDataError: see `to_mindrecord`; also when the store cannot be reached or denies access. The finished set then
            stays in the working directory.
        TargetExistsError: when `dst_path` already exists.
    """
    if isinstance(dst_path, Path):
        return convert.to_mindrecord(
            dataset, dst_path, overwrite=overwrite, dry_run=dry_run, progress=progress, **options
        )
    _look(dst_path, overwrite=overwrite)
    local = local_place(dst_path, work_dir)
    # An existing set was left by a run that could not upload it.
    report = convert.to_mindrecord(dataset, local, overwrite=True, dry_run=dry_run, progress=progress, **options)
    if not dry_run:
        try:
            publish(local, dst_path, overwrite=overwrite, progress=progress)
        except SegDataError as error:
            raise SegDataError(
                f"{error}\nThe complete set is in {local}. Run the same command again to upload the missing files."
            ) from error
        shutil.rmtree(local)
    return replace(report, target=str(dst_path))


def publish(directory: Path, url: Url, *, overwrite: bool = False, progress: Progress = silent) -> None:
    """Upload the record set in `directory` to `url`, its manifest last; keep the files of an interrupted upload.

    Raises:
        TargetExistsError: when a set already exists at `url` and `overwrite` is false, or `url` has foreign objects.
        SegDataError: when the store cannot be reached or denies access.
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
    # From here to the end, readers find neither the old set nor the new one.
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
    """Return the objects below `url`; raise if a set must not be published there."""
    if not url.key:
        raise InvalidInputError(f"{url}: names only a bucket; expected a prefix in it, such as {url}/train")
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
        raise TargetExistsError(f"{url}: already exists", replaceable=True)
    return _Prefix(sizes, note)


def _read_note(path: Path) -> _Upload | None:
    """Return the content of ``upload.json``; ``None`` if the file is missing or is not an upload state."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Upload)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def _write_note(url: Url, note: _Upload) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        (Path(temporary) / UPLOAD).write_bytes(msgspec.json.encode(note))
        upload(Path(temporary), [UPLOAD], url)
