"""Verify that a record set is exactly what was written."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from segdata.errors import InvalidInputError
from segdata.parallel import Progress, silent
from segdata.records.manifest import INDEX_SUFFIX, RecordSet, Shard, open_set
from segdata.records.reader import read_columns
from segdata.records.schema import KEY, read_back
from segdata.records.stitch import count_rows, read_header
from segdata.records.writer import file_digest, row_fingerprint
from segdata.text import plural


@dataclass(frozen=True)
class VerifyReport:
    """Report of `verify`; there are no problems if the set is intact."""

    directory: str
    rows: int
    shards: int
    quick: bool
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether the set matches its manifest."""
        return not self.problems


def verify(path: Path, *, quick: bool = False, progress: Progress = silent) -> VerifyReport:
    """Compare a record set with its manifest.

    Always check files, sizes, and the row count and shard names in each shard's header. Unless `quick`, also check the
    SHA-256 of every file, that opening any single shard in MindSpore yields every row exactly once, and that the rows
    are those that were written.

    Raises:
        InvalidInputError: when `path` does not name a record set, or its manifest cannot be read.
    """
    found = open_set(path)
    problems = [*_foreign(found)]
    with progress(total=len(found.manifest.shards), label="files") as advance:
        for index, shard in enumerate(found.manifest.shards):
            problems += _check_files(found, index, shard, quick=quick)
            advance(1)
    if sum(shard.rows for shard in found.manifest.shards) != found.manifest.rows:
        problems.append(f"the manifest's shards do not add up to its row count of {found.manifest.rows}")
    if not problems and not quick:
        problems += _check_rows(found, progress)
    shards = found.manifest.shards
    return VerifyReport(str(found.directory), found.manifest.rows, len(shards), quick, tuple(problems))


def _foreign(found: RecordSet) -> Iterator[str]:
    """Name record files that are not in the manifest: a reader that globs would read them as part of the set."""
    for path in sorted(found.directory.glob("*.mindrecord*")):
        if path.name not in found.manifest.files:
            yield f"{path.name}: not in the manifest"


def _check_files(found: RecordSet, index: int, shard: Shard, *, quick: bool) -> list[str]:
    """Name the first problem of a shard and the first of its index."""
    files = [
        (shard.file, shard.bytes, shard.sha256),
        (shard.file + INDEX_SUFFIX, shard.index_bytes, shard.index_sha256),
    ]
    problems = []
    for name, size, digest in files:
        path = found.directory / name
        if not path.is_file():
            problems.append(f"{name}: missing")
        elif path.stat().st_size != size:
            problems.append(f"{name}: {path.stat().st_size} bytes; the manifest says {size}")
        elif name == shard.file and (wrong := _check_header(found, index, shard)):
            problems.append(wrong)
        elif not quick and file_digest(path) != digest:
            problems.append(f"{name}: its SHA-256 differs from the manifest; the content has changed")
    return problems


def _check_header(found: RecordSet, index: int, shard: Shard) -> str | None:
    try:
        header = read_header(found.directory / shard.file)
    except InvalidInputError as error:
        return str(error)
    if count_rows(header) != shard.rows:
        return f"{shard.file}: the row count in its header is {count_rows(header)}; the manifest says {shard.rows}"
    if header["shard_id"] != index or header["shard_addresses"] != [other.file for other in found.manifest.shards]:
        return f"{shard.file}: its header does not list the shards of the manifest"
    return None


def _check_rows(found: RecordSet, progress: Progress) -> list[str]:
    """Open the set through each shard and compare the keys; through the first shard, read the full rows."""
    manifest = found.manifest
    key = KEY[manifest.task]
    keys = Counter[str]()
    inputs = hashlib.sha256()
    with progress(total=manifest.rows, label="rows") as advance:
        for columns in read_columns(found.shard_paths[0], list(manifest.schema)):
            keys[str(columns[key])] += 1
            inputs.update(row_fingerprint(read_back(columns, manifest.schema), manifest.schema))
            advance(1)
    problems = _compare(found, found.shard_paths[0].name, keys)
    if not problems and inputs.hexdigest() != manifest.inputs:
        problems.append(
            "the rows differ from those that were written (the manifest has another fingerprint of the inputs)"
        )
    with progress(total=len(found.shard_paths) - 1, label="shards") as advance:
        for path in found.shard_paths[1:]:
            seen = Counter(str(columns[key]) for columns in read_columns(path, [key]))
            problems += [f"{path.name}: yields other rows when opened alone"] if seen != keys else []
            advance(1)
    return problems


def _compare(found: RecordSet, name: str, rows: Counter[str]) -> list[str]:
    if rows.total() != found.manifest.rows:
        count = plural(rows.total(), "row")
        return [f"{name}: yields {count} when opened alone; the manifest says {found.manifest.rows}"]
    repeated = [row for row, count in rows.items() if count > 1]
    return [f"{name}: yields {repeated[0]} more than once"] if repeated else []
