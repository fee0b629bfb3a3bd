"""One row as bytes: its blob, its raw part, and how large they are.

The blob has the bytes and arrays; the raw part is a MessagePack map of the scalars. Sizes can be measured without the
content of bytes fields, before any file is read.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

import msgspec

from segdata.errors import InvalidInputError
from segdata.mindrecord.fields import (
    check_value,
    decode_blob_field,
    encode_blob_field,
    plain_scalar,
    stored_size,
    value_bytes,
)
from segdata.mindrecord.schema import RowSchema

#: Length in front of every row, in blob pages and in raw pages.
ROW_LENGTH = struct.Struct("<Q")

#: Length in front of every field of a blob with several fields. A blob with one field has that field only.
_FIELD_LENGTH = struct.Struct(">Q")

#: What MindSpore writes in place of a blob, or of scalars, in rows that have none.
_NO_BLOB, _NO_SCALARS = bytes(4), {"id": 0}

_FLOAT32, _FLOAT64 = struct.Struct(">Bf"), struct.Struct(">Bd")


class RowSize(NamedTuple):
    """Bytes of a row in a blob page and in a raw page, lengths included, and bytes saved by packing its integers."""

    blob: int
    raw: int
    saved: int


class FieldMark(NamedTuple):
    """Length and CRC-32 of `value_bytes` of one value."""

    size: int
    crc: int


def measure_row(schema: RowSchema, row: Mapping[str, Any]) -> RowSize:
    """Return the sizes of a row in a file.

    >>> from segdata.mindrecord.schema import row_schema
    >>> measure_row(row_schema({"name": {"type": "string"}, "data": {"type": "bytes"}}), {"name": "a", "data": 100_000})
    RowSize(blob=100008, raw=16, saved=0)

    Args:
        schema: the fields.
        row: values of all fields; for a field of type bytes, the number of bytes is enough.

    Raises:
        InvalidInputError: when a value does not fit its field, or a field is missing or unknown.
    """
    check_row(schema, row, lengths=True)
    sizes = [stored_size(schema.fields[name], row[name]) for name in schema.blob_fields]
    lengths = _FIELD_LENGTH.size * len(sizes) if len(sizes) > 1 else 0
    blob = sum(stored for stored, _ in sizes) + lengths if sizes else len(_NO_BLOB)
    saved = sum(unpacked - stored for stored, unpacked in sizes)
    return RowSize(ROW_LENGTH.size + blob, ROW_LENGTH.size + len(encode_raw(schema, row)), saved)


def check_row(schema: RowSchema, row: Mapping[str, Any], *, lengths: bool = False) -> None:
    """Check that a row has exactly the fields of its schema and that every value fits.

    Args:
        schema: the fields.
        row: values of all fields.
        lengths: also take a number of bytes as the value of a field of type bytes.

    Raises:
        InvalidInputError: names the first field that does not.
    """
    if row.keys() != schema.fields.keys():
        if missing := [name for name in schema.fields if name not in row]:
            raise InvalidInputError(f"no field {missing[0]!r}")
        surplus = next(name for name in row if name not in schema.fields)
        raise InvalidInputError(f"field {surplus!r} is not in the schema")
    for name, form in schema.fields.items():
        value = row[name]
        if lengths and form.type == "bytes" and isinstance(value, int) and value >= 0:
            continue
        if fault := check_value(form, value):
            raise InvalidInputError(f"field {name!r} {fault}")


def encode_blob(schema: RowSchema, row: Mapping[str, Any]) -> list[bytes]:
    """Return the blob of a row, in parts to write one after another."""
    fields = [encode_blob_field(schema.fields[name], row[name]) for name in schema.blob_fields]
    if len(fields) < 2:
        return fields or [_NO_BLOB]
    return [part for data in fields for part in (_FIELD_LENGTH.pack(len(data)), data)]


def encode_raw(schema: RowSchema, row: Mapping[str, Any]) -> bytes:
    """Return the scalars of a row as a MessagePack map with sorted keys and numbers as short as MindSpore's."""
    scalars = {name: plain_scalar(row[name]) for name in schema.raw_fields} or _NO_SCALARS
    count = len(scalars)
    start = bytes([0x80 | count]) if count < 16 else struct.pack(">BH", 0xDE, count)
    return start + b"".join([_encoded_name(name) + _scalar(value) for name, value in scalars.items()])


@cache
def _encoded_name(name: str) -> bytes:
    return msgspec.msgpack.encode(name)


def _scalar(value: Any) -> bytes:
    if not isinstance(value, float):
        return msgspec.msgpack.encode(value)
    # nlohmann's writer takes 4 bytes for a float that survives them. A NaN equals nothing and takes 8.
    short = _FLOAT32.pack(0xCA, value) if abs(value) <= 3.4028234663852886e38 else b""
    return short if short and _FLOAT32.unpack(short)[1] == value else _FLOAT64.pack(0xCB, value)


def mark_row(schema: RowSchema, row: Mapping[str, Any]) -> dict[str, FieldMark]:
    """Return length and CRC-32 of every field of a row."""
    # A tenth of the time of zlib's.
    from imagecodecs import zlibng_crc32

    data = ((name, value_bytes(form, plain_scalar(row[name]))) for name, form in schema.fields.items())
    return {name: FieldMark(len(value), zlibng_crc32(value)) for name, value in data}


def decode_blob(schema: RowSchema, blob: bytes | memoryview, names: Sequence[str], *, packed: bool) -> dict[str, Any]:
    """Return the fields `names` of a blob.

    Raises:
        InvalidInputError: when the lengths in the blob contradict it, or a field cannot be decoded.
    """
    parts = _split(blob, len(schema.blob_fields))
    values: dict[str, Any] = {}
    for name, part in zip(schema.blob_fields, parts, strict=True):
        if name in names:
            try:
                values[name] = decode_blob_field(schema.fields[name], part, packed=packed)
            except InvalidInputError as error:
                raise InvalidInputError(f"field {name!r} {error}", error.code) from error
    return values


def _split(blob: bytes | memoryview, count: int) -> list[bytes | memoryview]:
    if count < 2:
        return [blob] * count
    parts: list[bytes | memoryview] = []
    at = 0
    for _ in range(count):
        end = at + _FIELD_LENGTH.size
        size = _FIELD_LENGTH.unpack_from(blob, at)[0] if end <= len(blob) else 0
        if end + size > len(blob):
            raise InvalidInputError(f"has a field that ends after its {len(blob)} bytes of blob", "record_damaged")
        parts.append(blob[end : end + size])
        at = end + size
    if at != len(blob):
        raise InvalidInputError(f"has {len(blob)} bytes of blob; expected {at}", "record_damaged")
    return parts


def decode_raw(schema: RowSchema, data: bytes | memoryview, names: Sequence[str]) -> dict[str, Any]:
    """Return the scalars `names` of a raw part.

    Raises:
        InvalidInputError: when it is not a MessagePack map, or a value is missing or of another type.
    """
    try:
        scalars = msgspec.msgpack.decode(data, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInputError(f"has no readable scalars: {error}", "record_damaged") from error
    for name in names:
        if name not in scalars:
            raise InvalidInputError(f"has no value for field {name!r}", "record_damaged")
        if fault := check_value(schema.fields[name], scalars[name]):
            raise InvalidInputError(f"field {name!r} {fault}", "record_damaged")
    return {name: scalars[name] for name in names}
