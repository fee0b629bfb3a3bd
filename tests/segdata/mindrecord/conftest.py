"""Shards of generated rows, written by the writer under test."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from segdata.mindrecord.form import SetForm
from segdata.mindrecord.rows import measure_row
from segdata.mindrecord.schema import row_schema
from segdata.mindrecord.writer import ShardWriter, WrittenShard

Write = Callable[..., list[WrittenShard]]

PAIR = {"file_name": {"type": "string"}, "data": {"type": "bytes"}, "label": {"type": "bytes"}}


def write_shards(
    folder: Path,
    schema: Mapping[str, Mapping[str, Any]],
    shards: Sequence[Sequence[Mapping[str, Any]]],
    *,
    name: str = "x",
    names: tuple[str, ...] | None = None,
    description: str = "",
    **form: Any,
) -> list[WrittenShard]:
    """Write a set of small pages: ``x`` if it has one shard, otherwise ``x0``, ``x1`` …"""
    forms = row_schema(schema, description)
    sizes = [[measure_row(forms, row) for row in rows] for rows in shards]
    if names is None:
        names = (name,) if len(shards) == 1 else tuple(f"{name}{index}" for index in range(len(shards)))
    common = SetForm(
        schema=forms,
        addresses=names,
        saved=sum(size.saved for each in sizes for size in each),
        **{"header_size": 16 << 10, "page_size": 32 << 10, **form},
    )
    written = []
    for index, rows in enumerate(shards):
        with ShardWriter(folder / names[index], common, index, sizes[index]) as writer:
            for row in rows:
                writer.write(row)
            written.append(writer.close())
    return written


@pytest.fixture
def write() -> Write:
    return write_shards


@pytest.fixture
def pairs() -> list[dict[str, Any]]:
    """Ten rows of about 7000 bytes, four to a page."""
    return [{"file_name": f"{n}.jpg", "data": bytes([n]) * 7000, "label": bytes([n, 255])} for n in range(10)]


@pytest.fixture
def pair_set(tmp_path: Path, pairs: list[dict[str, Any]]) -> Path:
    """The first of three shards with four, four and two of the rows."""
    write_shards(tmp_path, PAIR, [pairs[:4], pairs[4:8], pairs[8:]])
    return tmp_path / "x0"
