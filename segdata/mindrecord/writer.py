"""Write one shard of a set in one pass: header, blob pages, raw pages, and the index beside it.

The header comes first in the file and describes everything after it. It is known before the first row because the sizes
of all rows are: the file is written from start to end, and its SHA-256 is ready with its last byte.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import SpooledTemporaryFile
from types import TracebackType
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from segdata.errors import InvalidInputError
from segdata.mindrecord.fields import plain_scalar
from segdata.mindrecord.form import SetForm
from segdata.mindrecord.header import RAW, encode_header
from segdata.mindrecord.index import IndexWriter
from segdata.mindrecord.pages import as_sizes, place_rows
from segdata.mindrecord.rows import ROW_LENGTH, FieldMark, RowSize, check_row, encode_blob, encode_raw, mark_row

#: Raw parts of rows wait for the end of the blob pages in memory up to this size, then in a temporary file.
_SPOOL = 16 << 20

_BLOCK = bytes(1 << 20)

#: MindSpore takes every file that ends with this word for an encrypted one.
_RESERVED_END = b"ENCRYPT"


@dataclass(frozen=True)
class WrittenShard:
    """A finished shard: number of rows, bytes and SHA-256 in hex of its two files."""

    rows: int
    bytes: int
    sha256: str
    index_bytes: int
    index_sha256: str


class ShardWriter:
    """Writes a shard and its index. The same rows and form give the same bytes everywhere.

    A shard that is not closed leaves no file:

    >>> with ShardWriter(folder / "a.mindrecord", form, 0, sizes) as writer:  # doctest: +SKIP
    ...     for row in rows:
    ...         writer.write(row)
    ...     print(writer.close().sha256)
    """

    def __init__(
        self, path: Path, form: SetForm, shard_id: int, sizes: Sequence[RowSize] | npt.NDArray[np.int64]
    ) -> None:
        """Create both files and write the header.

        Args:
            path: path of the shard; its name is ``form.addresses[shard_id]``, since MindRecord files cannot be renamed.
            form: properties that all shards of the set share.
            shard_id: number of this shard in the set.
            sizes: result of `measure_row` for every row of the shard, in order, ``(rows, 3)`` if an array.

        Raises:
            InvalidInputError: when a row is larger than a page, or the header does not fit into its space.
            FileExistsError: when one of the files exists.
        """
        if not 0 <= shard_id < len(form.addresses) or path.name != form.addresses[shard_id]:
            raise InvalidInputError(f"{path.name} is not file {shard_id} of {', '.join(form.addresses)}")
        self._path, self._form = path, form
        self._sizes = as_sizes(sizes) if not isinstance(sizes, np.ndarray) else sizes
        self._placement = place_rows(self._sizes, form.page_size, shard_id)
        start = encode_header(form.header(self._placement, shard_id))
        self._rows = self._position = 0
        self._tail = b""
        self._digest = hashlib.sha256()
        # What happens when the shard is not closed.
        self._open = ExitStack()
        self._file = self._open.enter_context(path.open("xb"))
        self._open.callback(path.unlink)
        try:
            self._index = IndexWriter(path, form)
            self._open.callback(self._index.discard)
            self._raw = self._open.enter_context(_spool(path.parent))
            self._put(start)
        except BaseException:
            self._open.close()
            raise

    def write(self, row: Mapping[str, Any]) -> dict[str, FieldMark]:
        """Write the next row; return length and CRC-32 of each field.

        Args:
            row: values of all fields: ``bytes``, ``str``, integers, floats, and arrays of the field's type and shape.

        Raises:
            InvalidInputError: when a value does not fit its field, the row has not the size that was given for it, or
                there are more rows than sizes.
        """
        try:
            return self._write(row)
        except InvalidInputError as error:
            raise InvalidInputError(f"{self._path.name}: row {self._rows}: {error}", error.code) from error

    def _write(self, row: Mapping[str, Any]) -> dict[str, FieldMark]:
        if self._rows == len(self._sizes):
            raise InvalidInputError(f"one row too many; expected {len(self._sizes)}")
        schema = self._form.schema
        check_row(schema, row)
        blob, raw = encode_blob(schema, row), encode_raw(schema, row)
        blob_size = sum(map(len, blob))
        sizes = [ROW_LENGTH.size + blob_size, ROW_LENGTH.size + len(raw)]
        if sizes != (planned := self._sizes[self._rows, :2].tolist()):
            raise InvalidInputError(
                f"takes {sizes[0]} and {sizes[1]} bytes; expected {planned[0]} and {planned[1]}. Its file changed "
                "during the run. Run the command again."
            )
        places = self._placement.rows[self._rows].tolist()
        self._index.write(places, [plain_scalar(row[name]) for name in self._form.indexed])
        self._pad_to(places[5], places[6])
        for part in (ROW_LENGTH.pack(blob_size), *blob):
            self._put(part)
        self._raw.write(ROW_LENGTH.pack(len(raw)) + raw)
        self._rows += 1
        return mark_row(schema, row)

    def close(self) -> WrittenShard:
        """Write the raw pages and finish both files.

        Raises:
            InvalidInputError: when rows are missing, or MindSpore would take a file for an encrypted one.
        """
        if self._rows != len(self._sizes):
            raise InvalidInputError(f"{self._path.name}: {self._rows} rows written; expected {len(self._sizes)}")
        self._raw.seek(0)
        for page in self._placement.pages:
            if page.page_type == RAW:
                self._pad_to(page.page_id, 0)
                for left in range(page.page_size, 0, -len(_BLOCK)):
                    self._put(self._raw.read(min(left, len(_BLOCK))))
        self._file.close()
        index_size, index_sha256, last = self._index.close()
        for path, end in ((self._path, self._tail), (self._index.path, last)):
            if end.endswith(_RESERVED_END):
                raise InvalidInputError(
                    f"{path.name}: would end with {_RESERVED_END.decode()}, which MindSpore takes for encryption. "
                    "Rename the last sample, or change the order."
                )
        self._raw.close()
        self._open.pop_all()
        return WrittenShard(self._rows, self._position, self._digest.hexdigest(), index_size, index_sha256)

    def __enter__(self) -> ShardWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def _put(self, data: bytes) -> None:
        self._file.write(data)
        self._digest.update(data)
        self._position += len(data)
        self._tail = data[-len(_RESERVED_END) :] if len(data) >= len(_RESERVED_END) else self._tail + data

    def _pad_to(self, page_id: int, offset: int) -> None:
        """Skip to a byte of a page; the gap reads as zeros and takes no space where the file system can do so."""
        gap = self._form.header_size + page_id * self._form.page_size + offset - self._position
        for left in range(gap, 0, -len(_BLOCK)):
            self._digest.update(_BLOCK[: min(left, len(_BLOCK))])
        if gap:
            self._file.seek(gap, 1)
            self._position += gap


def _spool(folder: Path) -> IO[bytes]:
    return SpooledTemporaryFile(max_size=_SPOOL, dir=str(folder))
