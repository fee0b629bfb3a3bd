"""Read a set of shards as one sequence of rows."""

from __future__ import annotations

import resource
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, overload
from weakref import WeakSet

import msgspec
import numpy as np

from segdata.errors import FaultsError, InvalidInputError, SegDataError
from segdata.mindrecord.header import read_shard_header
from segdata.mindrecord.reader import ShardReader
from segdata.mindrecord.schema import RowSchema

#: Files that a process has open besides those of record sets: libraries, pipes, outputs; 32 were counted.
_OTHER_FILES = 64

#: The sets of this process that may have all of their shards open.
_readers: WeakSet[SetReader] = WeakSet()
_lock = threading.Lock()


def allow_open_files(directory: Path, files: int) -> None:
    """Raise this process's limit of open files if it is too low for `files` more files of a record set.

    Raises:
        SegDataError: when the system does not allow it.
    """
    with _lock:
        needed = files + sum(len(reader.shards) for reader in _readers) + _OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or needed <= soft:
        return
    if hard != resource.RLIM_INFINITY and needed > hard:
        raise SegDataError(
            f"{directory}: has {files} files, and this process may open {hard} at once; expected a limit of {needed} "
            "or more. Raise it with ulimit -n, or write the set again with fewer shards (--num_shards)."
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


class SetReader(Sequence[dict[str, Any]]):
    """All rows of a set, in the order of its shards. Any shard names the set.

    >>> rows = SetReader(Path("train.mindrecord0"))  # doctest: +SKIP
    >>> len(rows), rows[-1]["file_name"], rows[2:4][0]["file_name"]  # doctest: +SKIP
    (2913, 'JPEGImages/2011_003276.jpg', 'JPEGImages/2007_000039.jpg')

    It can be pickled and used by several threads and processes, like `ShardReader`.
    """

    def __init__(self, path: Path) -> None:
        """Read the headers and indexes of all shards that the header at `path` names.

        Raises:
            InvalidInputError: when a shard is damaged or has another form than the others.
            FaultsError: when shards are missing; names them.
            SegDataError: when this process may not open so many files.
            OSError: when a file cannot be read.
        """
        first = read_shard_header(path)
        paths = [path.with_name(name) for name in first.shard_addresses]
        if missing := [str(each) for each in paths if not each.is_file()]:
            raise FaultsError(f"{path}: {len(missing)} of {len(paths)} shards of its set are missing", missing)
        self.shards: list[ShardReader] = []
        for number, each in enumerate(paths):
            shard = ShardReader(each)
            if shard.header.form != first.form or shard.header.shard_id != number:
                raise InvalidInputError(
                    f"{shard.path}: is shard {shard.header.shard_id} of {len(shard.header.shard_addresses)}; "
                    f"{path.name} expects shard {number} of {len(paths)} with the same schema, sizes and files. Read "
                    "each one alone, or convert the set again.",
                    "record_damaged",
                )
            # Every header has the names of all shards: one copy is enough.
            shard.header = msgspec.structs.replace(shard.header, shard_addresses=first.shard_addresses)
            self.shards.append(shard)
        self._ends = np.cumsum([len(shard) for shard in self.shards])
        self._allow_open()

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ |= state
        self._allow_open()

    def _allow_open(self) -> None:
        allow_open_files(self.shards[0].path.parent, len(self.shards))
        with _lock:
            _readers.add(self)

    @property
    def schema(self) -> RowSchema:
        """The fields of a row."""
        return self.shards[0].schema

    def __len__(self) -> int:
        return int(self._ends[-1])

    @overload
    def __getitem__(self, number: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, number: slice) -> list[dict[str, Any]]: ...
    def __getitem__(self, number: int | slice) -> dict[str, Any] | list[dict[str, Any]]:
        if isinstance(number, slice):
            return list(self.read(range(len(self))[number]))
        return self.row(range(len(self))[number])

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return self.read(range(len(self)))

    def row(self, number: int, fields: Sequence[str] | None = None) -> dict[str, Any]:
        """Return a row of the set, or some of its fields; see `ShardReader.row`."""
        if not 0 <= number < len(self):
            raise IndexError(f"no row {number} in the set; expected 0 to {len(self) - 1}")
        shard = int(np.searchsorted(self._ends, number, "right"))
        start = int(self._ends[shard - 1]) if shard else 0
        return self.shards[shard].row(number - start, fields)

    def read(self, rows: Iterable[int], fields: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
        """Yield rows of the set, in the given order; one row is in memory at a time.

        Args:
            rows: numbers in the set, from 0.
            fields: names of the fields to read; ``None`` for all.

        Raises:
            InvalidInputError: see `ShardReader.row`.
            IndexError: when there is no such row.
        """
        for number in rows:
            yield self.row(number, fields)

    def close(self) -> None:
        """Close the files; a later read opens them again."""
        for shard in self.shards:
            shard.close()
