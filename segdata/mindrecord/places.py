"""Read the places of the rows of a shard from its index."""

from __future__ import annotations

import os
import sqlite3
from array import array
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from segdata.errors import InvalidInputError
from segdata.mindrecord.index import PATH_BYTES, PLACES, index_path

#: Rows of an index in memory as Python objects at a time.
_ROWS = 4096


def read_places(shard: Path, rows: int) -> npt.NDArray[np.int64]:
    """Return the columns `PLACES` of every row from the index of a shard, ``(rows, 8)`` int64.

    Args:
        shard: path of the shard.
        rows: number of rows in its header.

    Raises:
        InvalidInputError: when the index is missing or damaged, belongs to another shard, or has other rows than the
            header.
    """
    path = index_path(shard)
    if not path.is_file():
        # Nor is a FIFO or a folder of that name an index.
        raise InvalidInputError(
            f"{path}: no such file; expected the index of {shard.name}. Keep both files together.", "record_damaged"
        )
    with _opened(path) as connection:
        kinds = dict(connection.execute("SELECT name, type FROM sqlite_master WHERE name IN ('INDEXES', 'SHARD_NAME')"))
        if kinds != {"INDEXES": "table", "SHARD_NAME": "table"}:
            raise InvalidInputError(f"{path}: not an index of a MindRecord file", "record_damaged")
        names = [name for (name,) in connection.execute("SELECT NAME FROM SHARD_NAME LIMIT 2")]
        if names != [shard.name]:
            raise InvalidInputError(
                f"{path}: is the index of {', '.join(map(repr, names)) or 'no file'}; expected {shard.name!r}. "
                "MindRecord files cannot be renamed.",
                "record_damaged",
            )
        # A damaged index may have any number of rows: one more than expected is enough to know.
        query = f"SELECT {', '.join(PLACES)} FROM INDEXES ORDER BY ROW_ID LIMIT ?"
        places = _as_integers(path, connection.execute(query, [rows + 1]))
    _check_rows(path, places[:, 0], rows)
    return places


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    try:
        # Immutable: no lock and no journal, so that a read-only folder is enough.
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
            yield connection
    except sqlite3.OperationalError as error:
        raise InvalidInputError(
            f"{path}: {_unreadable(path) or f'damaged index: {error}'}", "record_damaged"
        ) from error
    # SQLite quotes a damaged file in its messages, which are then not UTF-8.
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise InvalidInputError(f"{path}: damaged index: {error}", "record_damaged") from error


def _unreadable(path: Path) -> str | None:
    """Return why SQLite cannot open a file that need not be damaged."""
    try:
        path.open("rb").close()
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    size = len(os.fsencode(path.absolute()))
    too_long = f"its path has {size} bytes; expected at most {PATH_BYTES}, the limit of SQLite. Move the set"
    return too_long if size > PATH_BYTES else None


def _as_integers(path: Path, cursor: sqlite3.Cursor) -> npt.NDArray[np.int64]:
    parts = [np.empty((0, len(PLACES)), np.int64)]
    while found := cursor.fetchmany(_ROWS):
        part = _integers(found)
        if part is None:
            number, row = next(
                (number, row) for number, row in enumerate(found, sum(map(len, parts))) if _integers([row]) is None
            )
            raise InvalidInputError(f"{path}: damaged index: row {number} has {row!r:.200}", "record_damaged")
        parts.append(part)
    return np.concatenate(parts)


def _integers(rows: list[tuple[Any, ...]]) -> npt.NDArray[np.int64] | None:
    """Return rows as an array; None if a value is not an integer from 0 to 2**31 - 1."""
    try:
        # Checks the types in a twentieth of the time of a loop. A text would make an array of NumPy as wide as itself.
        found = np.array(array("q", chain.from_iterable(rows)), np.int64)
    except TypeError:
        return None
    return found.reshape(len(rows), -1) if ((found >= 0) & (found < 2**31)).all() else None


def _check_rows(path: Path, ids: npt.NDArray[np.int64], rows: int) -> None:
    expected = np.arange(max(rows, len(ids)))
    wrong = np.flatnonzero(ids != expected[: len(ids)])
    if not len(wrong) and len(ids) == rows:
        return
    first = int(wrong[0]) if len(wrong) else min(len(ids), rows)
    found = f"row {ids[first]}" if first < len(ids) else "the end"
    wanted = f"row {first}" if first < rows else "the end"
    raise InvalidInputError(
        f"{path}: the index has {found} in place of {wanted}; expected the {rows} rows of its shard. Convert or "
        "download the set again.",
        "record_damaged",
    )
