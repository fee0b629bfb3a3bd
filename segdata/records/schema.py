"""Row schemas of a record set, one per task, and conversion of rows that were read back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec
import numpy as np
import numpy.typing as npt

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

#: The field that identifies a row.
KEY: dict[TaskName, str] = {"semantic": "file_name", "instance": "image_id"}


def pack_masks(counts: Sequence[bytes]) -> bytes:
    """Pack the masks of a row into one field: a MessagePack array of the counts of compressed COCO RLEs."""
    return msgspec.msgpack.encode(counts)


def unpack_masks(data: bytes) -> list[bytes]:
    """Return the counts packed by `pack_masks`, one for each instance."""
    return msgspec.msgpack.decode(data, type=list[bytes])


def as_bytes(column: npt.NDArray[Any]) -> bytes:
    """Return a bytes column from MindSpore's reader as the bytes that were written.

    MindSpore returns such a column as NumPy ``S<n>`` of shape ``(1,)``, whose ``.item()`` strips
    trailing zero bytes; the buffer keeps them.
    """
    return np.frombuffer(column, np.uint8).tobytes()


def read_back(columns: Mapping[str, npt.NDArray[Any]], schema: Schema) -> Row:
    """Return a row from MindSpore's reader (NumPy columns) as the row that was written.

    An array without rows comes back as one element of garbage, so the number of instances is taken from `masks`.
    """
    row: Row = {}
    for name, field in schema.items():
        if field["type"] == "bytes":
            row[name] = as_bytes(columns[name])
        elif "shape" not in field:
            row[name] = columns[name].item()
    for name, field in schema.items():
        if "shape" in field:
            count = len(unpack_masks(row["masks"]))
            shape = (count, *field["shape"][1:])
            row[name] = columns[name].reshape(shape) if count else np.empty(shape, field["type"])
    return row
