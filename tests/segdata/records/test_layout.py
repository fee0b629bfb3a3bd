"""Page and header sizes: always enough, never much more."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from segdata.errors import InvalidInputError
from segdata.mindrecord.header import HEADER_SIZES, PAGE_SIZES
from segdata.mindrecord.rows import RowSize, measure_row
from segdata.mindrecord.shards import SetReader
from segdata.mindrecord.writer import ShardWriter
from segdata.records.layout import choose_form, row_faults
from segdata.records.plan import shard_names
from segdata.records.schema import ROW_SCHEMAS

SCHEMA = ROW_SCHEMAS["semantic"]


def as_rows(sizes: object) -> np.ndarray:
    blobs = np.array(sizes, np.int64)
    return np.stack([blobs, np.full_like(blobs, 30), np.zeros_like(blobs)], axis=1)


rows = st.lists(st.integers(40, 3_000_000), min_size=1, max_size=60).map(as_rows)


@given(st.lists(rows, min_size=1, max_size=4))
@settings(max_examples=50)
def test_a_page_holds_the_largest_row_and_both_sizes_are_what_mindrecord_takes(shards: list[np.ndarray]) -> None:
    form = choose_form(SCHEMA, shard_names("set", len(shards)), shards)
    assert PAGE_SIZES[0] <= form.page_size <= PAGE_SIZES[1]
    assert form.page_size >= max(int(shard.max()) for shard in shards)
    assert form.header_size >= HEADER_SIZES[0]
    assert form.page_size % 4 == form.header_size % 4 == 0


def test_a_voc_like_set_wastes_less_than_a_twentieth() -> None:
    rng = np.random.default_rng(0)
    shards = [rng.integers(50_000, 150_000, 350) for _ in range(8)]
    form = choose_form(SCHEMA, shard_names("set", 8), [as_rows(shard) for shard in shards])
    pages = 0
    for shard in shards:
        free = 0
        for size in shard:
            if size > free:
                pages, free = pages + 1, form.page_size
            free -= size
    assert pages * form.page_size + 8 * form.header_size < 1.05 * sum(int(shard.sum()) for shard in shards)


def test_a_row_beyond_the_largest_page_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="the largest row has 268,435,457 bytes; expected at most 268,435,456"):
        choose_form(SCHEMA, ["a"], [as_rows([PAGE_SIZES[1] + 1])])
    assert choose_form(SCHEMA, ["a"], [as_rows([PAGE_SIZES[1]])]).page_size == PAGE_SIZES[1]


def test_a_row_beyond_the_largest_page_is_a_fault_of_its_image() -> None:
    assert row_faults("a.jpg", RowSize(PAGE_SIZES[1], 20, 0)) == ()
    (fault,) = row_faults("a.jpg", RowSize(PAGE_SIZES[1] + 1, 20, 0))
    assert fault.code == "too_large"
    assert str(fault) == (
        "a.jpg: its row would have 268,435,457 bytes; expected at most 268,435,456 (256 MiB), the limit of MindRecord"
    )


@pytest.mark.parametrize(("count", "size"), [(1, 100_000), (3000, 40), (40, 33_000), (300, 70_000)])
def test_what_is_written_has_room(tmp_path: Path, count: int, size: int) -> None:
    path = tmp_path / "x.mindrecord"
    rows = [{"file_name": f"{i:08}", "data": bytes(size - 10), "label": bytes(10)} for i in range(count)]
    sizes = np.array([measure_row(SCHEMA, row) for row in rows])
    with ShardWriter(path, choose_form(SCHEMA, [path.name], [sizes]), 0, sizes) as writer:
        for row in rows:
            writer.write(row)
        writer.close()
    assert list(SetReader(path)) == rows
