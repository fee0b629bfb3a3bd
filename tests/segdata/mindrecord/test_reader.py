from __future__ import annotations

import os
import pickle
import shutil
import sqlite3
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import closing
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
from worker_functions import read_data

from segdata.errors import FaultsError, InvalidInputError, SegDataError
from segdata.mindrecord.reader import ShardReader
from segdata.mindrecord.shards import SetReader

Write = Callable[..., Any]
Row = dict[str, Any]


def test_any_shard_names_the_set(pair_set: Path, pairs: list[Row]) -> None:
    for name in ("x0", "x1", "x2"):
        rows = SetReader(pair_set.with_name(name))
        assert len(rows) == 10
        assert list(rows) == pairs


def test_a_shard_alone(pair_set: Path, pairs: list[Row]) -> None:
    shard = ShardReader(pair_set.with_name("x1"))
    assert [shard.row(number) for number in range(len(shard))] == pairs[4:8]
    for name in ("x0", "x0.db"):
        pair_set.with_name(name).unlink()
    assert ShardReader(shard.path).row(3) == pairs[7]


def test_rows_by_number_and_range(pair_set: Path, pairs: list[Row]) -> None:
    rows = SetReader(pair_set)
    assert rows[-1] == pairs[-1]
    assert rows[2:7] == pairs[2:7]
    assert rows[::-3] == pairs[::-3]
    assert rows[20:] == []
    assert [row["file_name"] for row in rows.read([9, 0, 5], ["file_name"])] == ["9.jpg", "0.jpg", "5.jpg"]
    for number in (10, -11):
        with pytest.raises(IndexError):
            rows[number]
    for number in (10, -1):
        with pytest.raises(IndexError, match=f"no row {number} in the set; expected 0 to 9"):
            rows.row(number)
        with pytest.raises(IndexError, match=f"x1: no row {number}; expected 0 to 3"):
            rows.shards[1].row(number)


def test_some_fields_in_the_given_order(pair_set: Path, pairs: list[Row]) -> None:
    rows = SetReader(pair_set)
    assert list(rows.row(3, ["label", "file_name"]).items()) == [("label", b"\3\xff"), ("file_name", "3.jpg")]
    assert rows.row(3, []) == {}
    with pytest.raises(InvalidInputError, match=": no field 'image'; expected one of data, file_name, label"):
        rows.row(3, ["image"])


def test_a_pickled_reader_reads(pair_set: Path, pairs: list[Row]) -> None:
    rows = SetReader(pair_set)
    assert rows[5] == pairs[5]
    copy = pickle.loads(pickle.dumps(rows))
    assert list(copy) == pairs


@pytest.mark.parametrize("pickled", [False, True])
def test_a_file_that_was_replaced_before_it_was_opened_is_refused(pair_set: Path, pickled: bool) -> None:
    rows = SetReader(pair_set)
    rows = pickle.loads(pickle.dumps(rows)) if pickled else rows
    path = rows.shards[1].path
    shutil.copy(path, path.with_name("other"))
    path.with_name("other").replace(path)
    with pytest.raises(SegDataError, match=r"x1: was replaced or changed after it was opened\. Open the set again"):
        rows[5]


def test_a_file_that_can_no_longer_be_read_is_named(pair_set: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object) -> bytes:
        raise OSError(116, "Stale file handle")

    rows = SetReader(pair_set)
    monkeypatch.setattr(os, "pread", refuse)
    with pytest.raises(OSError, match=r"Stale file handle: '.*x1'"):
        rows[5]


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_several_processes_read_the_same_file(pair_set: Path, pairs: list[Row], start: str) -> None:
    rows = SetReader(pair_set)
    # Open before the processes start: a forked one shares the descriptor.
    assert rows[0] == pairs[0]
    with ProcessPoolExecutor(2, mp_context=get_context(start)) as pool:
        found = [pool.submit(read_data, rows, number % 10) for number in range(100)]
        assert [each.result() for each in found] == [pairs[number % 10]["data"] for number in range(100)]


def test_several_threads_read_the_same_file(pair_set: Path, pairs: list[Row]) -> None:
    rows = SetReader(pair_set)
    numbers = [number * 7 % 10 for number in range(500)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(rows.row, numbers)) == [pairs[number] for number in numbers]


def test_a_closed_reader_opens_again(pair_set: Path, pairs: list[Row]) -> None:
    rows = SetReader(pair_set)
    before = len(os.listdir("/proc/self/fd"))
    assert list(rows) == pairs
    assert len(os.listdir("/proc/self/fd")) == before + 3
    rows.close()
    assert len(os.listdir("/proc/self/fd")) == before
    assert list(rows) == pairs
    rows.close()


def test_missing_shards_are_named(pair_set: Path) -> None:
    pair_set.with_name("x1").unlink()
    pair_set.with_name("x2").unlink()
    with pytest.raises(FaultsError, match="2 of 3 shards of its set are missing") as error:
        SetReader(pair_set)
    assert error.value.faults == (str(pair_set.with_name("x1")), str(pair_set.with_name("x2")))


def test_a_renamed_shard_is_refused(pair_set: Path) -> None:
    for suffix in ("", ".db"):
        pair_set.with_name(f"x1{suffix}").rename(pair_set.with_name(f"y1{suffix}"))
    with pytest.raises(InvalidInputError, match="y1: is named 'y1' but was written as 'x1'"):
        ShardReader(pair_set.with_name("y1"))


