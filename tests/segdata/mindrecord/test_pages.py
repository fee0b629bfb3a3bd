from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from segdata.errors import InvalidInputError
from segdata.mindrecord.header import BLOB, RAW
from segdata.mindrecord.pages import as_sizes, place_rows
from segdata.mindrecord.rows import RowSize


def sizes(*rows: tuple[int, int]) -> np.ndarray:
    return as_sizes([RowSize(blob, raw, 0) for blob, raw in rows])


def test_a_page_takes_rows_up_to_exactly_its_size() -> None:
    placement = place_rows(sizes((60, 1), (40, 1), (1, 1)), 100, 0)
    assert [(page.page_type, page.page_size) for page in placement.pages] == [(BLOB, 100), (BLOB, 1), (RAW, 3)]
    assert [(page.start_row_id, page.end_row_id) for page in placement.pages] == [(0, 2), (2, 3), (0, 0)]


def test_raw_parts_end_a_group_too() -> None:
    placement = place_rows(sizes((1, 60), (1, 60), (1, 40)), 100, 3)
    assert [(page.page_type, page.page_size) for page in placement.pages] == [
        (BLOB, 1),
        (BLOB, 2),
        (RAW, 60),
        (RAW, 100),
    ]
    # MindSpore numbers raw pages after the first by their page id.
    assert [page.page_type_id for page in placement.pages] == [0, 1, 0, 3]
    assert {page.shard_id for page in placement.pages} == {3}


def test_no_rows_have_no_pages() -> None:
    placement = place_rows(sizes(), 100, 0)
    assert placement.pages == ()
    assert placement.rows.shape == (0, 8)


def test_a_row_larger_than_a_page_is_named() -> None:
    with pytest.raises(
        InvalidInputError, match="row 1 takes 1,001 bytes; expected at most 1,000, the page size"
    ) as error:
        place_rows(sizes((1, 1), (1, 1001)), 1000, 0)
    assert error.value.code == "too_large"


@given(st.lists(st.tuples(st.integers(8, 100), st.integers(8, 100)), max_size=60))
def test_rows_fill_pages_without_gaps_in_order(rows: list[tuple[int, int]]) -> None:
    placement = place_rows(sizes(*rows), 100, 0)
    filled = {page.page_id: 0 for page in placement.pages}
    for (blob, raw), place in zip(rows, placement.rows.tolist(), strict=True):
        _, raw_page, raw_start, raw_end, group, blob_page, blob_start, blob_end = place
        assert (raw_start, raw_end) == (filled[raw_page], filled[raw_page] + raw)
        assert (blob_start, blob_end) == (filled[blob_page], filled[blob_page] + blob)
        assert group == placement.pages[blob_page].page_type_id
        filled[raw_page], filled[blob_page] = raw_end, blob_end
    assert filled == {page.page_id: page.page_size for page in placement.pages}
    assert all(0 < page.page_size <= 100 for page in placement.pages)
