"""Row schemas of a record set, one per task, and the fingerprint of a row."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import msgspec

from segdata.mindrecord.rows import FieldMark, mark_row
from segdata.mindrecord.schema import RowSchema, row_schema

TaskName = Literal["semantic", "instance"]
Schema = dict[str, dict[str, Any]]
Row = dict[str, Any]

#: The three fields of the model zoo. `data` is the encoded image, byte for byte as on disk; `label` is the 8-bit
#: single-channel PNG of class ids; `file_name` is the image's path relative to the data root.
SEMANTIC: Schema = {
    "file_name": {"type": "string"},
    "data": {"type": "bytes"},
    "label": {"type": "bytes"},
}

#: One image with N instances. `boxes` are x1, y1, x2, y2 in pixels, `labels` are 1 to K; for `masks` see `pack_masks`.
INSTANCE: Schema = {
    "image_id": {"type": "int64"},
    "file_name": {"type": "string"},
    "data": {"type": "bytes"},
    "height": {"type": "int32"},
    "width": {"type": "int32"},
    "boxes": {"type": "float32", "shape": [-1, 4]},
    "labels": {"type": "int32", "shape": [-1]},
    "iscrowd": {"type": "int32", "shape": [-1]},
    "masks": {"type": "bytes"},
}

SCHEMAS: dict[TaskName, Schema] = {"semantic": SEMANTIC, "instance": INSTANCE}

#: The same schemas as the shards have them.
ROW_SCHEMAS: dict[TaskName, RowSchema] = {task: row_schema(schema, "segdata") for task, schema in SCHEMAS.items()}

#: The field that identifies a row.
KEY: dict[TaskName, str] = {"semantic": "file_name", "instance": "image_id"}


def pack_masks(counts: Sequence[bytes]) -> bytes:
    """Pack the masks of a row into one field: a MessagePack array of the counts of compressed COCO RLEs."""
    return msgspec.msgpack.encode(counts)


def unpack_masks(data: bytes) -> list[bytes]:
    """Return the counts packed by `pack_masks`, one for each instance."""
    return msgspec.msgpack.decode(data, type=list[bytes])


def row_fingerprint(marks: Mapping[str, FieldMark], fields: Iterable[str]) -> bytes:
    """Return the fingerprint of a row: length (8 bytes) and CRC-32 (4 bytes) of each field, in schema order.

    A CRC is enough to recognize inputs and takes a quarter of the time of SHA-256, which secures the complete set.

    Args:
        marks: length and CRC-32 of each field, from `segdata.mindrecord.rows.mark_row`.
        fields: the fields in schema order.
    """
    return b"".join(struct.pack("<QI", *marks[name]) for name in fields)


def fingerprint_of(task: TaskName, row: Row) -> bytes:
    """Return the fingerprint of a row that was read; see `row_fingerprint`."""
    return row_fingerprint(mark_row(ROW_SCHEMAS[task], row), SCHEMAS[task])
