"""Write the index of a shard: an SQLite file beside it, ``NAME.db``, with the place of each row and its index fields.

Tables and order of statements are those of ``ShardIndexGenerator`` (``shard_index_generator.cc``), so that SQLite lays
out the same bytes.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from segdata.errors import InvalidInputError, SegDataError
from segdata.mindrecord.btree import SQLITE_PAGE, settle
from segdata.mindrecord.form import SetForm
from segdata.mindrecord.schema import FieldForm

#: Suffix of an index file.
INDEX_SUFFIX = ".db"

#: Bytes that the path of an index may have: 512, less those of ``-journal``, which SQLite may put after it.
PATH_BYTES = 504

#: Columns that say where a row is, in their order in the table.
PLACES = (
    *("ROW_ID", "PAGE_ID_RAW", "PAGE_OFFSET_RAW", "PAGE_OFFSET_RAW_END"),
    *("ROW_GROUP_ID", "PAGE_ID_BLOB", "PAGE_OFFSET_BLOB", "PAGE_OFFSET_BLOB_END"),
)

_TYPES = {"string": "TEXT", "int32": "INTEGER", "int64": "INTEGER", "float32": "REAL", "float64": "REAL"}

#: Settings that differ between builds of SQLite and change its bytes, and two that make writing fast.
_SETTINGS = (
    f"page_size={SQLITE_PAGE}",
    "auto_vacuum=NONE",
    "encoding='UTF-8'",
    "secure_delete=OFF",
    "legacy_file_format=OFF",
    "journal_mode=OFF",
    "synchronous=OFF",
)


def index_path(shard: Path) -> Path:
    """Return the path of the index of a shard."""
    return shard.with_name(shard.name + INDEX_SUFFIX)


class IndexWriter:
    """Writes the index of one shard, row by row."""

    def __init__(self, shard: Path, form: SetForm) -> None:
        """Create the file.

        Raises:
            InvalidInputError: when the index fields cannot be columns of one table.
            FileExistsError: when the file exists.
            SegDataError: when it cannot be written.
        """
        self.path = index_path(shard)
        self.path.open("xb").close()
        self._forms = [form.schema.fields[name] for name in form.indexed]
        with _named(self.path):
            self._connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        try:
            self._create(form, shard.name)
        except BaseException:
            self.discard()
            raise
        columns = len(PLACES) + 2 * len(self._forms)
        self._insert = f"INSERT INTO INDEXES VALUES ({','.join('?' * columns)})"

    def _create(self, form: SetForm, name: str) -> None:
        with _named(self.path):
            for setting in _SETTINGS:
                self._connection.execute(f"PRAGMA {setting}")
            try:
                self._connection.execute(_table(form))
            except sqlite3.OperationalError as error:
                if "disk" in str(error):
                    raise
                raise InvalidInputError(f"index fields {', '.join(form.indexed)}: {error}") from error
            self._connection.execute("CREATE TABLE SHARD_NAME(NAME TEXT NOT NULL)")
            self._connection.execute("INSERT INTO SHARD_NAME (NAME) VALUES (?)", [name])
            self._connection.execute("BEGIN TRANSACTION")

    def write(self, places: Sequence[int], values: Sequence[Any]) -> None:
        """Add a row.

        Args:
            places: values of the columns `PLACES`.
            values: values of the index fields.

        Raises:
            InvalidInputError: when MindSpore could not read a value from an index.
            SegDataError: when the file cannot be written.
        """
        row = [*places]
        for form, value in zip(self._forms, values, strict=True):
            if fault := _index_fault(form, value):
                raise InvalidInputError(fault)
            row += (0, value)
        with _named(self.path):
            self._connection.execute(self._insert, row)

    def close(self) -> tuple[int, str, bytes]:
        """Finish the file; return its size, its SHA-256 in hex and its last page.

        Raises:
            SegDataError: when it cannot be written.
        """
        with _named(self.path):
            self._connection.execute("END TRANSACTION")
            self._connection.close()
        return settle(self.path)

    def discard(self) -> None:
        """Close the file and remove it."""
        self._connection.close()
        self.path.unlink()


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Raise SQLite's errors, such as a full disk, with the file that they concern."""
    try:
        yield
    except sqlite3.Error as error:
        raise SegDataError(f"{path}: cannot be written ({error})") from error


def _table(form: SetForm) -> str:
    """Return the statement that creates the table; SQLite stores its text, spaces included."""
    fields = [
        f",INC_{number} INT, {name}_0 {_TYPES[form.schema.fields[name].type]}"
        for number, name in enumerate(form.indexed)
    ]
    keys = "".join(f",INC_{number}" for number in range(len(fields)))
    places = ", ".join(f"{name:<20} INT  NOT NULL" for name in PLACES)
    return f"CREATE TABLE INDEXES(  {places}{''.join(fields)}, PRIMARY KEY(ROW_ID{keys}))"


def _index_fault(form: FieldForm, value: Any) -> str | None:
    """Return what MindSpore's reader could not read from the index: it cuts text at a zero byte and knows no NaN."""
    if form.type == "string":
        return f"index field has a zero byte in {value!r}; expected text without any" if "\0" in value else None
    if isinstance(value, float) and not math.isfinite(value):
        return f"index field is {value}; expected a finite number. Leave the field out of the index fields."
    return None
