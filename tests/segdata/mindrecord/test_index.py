from __future__ import annotations

import math
import sqlite3
import struct
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segdata.errors import InvalidInputError, SegDataError
from segdata.mindrecord.btree import clear_unused
from segdata.mindrecord.form import SetForm
from segdata.mindrecord.index import IndexWriter, index_path
from segdata.mindrecord.places import read_places
from segdata.mindrecord.schema import row_schema

SCHEMA = row_schema({"f": {"type": "float64"}, "i": {"type": "int64"}, "s": {"type": "string"}})
FORM = SetForm(schema=SCHEMA, addresses=("x",))
PLACES = [[0, 1, 0, 10, 0, 0, 0, 20], [1, 1, 10, 20, 0, 0, 20, 40], [2, 1, 20, 30, 0, 0, 40, 60]]


def write_index(folder: Path) -> Path:
    writer = IndexWriter(folder / "x", FORM)
    for places in PLACES:
        writer.write(places, [0.5, -3, "é"])
    writer.close()
    return folder / "x"


def change(shard: Path, *statements: str) -> None:
    with closing(sqlite3.connect(index_path(shard))) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def test_sqlite_finds_the_index_correct(tmp_path: Path) -> None:
    shard = write_index(tmp_path)
    with closing(sqlite3.connect(index_path(shard))) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("SELECT * FROM SHARD_NAME").fetchall() == [("x",)]
        columns = "ROW_ID, INC_0, f_0, INC_1, i_0, INC_2, s_0"
        assert connection.execute(f"SELECT {columns} FROM INDEXES WHERE ROW_ID = 1").fetchall() == [
            (1, 0, 0.5, 0, -3, 0, "é")
        ]
    assert np.array_equal(read_places(shard, 3), PLACES)


def test_sqlite_still_finds_a_large_index_correct_after_the_unused_bytes_are_cleared(tmp_path: Path) -> None:
    writer = IndexWriter(tmp_path / "x", FORM)
    rows = 5000
    for row in range(rows):
        # Text of up to 6000 bytes needs overflow pages.
        writer.write([row, 1, 0, 10, 0, 0, 0, 20], [row / 3, row * 10**15, "é" * (row * 7919 % 3000)])
    size, _, last = writer.close()
    assert size == writer.path.stat().st_size
    assert writer.path.read_bytes().endswith(last)
    with closing(sqlite3.connect(writer.path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        total = connection.execute("SELECT SUM(ROW_ID), SUM(LENGTH(s_0)), COUNT(DISTINCT f_0) FROM INDEXES").fetchone()
    assert total == (rows * (rows - 1) // 2, sum(row * 7919 % 3000 for row in range(rows)), rows)


def test_only_unused_bytes_of_a_page_are_cleared() -> None:
    # A leaf with one cell of four bytes at the end, a free block of eight before it, and remains in between.
    page = bytearray(b"\xee" * 64)
    page[:10] = struct.pack(">BHHHBH", 13, 52, 1, 52, 0, 60)
    page[52:56] = struct.pack(">HH", 0, 8)
    clear_unused(page, 0)
    assert page[10:52] == bytes(42)
    assert page[52:] == struct.pack(">HH", 0, 8) + bytes(4) + b"\xee" * 4
    overflow = bytearray(b"\0\0\0\5" + b"\xee" * 60)
    clear_unused(overflow, 0)
    assert overflow == b"\0\0\0\5" + b"\xee" * 60


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ([0.0, 1, "a\0b"], "index field has a zero byte"),
        ([math.nan, 1, "a"], "index field is nan; expected a finite number"),
        ([math.inf, 1, "a"], "index field is inf; expected a finite number"),
    ],
)
def test_a_value_that_mindspore_cannot_read_from_an_index_is_refused(
    tmp_path: Path, values: list[Any], sentence: str
) -> None:
    writer = IndexWriter(tmp_path / "x", FORM)
    with pytest.raises(InvalidInputError, match=sentence):
        writer.write(PLACES[0], values)
    writer.discard()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("names", [("a", "A"), ("INC",), ("0a",)])
def test_fields_that_cannot_be_columns_are_refused(tmp_path: Path, names: tuple[str, ...]) -> None:
    schema = row_schema({name: {"type": "int32"} for name in names})
    with pytest.raises(InvalidInputError, match=f"index fields {', '.join(sorted(names))}: "):
        IndexWriter(tmp_path / "x", SetForm(schema=schema, addresses=("x",)))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("statement", "sentence"),
    [
        ("DELETE FROM INDEXES WHERE ROW_ID = 1", "the index has row 2 in place of row 1; expected the 3 rows"),
        ("DELETE FROM INDEXES WHERE ROW_ID = 2", "the index has the end in place of row 2"),
        ("UPDATE INDEXES SET ROW_ID = 7 WHERE ROW_ID = 2", "the index has row 7 in place of row 2"),
        (f"INSERT INTO INDEXES VALUES (3{', 1' * 13})", "the index has row 3 in place of the end"),
        (f"INSERT INTO INDEXES VALUES (1{', 1' * 13})", "the index has row 1 in place of row 2"),
        ("UPDATE INDEXES SET PAGE_ID_RAW = 'one' WHERE ROW_ID = 1", "damaged index: row 1 has (1, 'one', 10"),
        ("UPDATE INDEXES SET PAGE_ID_RAW = -1 WHERE ROW_ID = 1", "damaged index: row 1 has (1, -1, 10"),
        ("UPDATE INDEXES SET PAGE_ID_RAW = 1.5 WHERE ROW_ID = 1", "damaged index: row 1 has (1, 1.5, 10"),
        ("UPDATE SHARD_NAME SET NAME = 'y'", "is the index of 'y'; expected 'x'. MindRecord files cannot be renamed."),
        ("DELETE FROM SHARD_NAME", "is the index of no file; expected 'x'"),
        ("DROP TABLE SHARD_NAME", "not an index of a MindRecord file"),
        ("ALTER TABLE INDEXES DROP COLUMN PAGE_ID_RAW", "damaged index: no such column"),
    ],
)
def test_a_false_index_is_refused(tmp_path: Path, statement: str, sentence: str) -> None:
    shard = write_index(tmp_path)
    if statement.startswith("INSERT INTO INDEXES VALUES (1"):
        statement = statement.replace("(1, 1, 1, 1, 1, 1, 1, 1, 1,", "(1, 1, 1, 1, 1, 1, 1, 1, 9,")
    change(shard, statement)
    with pytest.raises(InvalidInputError) as error:
        read_places(shard, 3)
    assert str(error.value).startswith(f"{index_path(shard)}: ")
    assert sentence in str(error.value)
    assert error.value.code == "record_damaged"


