from __future__ import annotations

import hashlib
import tempfile
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import pytest

from segdata.errors import InvalidInputError
from segdata.mindrecord.form import SetForm
from segdata.mindrecord.rows import FieldMark, measure_row
from segdata.mindrecord.schema import row_schema
from segdata.mindrecord.shards import SetReader
from segdata.mindrecord.writer import ShardWriter

SCHEMA = row_schema({"file_name": {"type": "string"}, "data": {"type": "bytes"}})
FORM = SetForm(schema=SCHEMA, addresses=("x",), header_size=16 << 10, page_size=32 << 10)
ROWS = [{"file_name": f"{n}.jpg", "data": bytes([n]) * 20_000} for n in range(3)]
SIZES = [measure_row(SCHEMA, row) for row in ROWS]


def test_digests_are_those_of_the_files(tmp_path: Path) -> None:
    with ShardWriter(tmp_path / "x", FORM, 0, SIZES) as writer:
        marks = [writer.write(row) for row in ROWS]
        written = writer.close()
    shard, index = (tmp_path / "x").read_bytes(), (tmp_path / "x.db").read_bytes()
    assert (written.rows, written.bytes, written.index_bytes) == (3, len(shard), len(index))
    assert written.sha256 == hashlib.sha256(shard).hexdigest()
    assert written.index_sha256 == hashlib.sha256(index).hexdigest()
    assert marks[1] == {
        "data": FieldMark(20_000, zlib.crc32(bytes([1]) * 20_000)),
        "file_name": FieldMark(5, zlib.crc32(b"1.jpg")),
    }
    assert SetReader(tmp_path / "x")[:] == ROWS


def test_sizes_are_enough_without_the_content_of_bytes(tmp_path: Path) -> None:
    sizes = [measure_row(SCHEMA, row | {"data": len(row["data"])}) for row in ROWS]
    assert sizes == SIZES


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    def write(folder: Path) -> Any:
        folder.mkdir()
        with ShardWriter(folder / "x", FORM, 0, SIZES) as writer:
            for row in ROWS:
                writer.write(row)
            return writer.close()

    assert write(tmp_path / "a") == write(tmp_path / "b")


def test_files_have_the_mode_of_any_new_file(tmp_path: Path) -> None:
    with ShardWriter(tmp_path / "x", FORM, 0, []) as writer:
        writer.close()
    (tmp_path / "new").touch()
    assert {path.stat().st_mode for path in tmp_path.iterdir()} == {(tmp_path / "new").stat().st_mode}


def test_a_shard_without_rows_can_be_read(tmp_path: Path) -> None:
    with ShardWriter(tmp_path / "x", FORM, 0, []) as writer:
        assert writer.close().rows == 0
    assert list(SetReader(tmp_path / "x")) == []


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        (ROWS[:2], "x: 2 rows written; expected 3"),
        ([*ROWS, ROWS[0]], "x: row 3: one row too many; expected 3"),
        ([ROWS[0], ROWS[1] | {"data": b"short"}], "x: row 1: takes 13 and 25 bytes; expected 20008 and 25"),
        ([ROWS[0], ROWS[1] | {"file_name": "longer.jpg"}], "x: row 1: takes 20008 and 30 bytes; expected 20008 and 25"),
        ([{"data": b""}], "x: row 0: no field 'file_name'"),
        ([ROWS[0] | {"file_name": "\0.jpg"}], "x: row 0: index field has a zero byte"),
        ([ROWS[0] | {"file_name": 3}], "x: row 0: field 'file_name' is int; expected a string"),
    ],
)
def test_an_unfinished_shard_leaves_no_file(tmp_path: Path, rows: list[dict[str, Any]], sentence: str) -> None:
    with pytest.raises(InvalidInputError) as error:
        with ShardWriter(tmp_path / "x", FORM, 0, SIZES) as writer:
            for row in rows:
                writer.write(row)
            writer.close()
    assert str(error.value).startswith(sentence)
    assert list(tmp_path.iterdir()) == []


def test_a_shard_that_is_not_closed_leaves_no_file(tmp_path: Path) -> None:
    with ShardWriter(tmp_path / "x", FORM, 0, SIZES) as writer:
        writer.write(ROWS[0])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["x", "x.db"])
def test_a_file_that_exists_stays(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(FileExistsError):
        ShardWriter(tmp_path / "x", FORM, 0, SIZES)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "mine"


@pytest.mark.parametrize(("name", "shard_id"), [("y", 0), ("x", 1), ("x", -1)])
def test_a_shard_has_the_name_that_its_set_expects(tmp_path: Path, name: str, shard_id: int) -> None:
    with pytest.raises(InvalidInputError, match=f"{name} is not file {shard_id} of x"):
        ShardWriter(tmp_path / name, FORM, shard_id, SIZES)
    assert list(tmp_path.iterdir()) == []


def test_a_row_larger_than_a_page_is_refused_before_a_file_is_made(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="row 0 takes 40,008 bytes"):
        ShardWriter(tmp_path / "x", FORM, 0, [measure_row(SCHEMA, ROWS[0] | {"data": 40_000})])
    assert list(tmp_path.iterdir()) == []


def test_an_end_that_mindspore_takes_for_encryption_is_refused(tmp_path: Path) -> None:
    row = {"file_name": "ENCRYPT", "data": b""}
    with pytest.raises(InvalidInputError, match="x: would end with ENCRYPT, which MindSpore takes for encryption"):
        with ShardWriter(tmp_path / "x", FORM, 0, [measure_row(SCHEMA, row)]) as writer:
            writer.write(row)
            writer.close()
    assert list(tmp_path.iterdir()) == []


def test_memory_does_not_grow_with_the_shard(tmp_path: Path) -> None:
    schema = row_schema({"text": {"type": "string"}, "data": {"type": "bytes"}})
    form = SetForm(schema=schema, addresses=("x",), index_fields=(), header_size=1 << 20, page_size=1 << 20)
    # 100 MB of blobs, and 40 MB of scalars, which wait in a file.
    row = {"text": "a" * 40_000, "data": bytes(100_000)}
    sizes = [measure_row(schema, row)] * 1000
    tracemalloc.start()
    try:
        with ShardWriter(tmp_path / "x", form, 0, sizes) as writer:
            for _ in sizes:
                writer.write(row)
            writer.close()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 40 << 20
    assert SetReader(tmp_path / "x")[-1] == row


def test_scalars_wait_in_the_folder_of_the_shard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The folder of temporary files may be on a smaller disk.
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    schema = row_schema({"text": {"type": "string"}})
    form = SetForm(schema=schema, addresses=("x",), index_fields=(), header_size=16 << 10, page_size=1 << 20)
    row = {"text": "a" * 1_000_000}
    with ShardWriter(tmp_path / "x", form, 0, [measure_row(schema, row)] * 18) as writer:
        for _ in range(18):
            writer.write(row)
        writer.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x", "x.db"]
    assert SetReader(tmp_path / "x")[17] == row
