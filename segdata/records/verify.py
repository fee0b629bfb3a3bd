"""Verify that a record set is exactly what was written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from segdata.arguments import FilePath, local_path
from segdata.errors import InvalidInputError
from segdata.files.paths import file_digest
from segdata.mindrecord.header import read_shard_header
from segdata.parallel import Progress, default_workers, progress_map, silent
from segdata.records.fetch import find_set
from segdata.records.judge import judge, require_mindspore
from segdata.records.reader import RecordSet, open_set
from segdata.records.recount import recount
from segdata.store.access import reading
from segdata.store.url import Location


@dataclass(frozen=True)
class VerifyReport:
    """Report of `verify`; there are no problems if the set is intact.

    Attributes:
        path: the set.
        rows: number of rows.
        shards: number of shards.
        quick: whether only names, sizes and headers were checked.
        with_mindspore: whether the rows that MindSpore reads were compared, too.
        problems: one sentence each.
    """

    path: str
    rows: int
    shards: int
    quick: bool
    with_mindspore: bool
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether the set matches its manifest."""
        return not self.problems


def verify(
    location: Location,
    *,
    quick: bool = False,
    with_mindspore: bool = False,
    work_dir: FilePath | None = None,
    progress: Progress = silent,
) -> VerifyReport:
    """Compare a record set with its manifest.

    Always check that the manifest has the text that was written, and check files, sizes, and the row count and shard
    names in each shard's header. Unless `quick`, also check the SHA-256 of every file, that each row is the one that
    was written, and everything in the manifest that can be counted from the rows. A set in a store is copied to a
    temporary directory first.

    Args:
        location: the set's directory, manifest or any single shard, as a path or a URL.
        quick: check names, sizes and headers only.
        with_mindspore: if all else is intact, also compare the rows that MindSpore reads, opening the set by each
            shard.
        work_dir: directory for the copy of a set in a store; by default ``~/.cache/segdata``.
        progress: reports progress.

    Example:
        >>> verify("s3://bucket/records/train", quick=True).ok
        True

    Raises:
        InvalidInputError: when `location` does not name a record set, or its manifest cannot be read or was changed.
        OptionError: with `with_mindspore`, when MindSpore is not installed.
        SegDataError: when the store cannot be reached or denies access, or the disk is too small for the copy.
    """
    work_dir = local_path(work_dir)
    if with_mindspore:
        require_mindspore()
    place, manifest = find_set(location)

    def belongs(name: str) -> bool:
        # Copy the objects that exist, not those that should: missing, oversized and foreign files are problems to name.
        return "/" not in name and (name in manifest.files or ".mindrecord" in name)

    with reading(place, belongs, work_dir=work_dir, progress=progress) as directory:
        found = open_set(directory)
        problems = _problems(found, quick=quick, progress=progress)
        if with_mindspore and not problems:
            problems += judge(found, progress)
    return VerifyReport(str(place), manifest.rows, len(manifest.shards), quick, with_mindspore, tuple(problems))


def _problems(found: RecordSet, *, quick: bool, progress: Progress) -> list[str]:
    problems = [*_foreign(found)]
    shards = range(len(found.manifest.shards))
    for wrong in progress_map(
        partial(_check_files, found, quick),
        shards,
        total=len(shards),
        label="files",
        progress=progress,
        workers=default_workers(),
    ):
        problems += wrong
    if not problems and not quick:
        try:
            problems += recount(found, progress)
        except InvalidInputError as error:
            problems.append(str(error))
    return problems


def _foreign(found: RecordSet) -> Iterator[str]:
    """Name record files that are not in the manifest: a reader that globs would read them as part of the set."""
    for path in sorted(found.directory.glob("*.mindrecord*")):
        if path.name not in found.manifest.files:
            yield f"{path.name}: is not in the manifest"


def _check_files(found: RecordSet, quick: bool, index: int) -> list[str]:
    """Name the first problem of a shard and the first of its index."""
    shard = found.manifest.shards[index]
    problems = []
    for name, size, digest in shard.files:
        path = found.directory / name
        if not path.is_file():
            problems.append(f"{name}: does not exist")
        elif path.stat().st_size != size:
            problems.append(f"{name}: has {path.stat().st_size} bytes; the manifest says {size}")
        elif name == shard.file and (wrong := _check_header(found, index)):
            problems.append(wrong)
        elif not quick and file_digest(path) != digest:
            problems.append(f"{name}: its SHA-256 differs from the manifest; the content has changed")
    return problems


def _check_header(found: RecordSet, index: int) -> str | None:
    shards = found.manifest.shards
    shard = shards[index]
    try:
        header = read_shard_header(found.directory / shard.file)
    except InvalidInputError as error:
        return str(error)
    if header.rows != shard.rows:
        return f"{shard.file}: the row count in its header is {header.rows}; the manifest says {shard.rows}"
    if header.shard_id != index or header.shard_addresses != [other.file for other in shards]:
        return f"{shard.file}: its header does not list the shards of the manifest"
    return None
