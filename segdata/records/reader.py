"""Open a record set and read its rows, in any order and in any number of threads and processes."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, overload

from segdata.arguments import FilePath, check_opened, check_several, local_path
from segdata.errors import InvalidInputError, SegDataError
from segdata.files.paths import FileState, file_state
from segdata.mindrecord.shards import SetReader
from segdata.records.manifest import MANIFEST, Manifest
from segdata.records.manifest_file import read_manifest
from segdata.records.schema import ROW_SCHEMAS, Row, TaskName

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RecordSet(Sequence[Row]):
    """A record set on disk, as a sequence of its rows; see `open_set`.

    It can be pickled, and used by several threads and processes: a read has no position in the file. A row is a
    dictionary of the fields of the task (``docs/formats.md``), with the values that were written.

    Attributes:
        directory: directory of the set.
        manifest: its description.
        state: state of its files when it was opened.

    Example:
        >>> records = open_set(Path("records/voc_train"))
        >>> len(records), records[0]["file_name"], [row["file_name"] for row in records[-2:]]
    """

    directory: Path
    manifest: Manifest = field(repr=False)
    state: tuple[FileState, ...] = field(repr=False)

    def __getstate__(self) -> dict[str, Any]:
        # Another process opens the shards itself: their indexes take longer to send.
        return {name: value for name, value in self.__dict__.items() if name != "_rows"}

    def __len__(self) -> int:
        return self.manifest.rows

    @overload
    def __getitem__(self, number: int) -> Row: ...
    @overload
    def __getitem__(self, number: slice) -> list[Row]: ...
    def __getitem__(self, number: int | slice) -> Row | list[Row]:
        if isinstance(number, slice):
            return list(read_rows(self, rows=range(len(self))[number]))
        try:
            return self._rows.row(range(len(self))[number], list(self.manifest.schema))
        except (SegDataError, OSError):
            # A set that was replaced is not damaged.
            self.check_unchanged()
            raise

    def __iter__(self) -> Iterator[Row]:
        return read_rows(self)

    @property
    def task(self) -> TaskName:
        """The task of the rows."""
        return self.manifest.task

    @property
    def shard_paths(self) -> list[Path]:
        """Paths of the shards, in row order."""
        return [self.directory / shard.file for shard in self.manifest.shards]

    def names(self) -> Iterator[str]:
        """Yield the name of every row's image; only this column is read."""
        return (row["file_name"] for row in read_rows(self, fields=["file_name"]))

    def check_unchanged(self) -> None:
        """Check that the set on disk still is the one that was opened.

        Raises:
            SegDataError: when it was replaced or a file of it has changed.
        """
        if _state(self.directory, self.manifest) != self.state:
            raise SegDataError(
                f"{self.directory}: the record set was replaced or changed while it was in use. Wait until the other "
                "program has finished, and run the command again."
            )

    @cached_property
    def _rows(self) -> SetReader:
        """The rows of the shards, after comparing the form of the shards with the manifest."""
        shards = self.manifest.shards
        try:
            reader = SetReader(self.shard_paths[0])
        except OSError as error:
            raise InvalidInputError(
                f"{error.filename}: cannot be read ({error.strerror}). Run segdata verify to find the damage.",
                "record_damaged",
            ) from error
        found = [(shard.path.name, len(shard)) for shard in reader.shards]
        if (
            found != [(shard.file, shard.rows) for shard in shards]
            or reader.schema.fields != ROW_SCHEMAS[self.manifest.task].fields
        ):
            raise InvalidInputError(
                f"{self.directory}: its shards do not have the files, rows or fields of its manifest. Run segdata "
                "verify to find the damage.",
                "record_damaged",
            )
        # Shards of another set can have the same form.
        self.check_unchanged()
        return reader


def _state(directory: Path, manifest: Manifest) -> tuple[FileState, ...]:
    return tuple(file_state(directory / name) for name in manifest.files)


def open_set(path: FilePath) -> RecordSet:
    """Open the record set that `path` names: its directory, its manifest or any single shard.

    Raises:
        InvalidInputError: when there is no set, or its manifest is damaged, was changed or has a newer format.
    """
    path = local_path(path)
    directory = path if path.is_dir() else path.parent
    before = file_state(directory / MANIFEST)
    manifest = read_manifest(directory / MANIFEST, named=path)
    if path not in (directory, directory / MANIFEST) and path.name not in manifest.files:
        raise InvalidInputError(f"{path}: not a file of the record set in {directory}")
    _log.info("opened %s: %d rows in %d files", directory, manifest.rows, len(manifest.files))
    # The manifest comes last: its state of before it was read shows whether all others belong to it.
    return RecordSet(directory, manifest, (*_state(directory, manifest)[:-1], before))


def read_rows(
    found: RecordSet, *, rows: Sequence[int] | None = None, fields: Sequence[str] | None = None
) -> Iterator[Row]:
    """Yield rows of a set as they were written, one at a time.

    Args:
        found: the set.
        rows: read only these rows (numbers in the set, from 0), in this order; a row may be named several times.
        fields: read only these fields. Reading is fast without fields of type bytes.

    Example:
        >>> names = [row["file_name"] for row in read_rows(open_set(path), fields=["file_name"])]

    Raises:
        InvalidInputError: when a shard or its index is missing or damaged, or there is no such field.
        IndexError: when there is no such row.
        SegDataError: before the first row or after the last one, when the set is not the one that was opened.
    """
    check_opened("found", found, "segdata.open_set")
    check_several("fields", fields)
    found.check_unchanged()
    try:
        numbers = range(len(found)) if rows is None else rows
        yield from found._rows.read(numbers, list(found.manifest.schema) if fields is None else fields)
    except (SegDataError, OSError):
        # A set that was replaced is not damaged.
        found.check_unchanged()
        raise
    found.check_unchanged()
