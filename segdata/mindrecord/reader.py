"""Read the rows of one shard, in any order, in any number of threads and processes.

Every length is compared with the file before memory is taken for it, and the index with the header, so that a damaged
shard gives a sentence and not wrong rows.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from segdata.errors import InvalidInputError, SegDataError
from segdata.files.paths import file_state
from segdata.mindrecord.header import BLOB, RAW, ShardHeader, read_shard_header, stored_schema
from segdata.mindrecord.index import index_path
from segdata.mindrecord.places import read_places
from segdata.mindrecord.rows import ROW_LENGTH, decode_blob, decode_raw
from segdata.mindrecord.schema import RowSchema


class ShardReader:
    """One shard; an error that names a row counts from 0.

    >>> shard = ShardReader(Path("train.mindrecord0"))  # doctest: +SKIP
    >>> len(shard), shard.row(0, ["file_name"])  # doctest: +SKIP
    (812, {'file_name': 'JPEGImages/2007_000032.jpg'})

    It can be pickled and used by several threads and processes: a read has no position in the file.
    """

    def __init__(self, path: Path) -> None:
        """Read the header and the index.

        Raises:
            InvalidInputError: when the file is not a shard, its index is missing, or one is damaged or contradicts the
                other.
            OSError: when a file cannot be read.
        """
        self.path = path
        self._file: IO[bytes] | None = None
        self._state = file_state(path)
        self.header: ShardHeader = read_shard_header(path)
        if self.header.shard_addresses[self.header.shard_id] != path.name:
            expected = self.header.shard_addresses[self.header.shard_id]
            raise InvalidInputError(f"{path}: is named {path.name!r} but was written as {expected!r}. Rename it back.")
        self._places = read_places(path, self.header.rows)
        self._check_places()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_file": None}

    def __del__(self) -> None:
        # Otherwise Python warns of the open file.
        self.close()

    def __len__(self) -> int:
        return len(self._places)

    @cached_property
    def schema(self) -> RowSchema:
        """The fields of a row."""
        return stored_schema(self.header)

    def row(self, number: int, fields: Sequence[str] | None = None) -> dict[str, Any]:
        """Return a row, or some of its fields.

        Args:
            number: row number, from 0.
            fields: names of fields; ``None`` for all. A row is read faster without those of type bytes.

        Returns:
            Values by name: ``str``, ``int``, ``float`` and ``bytes`` as written; arrays with the shape of the schema.

        Raises:
            InvalidInputError: when the row is damaged, or there is no such field; names page and row.
            IndexError: when there is no such row.
            SegDataError: when the file is opened now, and is another one than that whose index was read.
        """
        if not 0 <= number < len(self):
            raise IndexError(f"{self.path}: no row {number}; expected 0 to {len(self) - 1}")
        schema = self.schema
        names = list(schema.fields) if fields is None else fields
        try:
            schema.check_known(names)
        except InvalidInputError as error:
            raise InvalidInputError(f"{self.path}: {error}") from error
        _, raw_page, raw_start, raw_end, _, blob_page, blob_start, blob_end = self._places[number].tolist()
        found: dict[str, Any] = {}
        page = raw_page
        try:
            if raw := [name for name in names if not schema.fields[name].in_blob]:
                found |= decode_raw(schema, self._read(raw_page, raw_start, raw_end), raw)
            page = blob_page
            if len(raw) < len(names):
                blob = self._read(blob_page, blob_start, blob_end)
                found |= decode_blob(schema, blob, names, packed=self.header.packed)
        except InvalidInputError as error:
            raise InvalidInputError(f"{self.path}: row {number} in page {page} {error}", "record_damaged") from error
        return {name: found[name] for name in names}

    def close(self) -> None:
        """Close the file; a later read opens it again."""
        if self._file:
            self._file.close()
            self._file = None

    def _read(self, page: int, start: int, end: int) -> memoryview:
        """Return the bytes of a row without its length; `_check_places` has bounded them by the page."""
        # Without a buffer: only the descriptor is used. A thread keeps the file that it reads from open.
        self._file = file = self._file or self._opened()
        at = self.header.header_size + page * self.header.page_size + start
        try:
            data = os.pread(file.fileno(), end - start, at)
        except OSError as error:
            # Python does not name the file of a descriptor.
            error.filename = str(self.path)
            raise
        length = ROW_LENGTH.unpack_from(data)[0] if len(data) >= ROW_LENGTH.size else 0
        if len(data) != end - start or length != end - start - ROW_LENGTH.size:
            raise InvalidInputError(f"has length {length} in the page; its index has {end - start - ROW_LENGTH.size}")
        return memoryview(data)[ROW_LENGTH.size :]

    def _opened(self) -> IO[bytes]:
        """Open the file, which may have been replaced since: rows of another one can be of the same length."""
        file = self.path.open("rb", buffering=0)
        if file_state(file.fileno()) != self._state:
            file.close()
            raise SegDataError(f"{self.path}: was replaced or changed after it was opened. Open the set again.")
        return file

    def _check_places(self) -> None:
        """Check that every row of the index is in the page that the header has it in, and ends inside that page."""
        pages = self.header.pages
        row, raw_page, raw_start, raw_end, group, blob_page, blob_start, blob_end = self._places.T
        used = np.array([page.page_size for page in pages] + [-1], np.int64)
        blob = np.array([page.page_type == BLOB for page in pages] + [False])
        raw = np.array([page.page_type == RAW for page in pages] + [False])
        first = np.array([page.start_row_id for page in pages] + [0], np.int64)
        last = np.array([page.end_row_id for page in pages] + [0], np.int64)
        kind = np.array([page.page_type_id for page in pages] + [-1], np.int64)
        # The entry after the last page is invalid in all respects.
        in_blob, in_raw = np.minimum(blob_page, len(pages)), np.minimum(raw_page, len(pages))
        self._require(blob[in_blob] & (first[in_blob] <= row) & (row < last[in_blob]), "in blob page", blob_page)
        self._require(kind[in_blob] == group, "in row group", group)
        self._require(raw[in_raw], "in raw page", raw_page)
        for start, end, size in ((blob_start, blob_end, used[in_blob]), (raw_start, raw_end, used[in_raw])):
            self._require((start + ROW_LENGTH.size <= end) & (end <= size), "ending at byte", end)

    def _require(self, holds: npt.NDArray[np.bool_], what: str, values: npt.NDArray[np.int64]) -> None:
        if len(wrong := np.flatnonzero(~holds)):
            raise InvalidInputError(
                f"{index_path(self.path)}: has row {wrong[0]} {what} {values[wrong[0]]}, where the header of the shard "
                "has no such row. Convert or download the set again.",
                "record_damaged",
            )
