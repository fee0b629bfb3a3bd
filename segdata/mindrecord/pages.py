"""Places of the rows of a shard: computed from the sizes of the rows, before a row is written.

As MindSpore's writer (``shard_writer.cc``) does for rows that it receives in one call: blob pages first, then raw
pages. The rows of a blob page are a group; a page is full when the blobs or the raw parts of its group would exceed the
page size. A raw page takes complete groups.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from segdata.errors import InvalidInputError
from segdata.mindrecord.header import BLOB, RAW, GroupOffset, PageEntry
from segdata.mindrecord.rows import RowSize


@dataclass(frozen=True)
class PageTable:
    """Pages of a shard and the place of every row.

    Attributes:
        pages: the pages in file order.
        rows: place of each row in the columns `PLACES` of the index, ``(rows, 8)`` int64.
    """

    pages: tuple[PageEntry, ...]
    rows: npt.NDArray[np.int64]


def as_sizes(sizes: Sequence[RowSize]) -> npt.NDArray[np.int64]:
    """Return sizes as ``(rows, 3)`` int64: bytes in a blob page, in a raw page, and bytes saved by packing."""
    return np.array(sizes, np.int64).reshape(-1, 3)


def place_rows(sizes: npt.NDArray[np.int64], page_size: int, shard_id: int) -> PageTable:
    """Return the pages of a shard.

    Args:
        sizes: `RowSize` of each row in file order, ``(rows, 3)``.
        page_size: bytes of a page.
        shard_id: number of the shard in its set; every page has it.

    Raises:
        InvalidInputError: when a row is larger than a page; names the row.
    """
    over = np.flatnonzero(sizes[:, :2].max(axis=1, initial=0) > page_size)
    if len(over):
        size = int(sizes[over[0], :2].max())
        raise InvalidInputError(
            f"row {over[0]} takes {size:,} bytes; expected at most {page_size:,}, the page size", "too_large"
        )
    ends = np.cumsum(sizes[:, :2], axis=0)
    groups = _groups(ends, page_size)
    counts = np.diff(groups)
    firsts = np.repeat(groups[:-1], counts)
    starts = ends - sizes[:, :2]
    offsets = starts - starts[firsts]
    raw_pages, raw_numbers, raw_starts = _raw_pages(starts, ends, groups, page_size, shard_id)
    blob_pages = [
        PageEntry(
            end_row_id=end,
            page_id=number,
            page_size=int(ends[end - 1, 0] - starts[first, 0]),
            page_type=BLOB,
            page_type_id=number,
            # MindSpore writes 0 for every group; the group has the number of the page type.
            row_group_ids=[GroupOffset(id=0, offset=0)],
            shard_id=shard_id,
            start_row_id=first,
        )
        for number, (first, end) in enumerate(pairwise(groups.tolist()))
    ]
    group = np.repeat(np.arange(len(counts)), counts)
    raw_offsets = offsets[:, 1] + np.repeat(raw_starts, counts)
    rows = np.stack(
        [
            np.arange(len(sizes)),
            np.repeat(raw_numbers, counts),
            raw_offsets,
            raw_offsets + sizes[:, 1],
            group,
            group,
            offsets[:, 0],
            offsets[:, 0] + sizes[:, 0],
        ],
        axis=1,
    )
    return PageTable((*blob_pages, *raw_pages), rows)


def _groups(ends: npt.NDArray[np.int64], page_size: int) -> npt.NDArray[np.int64]:
    """Return the first row of each group, and the number of rows."""
    groups = [0]
    while groups[-1] < len(ends):
        filled = ends[groups[-1] - 1] if groups[-1] else np.zeros(2, np.int64)
        groups.append(min(int(np.searchsorted(ends[:, kind], filled[kind] + page_size, "right")) for kind in (0, 1)))
    return np.array(groups, np.int64)


def _raw_pages(
    starts: npt.NDArray[np.int64],
    ends: npt.NDArray[np.int64],
    groups: npt.NDArray[np.int64],
    page_size: int,
    shard_id: int,
) -> tuple[list[PageEntry], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the raw pages, and for each group the number of its page and its offset there."""
    pages: list[PageEntry] = []
    places: list[tuple[int, int]] = []
    used: list[int] = []
    held: list[list[GroupOffset]] = []
    for number, (first, end) in enumerate(pairwise(groups.tolist())):
        size = int(ends[end - 1, 1] - starts[first, 1])
        if not used or used[-1] + size > page_size:
            used.append(0)
            held.append([])
        held[-1].append(GroupOffset(id=number, offset=used[-1]))
        places.append((len(groups) - 1 + len(used) - 1, used[-1]))
        used[-1] += size
    for index, (size, members) in enumerate(zip(used, held, strict=True)):
        page_id = len(groups) - 1 + index
        pages.append(
            PageEntry(
                end_row_id=0,
                page_id=page_id,
                page_size=size,
                page_type=RAW,
                # MindSpore numbers the first raw page 0, and each other one by its page id.
                page_type_id=page_id if index else 0,
                row_group_ids=members,
                shard_id=shard_id,
                start_row_id=0,
            )
        )
    numbers = np.array(places, np.int64).reshape(-1, 2)
    return pages, numbers[:, 0], numbers[:, 1]
