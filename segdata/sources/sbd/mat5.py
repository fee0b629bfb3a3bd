"""Read one numeric field of a struct in a MATLAB v5 file without building the rest of the struct.

SBD's structs hold 20 sparse matrices besides the mask; scipy takes longer to build them than to inflate the file and
encode the mask. This module skips every other field and checks what a file claims before it allocates memory.
Source of all facts: "MAT-File Format", The MathWorks, chapter 1 (Level 5 MAT-Files).
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from segdata.errors import InvalidInputError
from segdata.text import plural

#: Larger files and variables (bytes) are refused before memory is allocated; SBD's have 0.3 MB.
MAX_MAT_BYTES = 1 << 26

_HEADER = 128
_HDF5 = b"\x89HDF\r\n\x1a\n"

# Data types of elements (table 1-1) and classes of arrays (table 1-3).
_INTEGERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 12: "i8", 13: "u8"}
_MATRIX, _COMPRESSED = 14, 15
_STRUCT = 2
_NUMBERS = range(6, 16)

_Element = tuple[int, memoryview]


def read_field(path: Path, variable: str, field: str) -> npt.NDArray[np.integer[Any]]:
    """Return the integer matrix `variable.field` of a 1x1 struct, in its shape and in column-major order as stored.

    Raises:
        InvalidInputError: when the file is not a MATLAB v5 file, or is truncated, damaged or larger than
            `MAX_MAT_BYTES`, and when the variable or the field is missing or of another type.
        OSError: when the file cannot be read.
    """
    with path.open("rb") as file:
        data = file.read(MAX_MAT_BYTES + 1)
    if len(data) > MAX_MAT_BYTES:
        raise InvalidInputError(f"is larger than {MAX_MAT_BYTES} bytes; expected an SBD file")
    order = _byte_order(data)
    found = []
    for kind, body in _elements(memoryview(data)[_HEADER:], order):
        matrix = _inflate(body, order) if kind == _COMPRESSED else body
        class_, shape, name, parts = _open(matrix, order)
        if name == variable:
            if class_ != _STRUCT or math.prod(shape) != 1:
                raise InvalidInputError(f"{variable} is not a 1x1 struct; expected an SBD file")
            return _integers(_select(parts, variable, field, order), f"{variable}.{field}", order)
        found.append(name)
    raise InvalidInputError(f"contains no variable {variable}; found {', '.join(found) or 'nothing'}")


def _byte_order(data: bytes) -> str:
    if _HDF5 in (data[:8], data[512:520]):
        raise InvalidInputError("is a MATLAB v7.3 file (HDF5); expected v5. Write it with save(…, '-v7').")
    order = {b"IM": "<", b"MI": ">"}.get(data[126:128])
    if order is None or struct.unpack_from(f"{order}H", data, 124) != (0x0100,):
        raise InvalidInputError(f"is not a MATLAB v5 file ({plural(len(data), 'byte')})")
    return order


def _elements(buffer: memoryview, order: str) -> Iterator[_Element]:
    """Yield the type and bytes of each data element in `buffer`."""
    at = 0
    while at < len(buffer):
        if at + 8 > len(buffer):
            raise _damaged()
        kind, size = struct.unpack_from(f"{order}II", buffer, at)
        start, step = at + 8, 8
        if kind >> 16:  # small element: size and type share one word, followed by up to four bytes
            kind, size, start = kind & 0xFFFF, kind >> 16, at + 4
        elif kind == _COMPRESSED:
            step += size
        else:
            step += -(-size // 8) * 8
        if start + size > len(buffer) or (start == at + 4 and size > 4):
            raise _damaged()
        yield kind, buffer[start : start + size]
        at += step


def _inflate(body: memoryview, order: str) -> memoryview:
    """Return the one matrix in a compressed element; its own tag states its size."""
    from imagecodecs import DeflateError, deflate_decode

    try:
        tag = zlib.decompressobj().decompress(body, 8)
        if len(tag) < 8:
            raise _damaged()
        kind, size = struct.unpack(f"{order}II", tag)
        if kind != _MATRIX:
            raise _damaged()
        if size > MAX_MAT_BYTES:
            raise InvalidInputError(f"claims a variable of {size} bytes; expected at most {MAX_MAT_BYTES}")
        data = deflate_decode(bytes(body), out=8 + size)
    except (zlib.error, DeflateError) as error:
        raise _damaged() from error
    if len(data) != 8 + size:
        raise _damaged()
    return memoryview(data)[8:]


def _open(matrix: memoryview, order: str) -> tuple[int, tuple[int, ...], str, Iterator[_Element]]:
    """Return the class, shape and name of a matrix, and its remaining elements."""
    parts = _elements(matrix, order)
    flags, dimensions, name = _next(parts, 6, 8), _next(parts, 5, 8), _next(parts, 1, 0)
    class_ = struct.unpack_from(f"{order}I", flags)[0] & 0xFF
    shape = tuple(np.frombuffer(dimensions[: len(dimensions) // 4 * 4], f"{order}i4").tolist())
    if min(shape) < 0:
        raise _damaged()
    return class_, shape, bytes(name).decode("latin-1"), parts


def _select(parts: Iterator[_Element], variable: str, field: str, order: str) -> memoryview:
    """Return the matrix of one field of a struct, from the elements after the struct's name."""
    (length,) = struct.unpack_from(f"{order}i", _next(parts, 5, 4))
    packed = bytes(_next(parts, 1, 0)).decode("latin-1")
    if length < 1 or len(packed) % length:
        raise _damaged()
    names = [packed[at : at + length].split("\0")[0] for at in range(0, len(packed), length)]
    if field not in names:
        raise InvalidInputError(f"{variable} has no field {field}; found {', '.join(names) or 'none'}")
    # Read all of them: if one is missing, those after it would get the wrong names.
    matrices = [_next(parts, _MATRIX, 0) for _ in names]
    return matrices[names.index(field)]


def _integers(matrix: memoryview, name: str, order: str) -> npt.NDArray[np.integer[Any]]:
    class_, shape, _, parts = _open(matrix, order)
    kind, body = next(parts, (0, memoryview(b"")))
    if class_ not in _NUMBERS or kind not in _INTEGERS:
        raise InvalidInputError(f"{name} is not a full matrix of integers; expected an SBD file")
    values = np.dtype(f"{order}{_INTEGERS[kind]}")
    if len(body) != math.prod(shape) * values.itemsize:
        raise _damaged()
    return np.frombuffer(body, values).reshape(shape, order="F")


def _next(parts: Iterator[_Element], kind: int, least: int) -> memoryview:
    found, body = next(parts, (0, memoryview(b"")))
    if found != kind or len(body) < least:
        raise _damaged()
    return body


def _damaged() -> InvalidInputError:
    return InvalidInputError("is a truncated or damaged MATLAB file")
