from __future__ import annotations

import gzip
import os
import struct
from pathlib import Path
from typing import Any

import msgspec
import pytest

from segdata.errors import InvalidInputError
from segdata.mindrecord.form import SetForm
from segdata.mindrecord.header import encode_header, read_shard_header
from segdata.mindrecord.pages import as_sizes, place_rows
from segdata.mindrecord.rows import RowSize
from segdata.mindrecord.schema import row_schema

SCHEMA = row_schema({"l": {"type": "int32", "shape": [-1]}, "s": {"type": "string"}}, 'a "word"\n')


def form(**other: Any) -> SetForm:
    return SetForm(
        **{"schema": SCHEMA, "addresses": ("x0", "x1"), "header_size": 16 << 10, "page_size": 32 << 10} | other
    )


def test_the_text_is_that_of_mindspore() -> None:
    header = form(saved=7).header(place_rows(as_sizes([RowSize(20, 30, 7)]), 32 << 10, 1), 1)
    text = encode_header(header)
    assert text[:8] == struct.pack("<Q", len(text) - 8)
    # What FileWriter writes for this row as second of two shards.
    assert text[8:].decode() == (
        '{"header_size":16384,"index_fields":[{"index_field":"s","schema_id":0}],"page":[{"end_row_id":1,"page_id":0,'
        '"page_size":20,"page_type":"BLOB_DATA","page_type_id":0,"row_group_ids":[{"id":0,"offset":0}],"shard_id":1,'
        '"start_row_id":0},{"end_row_id":0,"page_id":1,"page_size":30,"page_type":"RAW_DATA","page_type_id":0,'
        '"row_group_ids":[{"id":0,"offset":0}],"shard_id":1,"start_row_id":0}],"page_size":32768,"compression_size":7,'
        '"schema":[{"blob_fields":["l"],"desc":"a \\"word\\"\\n","schema":{"l":{"shape":[-1],"type":"int32"},'
        '"s":{"type":"string"}}}],"shard_addresses":["x0","x1"],"shard_id":1,"statistics":null,"version":"3.0"}'
    )


def test_a_header_without_rows_and_index_has_null() -> None:
    blobs = row_schema({"b": {"type": "bytes"}})
    text = encode_header(form(schema=blobs).header(place_rows(as_sizes([]), 32 << 10, 0), 0))
    assert b'"index_fields":null,"page":null,' in text


def test_a_header_larger_than_its_space_is_refused() -> None:
    placement = place_rows(as_sizes([RowSize(30 << 10, 30, 0)] * 100), 32 << 10, 0)
    with pytest.raises(
        InvalidInputError, match=r"takes 1\d,\d{3} bytes|takes 2\d,\d{3} bytes; expected at most 16,384"
    ):
        encode_header(form().header(placement, 0))


@pytest.mark.parametrize(
    ("other", "sentence"),
    [
        ({"header_size": 16380}, "header size is 16380; expected a multiple of 4 from 16384 to 134217728"),
        ({"header_size": 16385}, "header size is 16385"),
        ({"page_size": 300 << 20}, "page size is 314572800; expected a multiple of 4 from 32768 to 268435456"),
        ({"addresses": ()}, "0 shards; expected 1 to 1000 with different names"),
        ({"addresses": ("a", "a")}, "2 shards; expected 1 to 1000 with different names"),
        ({"addresses": ("a:b",)}, "file name 'a:b': MindSpore cannot read it"),
        ({"addresses": ("a ",)}, "without a space at its start or end"),
        ({"addresses": ("../a",)}, "file name '../a'"),
        ({"index_fields": ("l",)}, "index field 'l' is not a scalar; expected a number or a string"),
        ({"index_fields": ("z",)}, "no field 'z'; expected one of l, s"),
        ({"index_fields": ("s", "s")}, "an index field is named twice: s, s"),
    ],
)
def test_a_form_that_mindspore_cannot_read_is_refused(other: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidInputError) as error:
        form(**other)
    assert sentence in str(error.value)


@pytest.fixture
def parts(pair_set: Path) -> dict[str, Any]:
    """The header of a good shard, as JSON values."""
    return dict(msgspec.to_builtins(read_shard_header(pair_set)))


