"""Join independently written shards into one set.

A shard file begins with 8 bytes, the little-endian length of a JSON header, followed by that header. `shard_addresses`
lists the files of the set; `shard_id`, in the header and in every page entry, is the index of this file in that list. A
shard that was written alone lists only itself: a reader that opens it sees no other rows and reports no error.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from segdata.errors import InvalidInputError
from segdata.records.layout import HEADER_MAX

_LENGTH = struct.Struct("<Q")


class _Page(msgspec.Struct):
    page_type: str
    end_row_id: int
    shard_id: int


class _Header(msgspec.Struct):
    """The part of a header that this module uses."""

    shard_addresses: list[str]
    shard_id: int
    header_size: int
    page: list[_Page]


def read_header(path: Path) -> dict[str, Any]:
    """Read the JSON header of a shard and validate the part that this module uses.

    Raises:
        InvalidInputError: when the file does not begin with a header, or is shorter than the space reserved for it.
    """
    with path.open("rb") as file:
        start = file.read(_LENGTH.size)
        length = _LENGTH.unpack(start)[0] if len(start) == _LENGTH.size else 0
        if not 2 <= length <= HEADER_MAX:
            raise InvalidInputError(f"{path}: not a MindRecord file (header length {length})")
        size = os.fstat(file.fileno()).st_size
        text = file.read(min(length, size))
    try:
        header: dict[str, Any] = msgspec.json.decode(text)
        form = msgspec.convert(header, _Header)
    except msgspec.ValidationError as error:
        raise InvalidInputError(f"{path}: not a MindRecord header: {error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInputError(f"{path}: damaged MindRecord header: {error}") from error
    if not _LENGTH.size + length <= form.header_size <= size:
        raise InvalidInputError(
            f"{path}: damaged MindRecord file: {size} bytes, with {form.header_size} reserved for a header of {length}"
        )
    return header


def count_rows(header: dict[str, Any]) -> int:
    """Return the number of rows of a shard from its header: the end row of its last blob page."""
    return max((page["end_row_id"] for page in header["page"] if page["page_type"] == "BLOB_DATA"), default=0)


def stitch(path: Path, names: Sequence[str], index: int) -> None:
    """Rewrite the header of the shard at `path` to make it shard `index` of `names`.

    Raises:
        InvalidInputError: when the header does not fit into the space reserved for it.
    """
    header = read_header(path)
    header["shard_addresses"] = list(names)
    header["shard_id"] = index
    for page in header["page"]:
        page["shard_id"] = index
    text = msgspec.json.encode(header)
    if _LENGTH.size + len(text) > header["header_size"]:
        raise InvalidInputError(
            f"{path}: a header of {len(text)} bytes does not fit into the {header['header_size']} bytes reserved for it"
        )
    with path.open("r+b") as file:
        file.write(_LENGTH.pack(len(text)) + text)
