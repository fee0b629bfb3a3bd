"""Header and page size of a record set, computed from the plan instead of using MindRecord's defaults.

MindRecord keeps rows in pages of one fixed size; a row never spans two pages, and every page but the last takes its
full size on disk. The defaults of 16 MiB and 32 MiB nearly double a set of 30 MB shards.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from segdata.errors import Fault, InvalidInputError
from segdata.mindrecord.form import SetForm
from segdata.mindrecord.header import HEADER_SIZES, PAGE_SIZES, encode_header
from segdata.mindrecord.pages import place_rows
from segdata.mindrecord.rows import RowSize
from segdata.mindrecord.schema import RowSchema


def row_faults(where: str, size: RowSize) -> tuple[Fault, ...]:
    """Return a fault if a row is larger than the largest page."""
    fits = size.blob <= PAGE_SIZES[1]
    return () if fits else (Fault("too_large", where, f"its row would have {_limited(size.blob)}"),)


def _limited(size: int) -> str:
    return f"{size:,} bytes; expected at most {PAGE_SIZES[1]:,} (256 MiB), the limit of MindRecord"


def choose_form(schema: RowSchema, names: Sequence[str], shards: Sequence[npt.NDArray[np.int64]]) -> SetForm:
    """Choose the page size that wastes the least space, and the smallest header that has room for the page entries.

    Args:
        schema: the fields of a row.
        names: file names of the shards.
        shards: `RowSize` of each row, ``(rows, 3)``, one array per shard.

    Raises:
        InvalidInputError: when a row is larger than the largest page.
    """
    largest = max(int(rows[:, 0].max()) for rows in shards)
    if largest > PAGE_SIZES[1]:
        raise InvalidInputError(f"the largest row has {_limited(largest)}", "too_large")
    sums = [np.cumsum(rows[:, 0]) for rows in shards]
    page = min(
        _candidates(largest, max(int(total[-1]) for total in sums)),
        key=lambda page: sum(_pages(total, page) for total in sums) * page,
    )
    form = SetForm(
        schema=schema,
        addresses=tuple(names),
        saved=sum(int(rows[:, 2].sum()) for rows in shards),
        header_size=HEADER_SIZES[1],
        page_size=page,
    )
    header = max(
        len(encode_header(form.header(place_rows(rows, page, number), number))) for number, rows in enumerate(shards)
    )
    return replace(form, header_size=max(_round_up(header), HEADER_SIZES[0]))


def _candidates(largest_row: int, largest_shard: int) -> Iterator[int]:
    """Yield page sizes from the smallest possible to one that holds an entire shard, each a fifth larger."""
    size = max(_round_up(largest_row), PAGE_SIZES[0])
    yield size
    while size < min(largest_shard, PAGE_SIZES[1]):
        size = min(_round_up(size * 6 // 5), PAGE_SIZES[1])
        yield size


def _pages(sums: npt.NDArray[np.int64], page: int) -> int:
    """Count the pages of a shard with the cumulative row sizes `sums`, filled greedily as MindRecord does."""
    count, filled = 0, 0
    while filled < sums[-1]:
        filled = int(sums[sums.searchsorted(filled + page, "right") - 1])
        count += 1
    return count


def _round_up(size: int) -> int:
    return -(-size // 4096) * 4096