def replace_header(path: Path, parts: dict[str, Any]) -> None:
    """Write another header over that of a shard."""
    text = msgspec.json.encode(parts)
    with path.open("r+b") as file:
        file.write(struct.pack("<Q", len(text)) + text)


def test_a_header_comes_back(pair_set: Path) -> None:
    header = read_shard_header(pair_set)
    assert pair_set.read_bytes().startswith(encode_header(header))
    assert (header.rows, header.shard_id, header.shard_addresses) == (4, 0, ["x0", "x1", "x2"])


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"version": "4.0"}, "MindRecord version is '4.0'; expected 3.0 or 2.0"),
        ({"schema": []}, "has 0 schemas; expected one"),
        ({"schema": [{"blob_fields": [], "desc": "", "schema": {"s": {"type": "string"}}}] * 2}, "has 2 schemas"),
        (
            {"schema": [{"blob_fields": ["s"], "desc": "", "schema": {"s": {"type": "string"}}}]},
            "the blob fields ['s']",
        ),
        ({"schema": [{"blob_fields": [], "desc": "", "schema": {"s": {"type": "word"}}}]}, "damaged header: field 's'"),
        ({"shard_addresses": ["../x0"]}, "names a file outside its folder: '../x0'"),
        ({"shard_addresses": [""]}, "names a file outside its folder: ''"),
        ({"shard_id": 3}, "is shard 3, but names 3 files"),
        ({"header_size": 100}, "bytes in a space of 100"),
        ({"header_size": 1 << 30}, "truncated: "),
        ({"page_size": 2**40}, "damaged MindRecord header"),
        ({"page": 3}, "damaged MindRecord header"),
    ],
)
def test_a_false_header_is_refused(
    pair_set: Path, parts: dict[str, Any], change: dict[str, Any], sentence: str
) -> None:
    replace_header(pair_set, parts | change)
    with pytest.raises(InvalidInputError) as error:
        read_shard_header(pair_set)
    assert str(error.value).startswith(f"{pair_set}: ")
    assert sentence in str(error.value)
    assert error.value.code == "record_damaged"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"page_id": 3}, "page 0 has number 3"),
        ({"page_size": 40 << 10}, "page 0 has number 0 and 40960 used bytes"),
        ({"start_row_id": 1}, "page 0 has rows 1 to 4; expected from 0"),
        ({"end_row_id": 2**31 - 1}, "page 0 has rows 0 to 2147483647"),
        ({"end_row_id": -1}, "damaged MindRecord header"),
    ],
)
def test_a_false_page_is_named(pair_set: Path, parts: dict[str, Any], change: dict[str, Any], sentence: str) -> None:
    parts["page"][0] |= change
    replace_header(pair_set, parts)
    with pytest.raises(InvalidInputError) as error:
        read_shard_header(pair_set)
    assert sentence in str(error.value)


def test_a_truncated_shard_says_where_it_ends(pair_set: Path) -> None:
    size = pair_set.stat().st_size
    os.truncate(pair_set, size - 1)
    with pytest.raises(InvalidInputError, match=f"truncated: page 1 ends at byte {size}, the file at {size - 1}"):
        read_shard_header(pair_set)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "not a MindRecord file: it does not begin with a header"),
        (b"\xff" * 100, "not a MindRecord file"),
        (struct.pack("<Q", 4) + b"nope", "damaged MindRecord header"),
        (struct.pack("<Q", 4) + b"\xff\xff\xff\xff", "damaged MindRecord header"),
        (struct.pack("<Q", 9000) + b"[" * 9000, "damaged MindRecord header"),
        (gzip.compress(b"x" * 100), "a file compressed with gzip; expected a MindRecord file. Decompress it."),
        (b"\x02\x00\x00\x1c" + b"e" * 100 + b"AES-GCMENCRYPT", "an encrypted MindRecord file"),
        (b"ENCRYPT", "an encrypted MindRecord file"),
    ],
)
def test_another_file_is_refused(tmp_path: Path, content: bytes, sentence: str) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(InvalidInputError) as error:
        read_shard_header(tmp_path / "x")
    assert sentence in str(error.value)


def test_a_fifo_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x")
    with pytest.raises(InvalidInputError, match="x: is a FIFO; expected a regular file"):
        read_shard_header(tmp_path / "x")