def test_a_view_in_place_of_the_table_is_refused(tmp_path: Path) -> None:
    shard = write_index(tmp_path)
    endless = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i FROM n) SELECT i AS ROW_ID FROM n"
    change(shard, "DROP TABLE INDEXES", f"CREATE VIEW INDEXES AS {endless}")
    with pytest.raises(InvalidInputError, match="not an index of a MindRecord file"):
        read_places(shard, 3)


def test_a_missing_index_is_named(tmp_path: Path) -> None:
    shard = write_index(tmp_path)
    index_path(shard).unlink()
    with pytest.raises(InvalidInputError, match="no such file; expected the index of x"):
        read_places(shard, 3)


def test_an_index_with_a_path_that_is_too_long_for_sqlite_is_not_called_damaged(tmp_path: Path) -> None:
    shard = tmp_path / ("d" * 200) / ("e" * 200) / ("f" * 200) / "a.mindrecord"
    shard.parent.mkdir(parents=True)
    index_path(shard).write_bytes(b"")
    with pytest.raises(
        InvalidInputError, match=r"its path has 6\d\d bytes; expected at most 504, .* Move the set"
    ) as said:
        read_places(shard, 1)
    assert "damaged" not in str(said.value)


def test_another_file_is_not_an_index(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_bytes(b"x" * 5000)
    with pytest.raises(InvalidInputError, match="damaged index: file is not a database"):
        read_places(tmp_path / "x", 3)


def test_an_index_in_a_read_only_folder_with_an_odd_name_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "50% of #1? é"
    folder.mkdir()
    shard = write_index(folder)
    index_path(shard).chmod(0o400)
    folder.chmod(0o500)
    try:
        assert len(read_places(shard, 3)) == 3
    finally:
        folder.chmod(0o700)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KB."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)]
    if subprocess.run(command, capture_output=True).returncode:
        pytest.skip("a file system can only be mounted by root")
    yield place
    # Lazily: an index that could not be written is still open.
    subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.mark.parametrize("taken", [0, 60 << 10])
def test_a_full_disk_is_a_sentence_that_names_the_index(small_disk: Path, taken: int) -> None:
    (small_disk / "other").write_bytes(bytes(taken))
    form = SetForm(schema=row_schema({"name": {"type": "string"}}), addresses=("a.mindrecord",))
    with pytest.raises(SegDataError, match=rf"^{small_disk}/a\.mindrecord\.db: cannot be written \(.*full\)$"):
        index = IndexWriter(small_disk / "a.mindrecord", form)
        for row in range(3000):
            index.write([row, 1, 0, 20, 0, 0, 0, 20], [f"{row:020}"])
        index.close()
