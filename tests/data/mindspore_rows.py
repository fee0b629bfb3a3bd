"""Rows of a record set as MindSpore reads them: the oracle of what segdata writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segdata.records.manifest_file import read_manifest
from segdata.records.schema import unpack_masks


def mindspore_rows(shard: Path, **options: object) -> list[dict[str, Any]]:
    """Return all rows of the set, opened by one shard, in the form of segdata's rows; skip the test without MindSpore.

    MindSpore returns an array without rows as one element of garbage, so their number is that of the masks.
    """
    dataset = pytest.importorskip("mindspore.dataset")
    schema = read_manifest(shard.parent / "manifest.json").schema
    data = dataset.MindDataset(str(shard), num_parallel_workers=1, **options)
    return [_row(schema, columns) for columns in data.create_dict_iterator(1, output_numpy=True)]


def _row(schema: dict[str, dict[str, Any]], columns: dict[str, np.ndarray]) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for name, field in schema.items():
        column = columns[name]
        if field["type"] == "bytes":
            row[name] = column.tobytes()
        elif "shape" not in field:
            row[name] = column.item()
        else:
            count = len(unpack_masks(columns["masks"].tobytes()))
            shape = (count, *field["shape"][1:])
            row[name] = column.reshape(shape) if count else np.empty(shape, field["type"])
    return row
