"""Headers of shards: read with care, rewritten in place."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from segdata.errors import InvalidInputError
from segdata.records.stitch import count_rows, read_header, stitch

HEADER = {"shard_addresses": ["x"], "shard_id": 0, "page": [], "header_size": 16384}


def shard(path: Path, header: object) -> Path:
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(20000))
    return path


def test_a_stitched_shard_names_all_shards_and_its_place(record_set: Path) -> None:
    path = record_set / "train.mindrecord1"
    rows = path.read_bytes()[16384:]
    names = ["a.mindrecord0", "b.mindrecord1", "ü.mindrecord2"]
    stitch(path, names, 2)
    header = read_header(path)
    assert header["shard_addresses"] == names
    assert {header["shard_id"], *(page["shard_id"] for page in header["page"])} == {2}
    assert path.read_bytes()[16384:] == rows


def test_a_header_without_room_is_refused_before_it_is_written(tmp_path: Path) -> None:
    path = shard(tmp_path / "x", HEADER)
    before = path.read_bytes()
    with pytest.raises(InvalidInputError, match="does not fit into the 16384"):
        stitch(path, ["x" * 200] * 100, 0)
    assert path.read_bytes() == before


def test_rows_are_counted_by_the_last_blob_page() -> None:
    pages = [("BLOB_DATA", 10), ("RAW_DATA", 0), ("BLOB_DATA", 17)]
    assert count_rows({"page": [{"page_type": kind, "end_row_id": end} for kind, end in pages]}) == 17
    assert count_rows({"page": []}) == 0


@given(st.binary(max_size=100))
def test_other_files_are_refused_with_a_sentence(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("stitch") / "x"
    path.write_bytes(data)
    with pytest.raises(InvalidInputError, match="MindRecord"):
        read_header(path)


@pytest.mark.parametrize("header", [[], {}, {"shard_id": 0}], ids=str)
def test_json_of_another_form_is_refused(tmp_path: Path, header: object) -> None:
    with pytest.raises(InvalidInputError, match="MindRecord"):
        read_header(shard(tmp_path / "x", header))


def test_mindspores_own_files_are_read(real_data: Path) -> None:
    headers = [read_header(real_data / "mindrecord" / f"imagenet.mindrecord{index}") for index in range(4)]
    assert [count_rows(header) for header in headers] == [5, 5, 5, 5]
    assert count_rows(read_header(real_data / "mindrecord" / "twobytes.mindrecord")) == 5
