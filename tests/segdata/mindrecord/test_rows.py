from __future__ import annotations

import math
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

from segdata.errors import InvalidInputError
from segdata.mindrecord.rows import (
    FieldMark,
    decode_blob,
    decode_raw,
    encode_blob,
    encode_raw,
    mark_row,
    measure_row,
)
from segdata.mindrecord.schema import row_schema

ALL = row_schema(
    {
        "b": {"type": "bytes"},
        "f": {"type": "float32"},
        "g": {"type": "float64"},
        "i": {"type": "int32"},
        "j": {"type": "int64"},
        "l": {"type": "int32", "shape": [-1]},
        "s": {"type": "string"},
    }
)
ROW = st.fixed_dictionaries(
    {
        "b": st.binary(max_size=40),
        "f": st.floats(allow_nan=False),
        "g": st.floats(allow_nan=False),
        "i": st.integers(-(2**31), 2**31 - 1),
        "j": st.integers(-(2**63), 2**63 - 1),
        "l": st.lists(st.integers(-(2**31), 2**31 - 1), max_size=9).map(lambda values: np.array(values, np.int32)),
        "s": st.text(st.characters(codec="utf-8"), max_size=300),
    }
)


@given(ROW)
def test_a_row_comes_back_and_its_size_is_known(row: dict[str, Any]) -> None:
    blob, raw = b"".join(encode_blob(ALL, row)), encode_raw(ALL, row)
    back = decode_blob(ALL, blob, ALL.blob_fields, packed=True) | decode_raw(ALL, raw, ALL.raw_fields)
    assert back.pop("l").tolist() == row["l"].tolist()
    assert back == {name: value for name, value in row.items() if name != "l"}
    size = measure_row(ALL, row | {"b": len(row["b"])})
    assert (size.blob, size.raw) == (8 + len(blob), 8 + len(raw))


def test_a_blob_with_one_field_has_no_length() -> None:
    one, two = {"b": {"type": "bytes"}}, {"b": {"type": "bytes"}, "c": {"type": "bytes"}}
    assert encode_blob(row_schema(one), {"b": b"xy"}) == [b"xy"]
    assert b"".join(encode_blob(row_schema(two), {"c": b"", "b": b"xy"})) == bytes(7) + b"\2xy" + bytes(8)


def test_what_a_row_lacks_is_replaced_as_mindspore_does() -> None:
    assert encode_blob(row_schema({"s": {"type": "string"}}), {"s": ""}) == [bytes(4)]
    assert encode_raw(row_schema({"b": {"type": "bytes"}}), {"b": b""}) == b"\x81\xa2id\x00"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.5, "ca3f000000"),
        (-0.0, "ca80000000"),
        (0.1, "cb3fb999999999999a"),
        (1e39, "cb48078287f49c4a1d"),
        (math.inf, "cb7ff0000000000000"),
        (math.nan, "cb7ff8000000000000"),
        (3.4028234663852886e38, "ca7f7fffff"),
        (5e-324, "cb0000000000000001"),
    ],
)
def test_a_float_is_as_short_as_mindspore_writes_it(value: float, expected: str) -> None:
    raw = encode_raw(row_schema({"f": {"type": "float64"}}), {"f": value})
    assert raw.hex() == "81a166" + expected


def test_numpy_scalars_are_numbers() -> None:
    schema = row_schema({"i": {"type": "int32"}, "f": {"type": "float32"}})
    plain, numpy = {"i": -300, "f": 0.25}, {"i": np.int32(-300), "f": np.float32(0.25)}
    assert encode_raw(schema, numpy) == encode_raw(schema, plain)
    assert mark_row(schema, numpy) == mark_row(schema, plain)


def test_a_map_of_many_scalars_has_a_long_start() -> None:
    schema = row_schema({f"f{n:02}": {"type": "int32"} for n in range(20)})
    row = dict.fromkeys(schema.fields, 7)
    raw = encode_raw(schema, row)
    assert raw[:3] == b"\xde\x00\x14"
    assert decode_raw(schema, raw, schema.raw_fields) == row


