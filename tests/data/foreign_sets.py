"""MindRecord files as other programs write them: without a manifest, with fields of any names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask

from segdata.coco.rle import to_rle
from segdata.mindrecord.form import SetForm
from segdata.mindrecord.rows import measure_row
from segdata.mindrecord.schema import row_schema
from segdata.mindrecord.writer import ShardWriter
from segdata.records.reader import open_set
from segdata.records.schema import SEMANTIC, unpack_masks

Row = dict[str, Any]

MASK_RCNN = {
    "image": {"type": "bytes"},
    "annotation": {"type": "int32", "shape": [-1, 6]},
    "mask": {"type": "bytes"},
    "mask_shape": {"type": "int32", "shape": [-1]},
}


def write_foreign(
    folder: Path,
    rows: Sequence[Row],
    schema: Mapping[str, Mapping[str, Any]] = SEMANTIC,
    *,
    name: str = "voc.mindrecord",
    shards: int = 2,
) -> Path:
    """Write a set without a manifest; return its first shard."""
    folder.mkdir(parents=True, exist_ok=True)
    form = row_schema(schema, "foreign")
    sizes = [measure_row(form, row) for row in rows]
    names = (name,) if shards == 1 else tuple(f"{name}{index}" for index in range(shards))
    saved = sum(size.saved for size in sizes)
    common = SetForm(schema=form, addresses=names, saved=saved, header_size=16 << 10, page_size=1 << 20)
    for index, part in enumerate(np.array_split(np.arange(len(rows)), shards)):
        with ShardWriter(folder / names[index], common, index, [sizes[row] for row in part]) as writer:
            for row in part:
                writer.write(rows[row])
            writer.close()
    return folder / names[0]


def zoo_rows(records: Path) -> list[Row]:
    """Return the rows of a semantic set as the model zoo's DeepLabV3 writes them: the name without a folder."""
    return [{**row, "file_name": row["file_name"].rpartition("/")[2]} for row in open_set(records)]


def mask_rcnn_rows(records: Path) -> list[Row]:
    """Return the rows of an instance set as the model zoo's Mask R-CNN writes them."""
    return [_mask_rcnn_row(row) for row in open_set(records)]


def _mask_rcnn_row(row: Row) -> Row:
    size = row["height"], row["width"]
    masks = [mask.decode(to_rle({"size": [*size], "counts": each}, *size)) for each in unpack_masks(row["masks"])]
    found = np.column_stack([row["boxes"].astype(np.int32), row["labels"], row["iscrowd"]]).astype(np.int32)
    if not masks:
        found, masks = np.array([[0, 0, 0, 0, 0, 1]], np.int32), [np.zeros(size, np.uint8)]
    pixels = np.stack(masks).astype(bool)
    return {
        "image": row["data"],
        "annotation": found,
        "mask": pixels.tobytes(),
        "mask_shape": np.array(pixels.shape, np.int32),
    }
