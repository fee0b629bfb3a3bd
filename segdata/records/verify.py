"""Is what lies there what was written?"""

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


@dataclass(frozen=True)
class VerifyReport:
    """What `verify` found: nothing, when the set is whole."""

    directory: str
    rows: int
    shards: int
    quick: bool
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether the set is what its manifest says."""
        return not self.problems


def verify(path: Path, *, quick: bool = False, progress: Progress = silent) -> VerifyReport:
    """Compare a record set with its manifest.

    Always: files, sizes, the rows and the siblings that each shard's header names. Unless `quick`: SHA-256 of every
    file; that MindSpore, opening any single shard, yields every row exactly once; and that the rows are those
    that were put in.

    Raises:
        InvalidInputError: when `path` names no record set, or its manifest cannot be read.
    """
    found = open_set(path)
    problems = [*_foreign(found)]
    with progress(total=len(found.manifest.shards), label="files") as advance:
        for index, shard in enumerate(found.manifest.shards):
            problems += _check_files(found, index, shard, quick=quick)
            advance(1)
    if sum(shard.rows for shard in found.manifest.shards) != found.manifest.rows:
        problems.append(f"the manifest's shards do not add up to its {found.manifest.rows} rows")
    if not problems and not quick:
        problems += _check_rows(found, progress)
    shards = found.manifest.shards
    return VerifyReport(str(found.directory), found.manifest.rows, len(shards), quick, tuple(problems))


def _foreign(found: RecordSet) -> Iterator[str]:
    """Name record files that the manifest does not: a reader that globs would take them for the set's."""
    for path in sorted(found.directory.glob("*.mindrecord*")):
        if path.name not in found.manifest.files:
            yield f"{path.name}: not in the manifest"


def _check_files(found: RecordSet, index: int, shard: Shard, *, quick: bool) -> list[str]:
    """Name what is wrong with a shard and its index; of each file the first thing that is."""
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
            problems.append(f"{name}: its SHA-256 is not the manifest's; the content has changed")
    return problems


def _check_header(found: RecordSet, index: int, shard: Shard) -> str | None:
    try:
        header = read_header(found.directory / shard.file)
    except InvalidInputError as error:
        return str(error)
    if count_rows(header) != shard.rows:
        return f"{shard.file}: its header counts {count_rows(header)} rows; the manifest says {shard.rows}"
    if header["shard_id"] != index or header["shard_addresses"] != [other.file for other in found.manifest.shards]:
        return f"{shard.file}: its header does not name the shards of the manifest"
    return None


def _check_rows(found: RecordSet, progress: Progress) -> list[str]:
    """Open the set by each shard's name; by the first, read the rows themselves."""
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
        problems.append("the rows are not those that were put in (the manifest's fingerprint of the inputs differs)")
    with progress(total=len(found.shard_paths) - 1, label="shards") as advance:
        for path in found.shard_paths[1:]:
            seen = Counter(str(columns[key]) for columns in read_columns(path, [key]))
            problems += [f"{path.name}: opened alone, it gives other rows"] if seen != keys else []
            advance(1)
    return problems


def _compare(found: RecordSet, name: str, rows: Counter[str]) -> list[str]:
    if rows.total() != found.manifest.rows:
        return [f"{name}: opened alone, it gives {rows.total()} rows; the manifest says {found.manifest.rows}"]
    repeated = [row for row, count in rows.items() if count > 1]
    return [f"{name}: gives {repeated[0]} more than once"] if repeated else []
