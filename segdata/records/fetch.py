"""Record sets in an object store: download them and read them here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from segdata.arguments import FilePath, local_path
from segdata.errors import InvalidInputError, SegDataError, name_first
from segdata.files.locks import locked
from segdata.files.paths import file_digest
from segdata.files.publishing import staged_directory
from segdata.parallel import Progress, default_workers, ordered_map, silent
from segdata.records.manifest import MANIFEST, Manifest
from segdata.records.reader import open_set
from segdata.store.publishing import UPLOAD
from segdata.store.transfer import COPY_AGAIN, fetch, fetched, object_size
from segdata.store.url import Location, Url, default_work_dir, parse_location
from segdata.text import plural


@dataclass(frozen=True)
class _Found:
    """A set in a store: its prefix and its manifest, identified by length and SHA-256."""

    url: Url
    manifest: Manifest
    manifest_bytes: int
    digest: str

    @property
    def files(self) -> dict[str, tuple[int, str]]:
        """Size in bytes and SHA-256 of all files of the set, by name."""
        shards = {name: (size, digest) for shard in self.manifest.shards for name, size, digest in shard.files}
        return {MANIFEST: (self.manifest_bytes, self.digest), **shards}


def find_set(location: Location) -> tuple[Path | Url, Manifest]:
    """Return the directory or prefix, and the manifest, of the set at `location`.

    Args:
        location: the set's directory, manifest or any single shard, as a path or a URL.

    Raises:
        InvalidInputError: when there is no set, or its manifest is damaged or has a newer format.
        SegDataError: when the store cannot be reached or denies access.
    """
    place = parse_location(location)
    if isinstance(place, Path):
        records = open_set(place)
        return records.directory, records.manifest
    found = _find(place)
    return found.url, found.manifest


def local_set(location: Location, *, work_dir: FilePath | None = None, progress: Progress = silent) -> Path:
    """Return a local path of the set at `location`; one in a store is downloaded unless a copy exists.

    The working directory keeps the copy under the digest of the set's manifest, so the copy never has to change and
    programs that run at the same time share it.

    Args:
        location: the set's directory, manifest or any single shard, as a path or a URL.
        work_dir: directory for the copy; by default ``~/.cache/segdata``.
        progress: reports progress in megabytes.

    Example:
        >>> records = open_set(local_set("s3://bucket/records/train"))

    Raises:
        InvalidInputError: when there is no set, or its manifest cannot be read.
        SegDataError: when the store cannot be reached or denies access, the disk is too small, or the copy does not
            match the manifest.
    """
    work_dir = local_path(work_dir)
    place = parse_location(location)
    if isinstance(place, Path):
        return place
    found = _find(place)
    copy = (work_dir or default_work_dir()) / "records" / f"{found.manifest.name}-{found.digest[:16]}"
    copy.parent.mkdir(parents=True, exist_ok=True)
    # One process downloads while the others wait and reuse its copy: all ranks of a run open the same set.
    with locked(copy.with_name(f".{copy.name}.lock"), copy, wait=True):
        if not _is_whole(copy, found):
            old = [path.name for path in copy.iterdir()] if copy.is_dir() else []
            with staged_directory(copy, overwrite=True, ours=old) as staging:
                sizes = {name: size for name, (size, _) in found.files.items()}
                fetch(found.url, sizes, staging, progress=progress)
                _check_digests(staging, found)
    return copy


def _find(url: Url) -> _Found:
    """Return the set that `url` names: its prefix, its manifest or any single shard."""
    beside = [url.parent] if url.key else []
    for base in beside if url.name == MANIFEST else [url, *beside]:
        size = object_size(base / MANIFEST)
        if size is not None:
            break
    else:
        if object_size(url / UPLOAD) is not None:
            raise InvalidInputError(
                f"{url}: the upload of a record set is in progress or was interrupted. "
                "If it was interrupted, run the same command again to complete it."
            )
        raise InvalidInputError(
            f"{url}: no record set; expected {url / MANIFEST}. Name a set written by segdata to-mindrecord."
        )
    with fetched(base, {MANIFEST: size}) as directory:
        manifest = open_set(directory).manifest
        digest = file_digest(directory / MANIFEST)
    if base != url and url.name not in manifest.files:
        raise InvalidInputError(f"{url}: not a file of the record set in {base}")
    return _Found(base, manifest, size, digest)


def _is_whole(copy: Path, found: _Found) -> bool:
    files = {copy / name: size for name, (size, _) in found.files.items()}
    return all(path.is_file() and path.stat().st_size == size for path, size in files.items())


def _check_digests(directory: Path, found: _Found) -> None:
    read = ordered_map(file_digest, [directory / name for name in found.files], workers=default_workers())
    wrong = [name for (name, (_, digest)), here in zip(found.files.items(), read, strict=True) if here != digest]
    if wrong:
        raise SegDataError(
            f"{found.url}: SHA-256 differs from the manifest in {plural(len(wrong), 'file')}; "
            f"damaged or being replaced right now. {COPY_AGAIN}:\n{name_first(wrong)}"
        )
