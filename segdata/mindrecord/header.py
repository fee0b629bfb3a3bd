"""The header of a shard: JSON in a space reserved at the start of the file.

A shard begins with the length of the JSON (8 bytes little-endian). Key order and spacing are those of
``ShardHeader::SerializeHeader`` (``shard_header.cc``).
"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Literal, NoReturn

import msgspec

from segdata.errors import InvalidInputError
from segdata.mindrecord.schema import RowSchema, row_schema
from segdata.regular import check_regular

BLOB: Literal["BLOB_DATA"] = "BLOB_DATA"
RAW: Literal["RAW_DATA"] = "RAW_DATA"

#: Limits of ``FileWriter``; header and page size must also be multiples of four.
HEADER_SIZES, PAGE_SIZES, SHARDS_MAX = (16 << 10, 128 << 20), (32 << 10, 256 << 20), 1000

#: Integers of arrays are packed from version 3.0 on.
VERSION, OLD_VERSION = "3.0", "2.0"

_LENGTH = struct.Struct("<Q")
_Count = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
_ENCRYPTED = b"ENCRYPT"
_COMPRESSED = {
    b"\x1f\x8b": "gzip",
    b"(\xb5/\xfd": "Zstandard",
    b"\xfd7zXZ": "xz",
    b"PK\x03\x04": "ZIP",
    b"BZh": "bzip2",
}


class GroupOffset(msgspec.Struct, frozen=True):
    """A group of rows in a raw page, and the byte of the page where it starts."""

    id: _Count
    offset: _Count


class PageEntry(msgspec.Struct, frozen=True):
    """One page; `page_size` is the number of used bytes. Raw pages name groups instead of rows."""

    end_row_id: _Count
    page_id: _Count
    page_size: _Count
    page_type: Literal["BLOB_DATA", "RAW_DATA"]
    page_type_id: _Count
    row_group_ids: list[GroupOffset]
    shard_id: _Count
    start_row_id: _Count


class IndexField(msgspec.Struct, frozen=True):
    """A field that the index has a column for."""

    index_field: str
    schema_id: _Count


class SchemaEntry(msgspec.Struct, frozen=True):
    """The schema as the header has it."""

    blob_fields: list[str]
    desc: str
    schema: dict[str, dict[str, Any]]


class ShardHeader(msgspec.Struct, frozen=True, kw_only=True):
    """The header; empty lists are ``null``. Version 2.0 has no `compression_size`.

    `compression_size` is the number of bytes that packing saved in the set, not a sign of compression.
    """

    header_size: _Count
    index_fields: list[IndexField] | None
    page: list[PageEntry] | None
    page_size: Annotated[int, msgspec.Meta(ge=4, le=PAGE_SIZES[1])]
    compression_size: Annotated[int, msgspec.Meta(ge=0)] = 0
    schema: list[SchemaEntry]
    shard_addresses: list[str]
    shard_id: _Count
    statistics: Any = None
    version: str

    @property
    def pages(self) -> list[PageEntry]:
        """The pages in file order."""
        return self.page or []

    @property
    def rows(self) -> int:
        """Number of rows: the end of the last blob page."""
        return max((page.end_row_id for page in self.pages if page.page_type == BLOB), default=0)

    @property
    def packed(self) -> bool:
        """Whether integers of arrays are packed."""
        return self.version != OLD_VERSION

    @property
    def form(self) -> tuple[Any, ...]:
        """Values that must be the same in all shards of a set; MindSpore's reader requires it too."""
        return self.header_size, self.page_size, self.version, self.index_fields, self.schema, self.shard_addresses


def encode_header(header: ShardHeader) -> bytes:
    """Return the start of a shard: length and JSON, without the padding.

    Raises:
        InvalidInputError: when it does not fit into the header size.
    """
    text = msgspec.json.encode(header)
    if _LENGTH.size + len(text) > header.header_size:
        raise InvalidInputError(
            f"the header takes {_LENGTH.size + len(text):,} bytes; expected at most {header.header_size:,}, the header "
            "size. Choose a larger page size or header size."
        )
    return _LENGTH.pack(len(text)) + text


