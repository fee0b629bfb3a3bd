"""Write a struct as a MATLAB v5 file, as MATLAB saves SBD's class masks.

Source of all facts: "MAT-File Format", The MathWorks, chapter 1 (Level 5 MAT-Files).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

#: Text at the start, without the date that MATLAB writes, so that the same masks give the same bytes.
_DESCRIPTION = b"MATLAB 5.0 MAT-file, miniature of an SBD class mask".ljust(116)

# Data types of elements (table 1-1), classes of arrays (table 1-3) and the flag of logical arrays.
_INT8, _UINT8, _INT32, _UINT32, _MATRIX, _COMPRESSED = 1, 2, 5, 6, 14, 15
_CELL, _STRUCT, _SPARSE, _UINT8_ARRAY = 1, 2, 5, 9
_LOGICAL = 0x0200


def encode_struct(name: str, fields: Mapping[str, bytes]) -> bytes:
    """Return a MATLAB v5 file with one compressed variable: a 1x1 struct.

    Args:
        name: name of the variable.
        fields: matrices from `numbers`, `sparse_logical` or `cell_column`, by field name.
    """
    length = max(map(len, fields)) + 1
    names = b"".join(field.encode().ljust(length, b"\0") for field in fields)
    variable = _matrix(
        _STRUCT,
        (1, 1),
        _element(_INT32, struct.pack("<i", length)),
        _element(_INT8, names),
        *fields.values(),
        name=name,
    )
    packed = zlib.compress(variable)
    # No reference to data of MATLAB's own (8 zeros), version 1.0, little-endian.
    header = _DESCRIPTION + bytes(8) + struct.pack("<H", 0x0100) + b"IM"
    return header + struct.pack("<II", _COMPRESSED, len(packed)) + packed


def numbers(values: npt.NDArray[np.uint8]) -> bytes:
    """Return a full matrix."""
    return _matrix(_UINT8_ARRAY, values.shape, _element(_UINT8, values.tobytes(order="F")))


def sparse_logical(values: npt.NDArray[np.bool_]) -> bytes:
    """Return a sparse logical matrix: the row of each nonzero value, where each column begins, and the values."""
    columns, rows = np.nonzero(values.T)
    begins = np.searchsorted(columns, np.arange(values.shape[1] + 1))
    return _matrix(
        _SPARSE | _LOGICAL,
        values.shape,
        _element(_INT32, rows.astype("<i4").tobytes()),
        _element(_INT32, begins.astype("<i4").tobytes()),
        _element(_UINT8, bytes([1]) * len(rows)),
        # MATLAB opens no sparse matrix without room for one value.
        room=max(1, len(rows)),
    )


def cell_column(matrices: list[bytes]) -> bytes:
    """Return a cell array of one column."""
    return _matrix(_CELL, (len(matrices), 1), *matrices)


def _matrix(class_: int, shape: tuple[int, ...], *parts: bytes, name: str = "", room: int = 0) -> bytes:
    flags = _element(_UINT32, struct.pack("<II", class_, room))
    dimensions = _element(_INT32, struct.pack(f"<{len(shape)}i", *shape))
    return _element(_MATRIX, b"".join((flags, dimensions, _element(_INT8, name.encode()), *parts)))


def _element(kind: int, body: bytes) -> bytes:
    if len(body) <= 4:  # size and type share one word
        return struct.pack("<HH", kind, len(body)) + body.ljust(4, b"\0")
    return struct.pack("<II", kind, len(body)) + body + bytes(-len(body) % 8)