def test_shards_of_different_sets_are_refused(pair_set: Path, tmp_path: Path, write: Write) -> None:
    other = tmp_path / "other"
    other.mkdir()
    write(other, {"file_name": {"type": "string"}}, [[{"file_name": "a"}]] * 3)
    for suffix in ("", ".db"):
        shutil.copy(other / f"x1{suffix}", pair_set.with_name(f"x1{suffix}"))
    with pytest.raises(
        InvalidInputError, match="x0 expects shard 1 of 3 with the same schema, sizes and files"
    ) as error:
        SetReader(pair_set)
    assert error.value.code == "record_damaged"


def test_shards_that_name_only_themselves_are_not_joined_silently(tmp_path: Path, write: Write) -> None:
    # MindSpore's parallel writer leaves such files; its reader takes one of them for the set.
    for name in ("x0", "x1"):
        write(tmp_path, {"k": {"type": "int32"}}, [[{"k": 1}]], name=name)
    assert len(SetReader(tmp_path / "x0")) == 1
    write(tmp_path, {"k": {"type": "int32"}}, [[{"k": 1}], [{"k": 2}]], name="y")
    for suffix in ("", ".db"):
        (tmp_path / f"y1{suffix}").unlink()
    write(tmp_path, {"k": {"type": "int32"}}, [[{"k": 1}]], name="y1")
    with pytest.raises(InvalidInputError, match="y1: is shard 0 of 1; y0 expects shard 1 of 2"):
        SetReader(tmp_path / "y0")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("PAGE_ID_BLOB = 1", "has row 2 in blob page 1, where the header"),
        ("PAGE_ID_BLOB = 77", "has row 2 in blob page 77, where the header"),
        ("ROW_GROUP_ID = 5", "has row 2 in row group 5, where the header"),
        ("PAGE_ID_RAW = 0", "has row 2 in raw page 0, where the header"),
        ("PAGE_OFFSET_BLOB_END = 30000", "has row 2 ending at byte 30000, where the header"),
        ("PAGE_OFFSET_BLOB = PAGE_OFFSET_BLOB_END", "has row 2 ending at byte "),
        ("PAGE_OFFSET_RAW_END = 200000000", "has row 2 ending at byte 200000000"),
    ],
)
def test_an_index_that_contradicts_the_header_is_refused(pair_set: Path, change: str, sentence: str) -> None:
    with closing(sqlite3.connect(f"{pair_set}.db")) as connection:
        connection.execute(f"UPDATE INDEXES SET {change} WHERE ROW_ID = 2")
        connection.commit()
    with pytest.raises(InvalidInputError) as error:
        SetReader(pair_set)
    assert sentence in str(error.value)


def test_a_shifted_row_is_named_with_its_page(pair_set: Path, pairs: list[Row]) -> None:
    with closing(sqlite3.connect(f"{pair_set}.db")) as connection:
        connection.execute("UPDATE INDEXES SET PAGE_OFFSET_BLOB = PAGE_OFFSET_BLOB + 1 WHERE ROW_ID = 2")
        connection.commit()
    rows = SetReader(pair_set)
    assert rows[1] == pairs[1]
    with pytest.raises(InvalidInputError, match=r"x0: row 2 in page 0 has length \d+ in the page; its index has 7017"):
        rows[2]


def damage(path: Path, at: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(data)


def test_a_damaged_blob_and_damaged_scalars_are_named(pair_set: Path, pairs: list[Row]) -> None:
    size = len(pairs[0]["data"]) + 2 + 16 + 8
    damage(pair_set, (16 << 10) + size + 8, b"\xff")
    raw = (16 << 10) + (32 << 10) + 3 * (8 + 1 + 10 + 6)
    assert pair_set.read_bytes()[raw + 8] == 0x81
    damage(pair_set, raw + 8, b"\xc1")
    rows = SetReader(pair_set)
    assert rows[0] == pairs[0]
    with pytest.raises(
        InvalidInputError, match="x0: row 1 in page 0 has a field that ends after its 7018 bytes of blob"
    ):
        rows[1]
    assert rows.row(1, ["file_name"]) == {"file_name": "1.jpg"}
    with pytest.raises(InvalidInputError, match="x0: row 3 in page 1 has no readable scalars") as error:
        rows[3]
    assert error.value.code == "record_damaged"


def test_a_file_that_shrinks_while_it_is_read_is_named(pair_set: Path, pairs: list[Row]) -> None:
    rows = SetReader(pair_set)
    assert rows[0] == pairs[0]
    os.truncate(pair_set, (16 << 10) + 100)
    with pytest.raises(InvalidInputError, match="x0: row 3 in page 1 has length 0 in the page"):
        rows[3]


def test_a_row_in_another_blob_page_is_refused(tmp_path: Path, pairs: list[Row], write: Write) -> None:
    kinds = {"file_name": {"type": "string"}, "data": {"type": "bytes"}, "label": {"type": "bytes"}}
    write(tmp_path, kinds, [pairs], name="many")
    with closing(sqlite3.connect(tmp_path / "many.db")) as connection:
        connection.execute("UPDATE INDEXES SET PAGE_ID_BLOB = 1 WHERE ROW_ID = 2")
        connection.commit()
    with pytest.raises(InvalidInputError, match="has row 2 in blob page 1, where the header") as error:
        ShardReader(tmp_path / "many")
    assert error.value.code == "record_damaged"


def test_a_damaged_length_of_an_empty_row_is_named(tmp_path: Path, write: Write) -> None:
    write(tmp_path, {"data": {"type": "bytes"}}, [[{"data": b""}, {"data": b"a"}]])
    damage(tmp_path / "x", 16 << 10, b"\1")
    rows = SetReader(tmp_path / "x")
    assert rows[1] == {"data": b"a"}
    with pytest.raises(InvalidInputError, match="x: row 0 in page 0 has length 1 in the page; its index has 0"):
        rows[0]
