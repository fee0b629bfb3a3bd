"""Page and header sizes: always enough, never much more."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from mindspore.mindrecord import FileWriter

from segdata.errors import InvalidInputError
from segdata.records.layout import HEADER_MIN, PAGE_MAX, PAGE_MIN, blob_overhead, choose_layout, row_faults
from segdata.records.schema import SEMANTIC
from segdata.records.stitch import count_rows, read_header

rows = st.lists(st.integers(1, 3_000_000), min_size=1, max_size=60).map(lambda sizes: np.array(sizes, np.int64))


@given(st.lists(rows, min_size=1, max_size=4))
@settings(max_examples=50)
def test_a_page_holds_the_largest_row_and_both_sizes_are_what_mindrecord_takes(shards: list[np.ndarray]) -> None:
    layout = choose_layout(shards, name_bytes=20)
    assert PAGE_MIN <= layout.page_size <= PAGE_MAX
    assert layout.page_size >= max(int(shard.max()) for shard in shards)
    assert layout.header_size >= HEADER_MIN
    assert layout.page_size % 4 == layout.header_size % 4 == 0


def test_a_voc_like_set_wastes_less_than_a_twentieth() -> None:
    rng = np.random.default_rng(0)
    shards = [rng.integers(50_000, 150_000, 350) for _ in range(8)]
    layout = choose_layout(shards, name_bytes=20)
    pages = 0
    for shard in shards:
        free = 0
        for size in shard:
            if size > free:
                pages, free = pages + 1, layout.page_size
            free -= size
    assert pages * layout.page_size + 8 * layout.header_size < 1.05 * sum(int(shard.sum()) for shard in shards)


def test_a_row_beyond_the_largest_page_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="the largest row has 268,435,457 bytes; expected at most 268,435,456"):
        choose_layout([np.array([PAGE_MAX + 1])], name_bytes=20)
    assert choose_layout([np.array([PAGE_MAX])], name_bytes=20).page_size == PAGE_MAX


def test_a_row_beyond_the_largest_page_is_a_fault_of_its_image() -> None:
    assert row_faults("a.jpg", PAGE_MAX) == ()
    (fault,) = row_faults("a.jpg", PAGE_MAX + 1)
    assert fault.code == "too_large"
    assert str(fault) == (
        "a.jpg: its row would have 268,435,457 bytes; expected at most 268,435,456 (256 MiB), the limit of MindRecord"
    )


@pytest.mark.parametrize(("count", "size"), [(1, 100_000), (3000, 40), (40, 33_000), (300, 70_000)])
def test_mindrecord_writes_within_the_layout(tmp_path_factory: pytest.TempPathFactory, count: int, size: int) -> None:
    path = tmp_path_factory.mktemp("layout") / "x.mindrecord"
    layout = choose_layout([np.full(count, size + blob_overhead(SEMANTIC))], name_bytes=20)
    writer = FileWriter(str(path), 1)
    writer.set_header_size(layout.header_size)
    writer.set_page_size(layout.page_size)
    writer.add_schema(dict(SEMANTIC), "test")
    rows = [{"file_name": f"{i:08}", "data": bytes(size - 10), "label": bytes(10)} for i in range(count)]
    writer.write_raw_data(rows)
    writer.commit()
    assert count_rows(read_header(path)) == count