def read_shard_header(path: Path) -> ShardHeader:
    """Read and check the header of a shard.

    Raises:
        InvalidInputError: when the file is not a shard, is encrypted, compressed, truncated or damaged, has another
            version or several schemas.
        OSError: when it cannot be read.
    """
    try:
        check_regular(path)
    except InvalidInputError as error:
        raise InvalidInputError(f"{path}: {error}", error.code) from error
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        start = file.read(_LENGTH.size)
        length = _LENGTH.unpack(start)[0] if len(start) == _LENGTH.size else 0
        if not 2 <= length <= HEADER_SIZES[1]:
            _refuse(path, file, start, size)
        text = file.read(min(length, size))
    try:
        header = msgspec.json.decode(text, type=ShardHeader)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInputError(f"{path}: damaged MindRecord header: {error}", "record_damaged") from error
    try:
        fault = _form_fault(header) or _space_fault(header, length, size) or _page_fault(header, size)
    except InvalidInputError as error:
        fault = f"damaged header: {error}"
    if fault:
        raise InvalidInputError(f"{path}: {fault}", "record_damaged")
    return header


def _refuse(path: Path, file: BinaryIO, start: bytes, size: int) -> NoReturn:
    """Raise the error for a file that does not begin with a header."""
    file.seek(max(0, size - len(_ENCRYPTED)))
    if file.read() == _ENCRYPTED:
        what = "an encrypted MindRecord file. Write it again without set_enc_key."
    elif kind := next((name for magic, name in _COMPRESSED.items() if start.startswith(magic)), None):
        what = f"a file compressed with {kind}; expected a MindRecord file. Decompress it."
    else:
        what = "not a MindRecord file: it does not begin with a header; expected a file of a record set"
    raise InvalidInputError(f"{path}: {what}", "record_damaged")


def _form_fault(header: ShardHeader) -> str | None:
    if header.version not in (VERSION, OLD_VERSION):
        return f"MindRecord version is {header.version!r}; expected {VERSION} or {OLD_VERSION}"
    if len(header.schema) != 1:
        return f"has {len(header.schema)} schemas; expected one"
    schema = stored_schema(header)
    if sorted(header.schema[0].blob_fields) != list(schema.blob_fields):
        return f"its schema has the blob fields {header.schema[0].blob_fields}; expected {list(schema.blob_fields)}"
    if odd := [name for name in header.shard_addresses if not name or set("/\\\0") & set(name) or name in (".", "..")]:
        return f"names a file outside its folder: {odd[0]!r}"
    if header.shard_id >= len(header.shard_addresses):
        return f"is shard {header.shard_id}, but names {len(header.shard_addresses)} files"
    return None


def _space_fault(header: ShardHeader, length: int, size: int) -> str | None:
    if _LENGTH.size + length > header.header_size:
        return f"damaged header: {length} bytes in a space of {header.header_size}"
    # A shard without rows ends with its header.
    needed = header.header_size if header.pages else _LENGTH.size + length
    return None if size >= needed else f"truncated: {size} bytes; expected {needed} or more"


def _page_fault(header: ShardHeader, size: int) -> str | None:
    rows = 0
    for number, page in enumerate(header.pages):
        where = f"page {number}"
        end = header.header_size + number * header.page_size + page.page_size
        if page.page_id != number or page.page_size > header.page_size:
            return f"damaged header: {where} has number {page.page_id} and {page.page_size} used bytes"
        if end > size:
            return f"truncated: {where} ends at byte {end}, the file at {size}. Copy or download the file again."
        if page.page_type == BLOB:
            # Each row takes at least its length: a false number of rows cannot make a reader use memory.
            if page.start_row_id != rows or not 0 <= page.end_row_id - rows <= page.page_size // _LENGTH.size:
                return (
                    f"damaged header: {where} has rows {page.start_row_id} to {page.end_row_id}; expected from {rows}"
                )
            rows = page.end_row_id
    return None


def stored_schema(header: ShardHeader) -> RowSchema:
    """Return the schema of a header.

    Raises:
        InvalidInputError: when it is not valid.
    """
    return row_schema(header.schema[0].schema, header.schema[0].desc)
