"""One field as bytes: arrays, packed integers, and the check of a value against its type.

The packing of integers was read off ``ShardColumn::CompressInt`` (``shard_column.cc``): 4 bytes big-endian count, then
a 2-bit width code for each value, first value in the highest bits, padded to full bytes, then each value little-endian
and signed in 1, 2, 4 or 8 bytes.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import numpy.typing as npt

from segdata.errors import InvalidInputError
from segdata.mindrecord.schema import FieldForm

_COUNT = struct.Struct(">I")
_RANGES = {"int32": (-(2**31), 2**31 - 1), "int64": (-(2**63), 2**63 - 1)}
_INTEGERS, _FLOATS = (int, np.int32, np.int64), (float, np.float32, np.float64)
_SHIFTS = np.array([6, 4, 2, 0], np.uint8)


def check_value(form: FieldForm, value: Any) -> str | None:
    """Return what is wrong with a value for a field of this form, or ``None``.

    Allowed is what ``FileWriter`` accepts: ``bytes``, ``str``, integers, floats, and arrays of exactly the field's
    type whose size fits the shape.
    """
    found = type(value).__name__
    if form.shape is not None:
        if not isinstance(value, np.ndarray) or value.dtype != np.dtype(form.type):
            described = f"array of {value.dtype}" if isinstance(value, np.ndarray) else found
            return f"is {described}; expected a NumPy array of {form.type}"
        return None if _fits(value.size, form.shape) else f"has shape {value.shape}; expected {list(form.shape)}"
    if form.type == "bytes":
        return None if isinstance(value, bytes) else f"is {found}; expected bytes"
    if form.type == "string":
        return _string_fault(value) if isinstance(value, str) else f"is {found}; expected a string"
    if form.type in _RANGES:
        if not isinstance(value, _INTEGERS) or isinstance(value, bool):
            return f"is {found}; expected an integer"
        low, high = _RANGES[form.type]
        return None if low <= value <= high else f"is {value}; expected {low} to {high} ({form.type})"
    return None if isinstance(value, _FLOATS) else f"is {found}; expected a float"


def _fits(size: int, shape: tuple[int, ...]) -> bool:
    fixed = int(np.prod([length for length in shape if length != -1], dtype=np.int64))
    return size % fixed == 0 if -1 in shape else size == fixed


def _string_fault(value: str) -> str | None:
    try:
        value.encode()
    except UnicodeEncodeError:
        return f"is {value!r}; expected a string that UTF-8 can represent"
    return None


def plain_scalar(value: Any) -> Any:
    """Return a NumPy number as the Python number that it is; other values as they are."""
    return value.item() if isinstance(value, np.generic) else value


def value_bytes(form: FieldForm, value: Any) -> bytes:
    """Return a value as bytes, independent of how a file stores it.

    UTF-8 for a string, 8 bytes little-endian for a number, the values of an array little-endian in C order.
    """
    if isinstance(value, np.ndarray):
        return value.astype(form.dtype).tobytes()
    if form.type == "string":
        return str(value).encode()
    if form.type in _RANGES:
        return int(value).to_bytes(8, "little", signed=True)
    return bytes(value) if form.type == "bytes" else struct.pack("<d", value)


def stored_size(form: FieldForm, value: Any) -> tuple[int, int]:
    """Return the bytes that a blob field takes in a file, and those that it takes before its integers are packed.

    Args:
        form: form of a field in a blob page.
        value: the value; the length of the value is enough for bytes.
    """
    if form.shape is None:
        size = value if isinstance(value, int) else len(value)
        return size, size
    if not form.packed:
        return value.nbytes, value.nbytes
    codes = _width_codes(value.ravel())
    return _COUNT.size + -(-value.size // 4) + int((1 << codes).sum()), value.nbytes


def encode_blob_field(form: FieldForm, value: Any) -> bytes:
    """Return a field of a blob page as version 3.0 stores it."""
    return pack_integers(value.ravel()) if form.packed else value_bytes(form, value)


def decode_blob_field(form: FieldForm, data: bytes | memoryview, *, packed: bool) -> bytes | npt.NDArray[Any]:
    """Return the value of a field of a blob page.

    Args:
        form: form of the field.
        data: its bytes in the file.
        packed: whether integers are packed, as in version 3.0.

    Raises:
        InvalidInputError: when the bytes cannot be a value of this form.
    """
    if form.shape is None:
        return bytes(data)
    if packed and form.packed:
        values = unpack_integers(data)
        low, high = _RANGES[form.type]
        if values.size and not low <= values.min() <= values.max() <= high:
            raise InvalidInputError(f"has a value outside {form.type}", "record_damaged")
        values = values.astype(form.type)
    else:
        size = np.dtype(form.type).itemsize
        if len(data) % size:
            raise InvalidInputError(f"has {len(data)} bytes; expected a multiple of {size}", "record_damaged")
        values = np.frombuffer(data, form.dtype).astype(form.type)
    if not _fits(values.size, form.shape):
        raise InvalidInputError(f"has {values.size} values; expected shape {list(form.shape)}", "record_damaged")
    return values.reshape(form.shape)


def pack_integers(values: npt.NDArray[Any]) -> bytes:
    """Pack integers, each in as few bytes as it needs.

    >>> pack_integers(np.array([1, -300], np.int32)).hex()
    '000000021001d4fe'

    Args:
        values: ``(N,)`` int32 or int64.
    """
    codes = _width_codes(values)
    quads = np.zeros((-(-values.size // 4), 4), np.uint8)
    quads.reshape(-1)[: values.size] = codes
    bits: npt.NDArray[np.uint8] = np.bitwise_or.reduce(quads << _SHIFTS, axis=1)
    wide = values.astype("<i8").view(np.uint8).reshape(-1, 8)
    body: bytes = wide[_used_bytes(codes)].tobytes()
    return _COUNT.pack(values.size) + bits.tobytes() + body


def unpack_integers(data: bytes | memoryview) -> npt.NDArray[np.int64]:
    """Return the integers that `pack_integers` packed, ``(N,)`` int64.

    Raises:
        InvalidInputError: when count, width codes and length contradict each other.
    """
    if len(data) < _COUNT.size:
        raise InvalidInputError(f"has {len(data)} bytes; expected the number of values in 4", "record_damaged")
    (count,) = _COUNT.unpack_from(data)
    # Each value takes at least a byte: a false count cannot make this use memory.
    if count > len(data):
        raise InvalidInputError(f"has {len(data)} bytes; expected {count} values", "record_damaged")
    start = _COUNT.size + -(-count // 4)
    bits = np.frombuffer(data, np.uint8)[_COUNT.size : start]
    codes = ((bits[:, None] >> _SHIFTS) & np.uint8(3)).reshape(-1)[:count].astype(np.uint8)
    expected = start + int((1 << codes.astype(np.int64)).sum())
    if expected != len(data) or len(codes) != count:
        raise InvalidInputError(f"has {len(data)} bytes; expected {expected} for {count} values", "record_damaged")
    wide = np.zeros((count, 8), np.uint8)
    wide[_used_bytes(codes)] = np.frombuffer(data, np.uint8)[start:]
    unused = 64 - (8 << codes.astype(np.int64))
    signed: npt.NDArray[np.int64] = (wide.view("<i8").reshape(-1).astype(np.int64) << unused) >> unused
    return signed


def _width_codes(values: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Return 0, 1, 2 or 3 for values that need 1, 2, 4 or 8 bytes."""
    codes = np.zeros(values.size, np.uint8)
    for bits in (8, 16, 32):
        codes += (values < -(1 << bits - 1)) | (values > (1 << bits - 1) - 1)
    return codes


def _used_bytes(codes: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    return np.arange(8) < (1 << codes)[:, None]
