"""Shards and their indexes damaged in every way: an error message, or rows of the schema."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from damaged_files import damaged, damaged_json
from hypothesis import given, strategies as st

from segdata.errors import InvalidInputError
from segdata.mindrecord.form import SetForm
from segdata.mindrecord.rows import check_row, measure_row
from segdata.mindrecord.schema import row_schema
from segdata.mindrecord.shards import SetReader
from segdata.mindrecord.writer import ShardWriter

HEADER, PAGE = 16 << 10, 32 << 10
SCHEMA = row_schema(
    {
        "boxes": {"type": "float32", "shape": [-1, 4]},
        "data": {"type": "bytes"},
        "labels": {"type": "int32", "shape": [-1]},
        "name": {"type": "string"},
        "score": {"type": "float64"},
        "width": {"type": "int32"},
    }
)
ROWS: list[dict[str, Any]] = [
    {
        "boxes": np.full((number, 4), number, np.float32),
        "data": bytes([number]) * 5,
        "labels": np.arange(number, dtype=np.int32) * 300,
        "name": f"é{number}",
        "score": number / 3,
        "width": -number,
    }
    for number in range(6)
]


@dataclass(frozen=True)
class Files:
    """A shard, and the good content of it and of its index."""

    path: Path
    shard: bytes = field(repr=False)
    index: bytes = field(repr=False)

    @property
    def header(self) -> bytes:
        """The JSON text."""
        return self.shard[8 : 8 + struct.unpack_from("<Q", self.shard)[0]]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    path = tmp_path_factory.mktemp("shard") / "x"
    sizes = [measure_row(SCHEMA, row) for row in ROWS]
    form = SetForm(schema=SCHEMA, addresses=("x",), header_size=HEADER, page_size=PAGE)
    with ShardWriter(path, form, 0, sizes) as writer:
        for row in ROWS:
            writer.write(row)
        writer.close()
    return Files(path, path.read_bytes(), Path(f"{path}.db").read_bytes())


def read_all(files: Files, shard: bytes, index: bytes) -> None:
    """Read what can be read: every row is refused, or fits the schema that the header has."""
    files.path.write_bytes(shard)
    Path(f"{files.path}.db").write_bytes(index)
    try:
        rows = SetReader(files.path)
    except InvalidInputError as error:
        assert str(files.path) in str(error)
        return
    for number in range(len(rows)):
        try:
            check_row(rows.schema, rows[number])
        except InvalidInputError as error:
            assert str(error).startswith(f"{files.path}: row {number} in page ")
            assert error.code == "record_damaged"
    rows.close()


def test_the_intact_shard_is_read(files: Files) -> None:
    read_all(files, files.shard, files.index)
    assert [row["name"] for row in SetReader(files.path)] == [row["name"] for row in ROWS]


@given(st.data())
def test_a_damaged_page(files: Files, data: st.DataObject) -> None:
    number = data.draw(st.sampled_from([0, 1]))
    start = HEADER + number * PAGE
    used = msgspec.json.decode(files.header)["page"][number]["page_size"]
    page = data.draw(damaged(files.shard[start : start + used]))[:used].ljust(used, b"\0")
    read_all(files, files.shard[:start] + page + files.shard[start + used :], files.index)


@given(st.data())
def test_a_damaged_header(files: Files, data: st.DataObject) -> None:
    text = data.draw(damaged_json(msgspec.json.decode(files.header)))
    start = (struct.pack("<Q", len(text)) + text).ljust(HEADER, b"\0")
    read_all(files, start + files.shard[HEADER:], files.index)


@given(st.data())
def test_a_damaged_start(files: Files, data: st.DataObject) -> None:
    start = data.draw(damaged(files.shard[: 8 + len(files.header)])).ljust(HEADER, b"\0")
    read_all(files, start + files.shard[HEADER:], files.index)


@given(st.data())
def test_a_truncated_shard(files: Files, data: st.DataObject) -> None:
    read_all(files, files.shard[: data.draw(st.integers(0, len(files.shard) - 1))], files.index)


@given(st.data())
def test_a_damaged_index(files: Files, data: st.DataObject) -> None:
    # Each page of the index has a header at its start and rows at its end.
    page = data.draw(st.integers(0, len(files.index) // 4096 - 1)) * 4096
    start, end = data.draw(st.sampled_from([(page, page + 120), (page + 3600, page + 4096)]))
    changed = data.draw(damaged(files.index[start:end], most=4)).ljust(end - start, b"\0")[: end - start]
    read_all(files, files.shard, files.index[:start] + changed + files.index[end:])


@given(st.data())
def test_an_index_of_another_length(files: Files, data: st.DataObject) -> None:
    read_all(files, files.shard, data.draw(damaged(files.index)))