def test_marks_are_length_and_crc_of_each_field() -> None:
    schema = row_schema({"s": {"type": "string"}, "l": {"type": "int32", "shape": [-1]}})
    marks = mark_row(schema, {"s": "é", "l": np.array([1], np.int32)})
    assert marks == {"s": FieldMark(2, zlib.crc32("é".encode())), "l": FieldMark(4, zlib.crc32(b"\1\0\0\0"))}


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ({"s": "a"}, "no field 'b'"),
        ({"s": "a", "b": b"", "c": 1}, "field 'c' is not in the schema"),
        ({"s": "a", "b": -1}, "field 'b' is int; expected bytes"),
        ({"s": 3, "b": 3}, "field 's' is int; expected a string"),
    ],
)
def test_a_row_that_is_not_of_its_schema_is_refused(row: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidInputError, match=sentence):
        measure_row(row_schema({"s": {"type": "string"}, "b": {"type": "bytes"}}), row)


@given(st.binary(max_size=60))
def test_any_bytes_are_a_blob_or_refused(data: bytes) -> None:
    schema = row_schema({"b": {"type": "bytes"}, "c": {"type": "bytes"}})
    try:
        fields = decode_blob(schema, data, ["b", "c"], packed=True)
    except InvalidInputError as error:
        assert "bytes of blob" in str(error)
        assert error.code == "record_damaged"
    else:
        assert b"".join(encode_blob(schema, fields)) == data


@given(st.binary(max_size=60))
def test_any_bytes_are_scalars_or_refused(data: bytes) -> None:
    schema = row_schema({"i": {"type": "int32"}})
    try:
        assert set(decode_raw(schema, data, ["i"])) == {"i"}
    except InvalidInputError as error:
        assert str(error).startswith(("has no readable scalars", "has no value for field 'i'", "field 'i' is"))
        assert error.code == "record_damaged"


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (b"\xc1", "has no readable scalars: MessagePack data is malformed: invalid opcode '\\\\xc1' .byte 0."),
        (b"\x80", "has no value for field 'i'"),
        (b"\x81\xa1i\xc3", "field 'i' is bool; expected an integer"),
        (b"\x81\xa1i\xce\x80\0\0\0", r"field 'i' is 2147483648; expected -2147483648 to 2147483647 \(int32\)"),
    ],
)
def test_damaged_scalars_say_what_is_wrong(raw: bytes, sentence: str) -> None:
    with pytest.raises(InvalidInputError, match=f"^{sentence}$") as error:
        decode_raw(row_schema({"i": {"type": "int32"}}), raw, ["i"])
    assert error.value.code == "record_damaged"


@pytest.mark.parametrize(
    ("blob", "sentence"),
    [
        (bytes(7) + b"\1", "has a field that ends after its 8 bytes of blob"),
        (bytes(15), "has a field that ends after its 15 bytes of blob"),
        (bytes(17), "has 17 bytes of blob; expected 16"),
        (b"", "has a field that ends after its 0 bytes of blob"),
    ],
)
def test_a_damaged_blob_says_what_is_wrong(blob: bytes, sentence: str) -> None:
    schema = row_schema({"b": {"type": "bytes"}, "c": {"type": "bytes"}})
    with pytest.raises(InvalidInputError, match=f"^{sentence}$") as error:
        decode_blob(schema, blob, ["b", "c"], packed=True)
    assert error.value.code == "record_damaged"


def test_a_damaged_array_in_a_blob_is_named() -> None:
    schema = row_schema({"a": {"type": "float32", "shape": [-1]}})
    with pytest.raises(InvalidInputError, match=r"^field 'a' has 3 bytes; expected a multiple of 4$") as error:
        decode_blob(schema, bytes(3), ["a"], packed=True)
    assert error.value.code == "record_damaged"
