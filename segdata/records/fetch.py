"""Record sets in an object store: download them and read them here."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from segdata.errors import InvalidInputError, SegDataError, name_first
from segdata.files import staged_directory
from segdata.parallel import Progress, default_workers, ordered_map, silent
from segdata.records import verify as verification
from segdata.records.manifest import INDEX_SUFFIX, MANIFEST, Manifest, open_set
from segdata.records.publish import UPLOAD
from segdata.records.verify import VerifyReport
from segdata.records.writer import file_digest
from segdata.store.transfer import called_by_url, fetch, fetched, object_size, objects
from segdata.store.url import Location, Url, default_work_dir
from segdata.text import plural


@dataclass(frozen=True)
class _Found:
    """A set in a store: its prefix and its manifest, identified by length and SHA-256."""

    url: Url
    manifest: Manifest
    manifest_bytes: int
    digest: str

    @property
    def sizes(self) -> dict[str, int]:
        """Sizes in bytes of all files of the set, by name."""
        sizes = {shard.file: shard.bytes for shard in self.manifest.shards}
        sizes |= {shard.file + INDEX_SUFFIX: shard.index_bytes for shard in self.manifest.shards}
        return sizes | {MANIFEST: self.manifest_bytes}

    @property
    def digests(self) -> dict[str, str]:
        """SHA-256 of all files of the set, by name."""
        digests = {shard.file: shard.sha256 for shard in self.manifest.shards}
        digests |= {shard.file + INDEX_SUFFIX: shard.index_sha256 for shard in self.manifest.shards}
        return digests | {MANIFEST: self.digest}


def open_manifest(location: Location) -> Manifest:
    """Return the manifest of the set at `location`: a directory, manifest or any single shard, as a path or a URL.

    Raises:
        InvalidInputError: when there is no set, or its manifest is damaged or has a newer format.
        SegDataError: when the store cannot be reached or denies access.
    """
    return open_set(location).manifest if isinstance(location, Path) else _find(location).manifest


def verify_location(
    location: Location, *, quick: bool = False, work_dir: Path | None = None, progress: Progress = silent
) -> VerifyReport:
    """Verify a set with `segdata.records.verify.verify`; one in a store is first copied to a temporary directory.

    Raises:
        InvalidInputError: when there is no set, or its manifest cannot be read.
        SegDataError: when the store cannot be reached or denies access, or the disk is too small for the copy.
    """
    if isinstance(location, Path):
        return verification.verify(location, quick=quick, progress=progress)
    found = _find(location)
    # List the objects that exist, not those that should: `verify` names missing, oversized and foreign files.
    sizes = {
        name: size
        for name, size in objects(found.url)
        if "/" not in name and (".mindrecord" in name or name == MANIFEST)
    }
    with fetched(found.url, sizes, work_dir or default_work_dir(), progress=progress) as copy:
        return replace(verification.verify(copy, quick=quick, progress=progress), directory=str(found.url))


def local_set(location: Location, *, work_dir: Path | None = None, progress: Progress = silent) -> Path:
    """Return a local path of the set at `location`; one in a store is downloaded unless a copy exists.

    The working directory keeps the copy under the digest of the set's manifest, so the copy never has to change and
    programs that run at the same time share it.

    Raises:
        InvalidInputError: when there is no set, or its manifest cannot be read.
        SegDataError: when the store cannot be reached or denies access, the disk is too small, or the copy does not
            match the manifest.
    """
    if isinstance(location, Path):
        return location
    found = _find(location)
    copy = (work_dir or default_work_dir()) / "records" / f"{found.manifest.name}-{found.digest[:16]}"
    with _locked(copy):
        if not _is_whole(copy, found):
            old = [path.name for path in copy.iterdir()] if copy.is_dir() else []
            with staged_directory(copy, overwrite=True, ours=old) as staging:
                fetch(found.url, found.sizes, staging, progress=progress)
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
    with fetched(base, {MANIFEST: size}) as directory, called_by_url(base, directory):
        manifest = open_set(directory).manifest
        digest = file_digest(directory / MANIFEST)
    if base != url and url.name not in manifest.files:
        raise InvalidInputError(f"{url}: not a file of the record set in {base}")
    return _Found(base, manifest, size, digest)


def _is_whole(copy: Path, found: _Found) -> bool:
    files = {name: copy / name for name in found.sizes}
    return all(path.is_file() and path.stat().st_size == found.sizes[name] for name, path in files.items())


def _check_digests(directory: Path, found: _Found) -> None:
    names = list(found.digests)
    read = ordered_map(file_digest, [directory / name for name in names], workers=default_workers())
    wrong = [name for name, digest in zip(names, read, strict=True) if digest != found.digests[name]]
    if wrong:
        raise SegDataError(
            f"{found.url}: SHA-256 differs from the manifest in {plural(len(wrong), 'file')}; "
            f"damaged or being replaced right now:\n{name_first(wrong)}"
        )


@contextmanager
def _locked(copy: Path) -> Iterator[None]:
    """Let one process download while the others wait and reuse its copy: all ranks of a run open the same set."""
    copy.parent.mkdir(parents=True, exist_ok=True)
    with (copy.parent / f".{copy.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
