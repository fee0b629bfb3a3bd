"""Header and page size of a record set, computed from the plan instead of using MindRecord's defaults.

MindRecord keeps rows in pages of one fixed size; a row never spans two pages, and every page but the last takes its
full size on disk. The defaults of 16 MiB and 32 MiB nearly double a set of 30 MB shards.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from segdata.errors import Fault, InvalidInputError
from segdata.records.schema import Schema

#: Limits of `FileWriter.set_page_size` and `set_header_size`; both must be multiples of four.
PAGE_MIN, PAGE_MAX = 32 << 10, 256 << 20
HEADER_MIN, HEADER_MAX = 16 << 10, 128 << 20

#: Bytes that MindRecord puts before a row's blob and before each of its fields.
_LENGTH_BYTES = 8

#: Bytes of header JSON for a page entry, a row group entry, a shard name and the rest; measured, then rounded up.
_PAGE_JSON, _GROUP_JSON, _SHARD_JSON, _OTHER_JSON = 280, 40, 8, 4 << 10

#: Bytes of rows per call of the writer, approximately: large enough to be fast, small enough for memory.
BATCH_BYTES = 32 << 20


@dataclass(frozen=True)
class Layout:
    """Page and header size in bytes, the same for every shard of a set."""

    page_size: int
    header_size: int


def blob_overhead(schema: Schema) -> int:
    """Return the overhead in bytes of a row's blob (its bytes and array fields)."""
    blobs = [name for name, field in schema.items() if field["type"] == "bytes" or "shape" in field]
    return _LENGTH_BYTES * (1 + len(blobs))


def row_faults(where: str, size: int) -> tuple[Fault, ...]:
    """Return a fault if a row of `size` bytes, with `blob_overhead`, is larger than the largest page."""
    return () if size <= PAGE_MAX else (Fault("too_large", where, f"its row would have {_limited(size)}"),)


def _limited(size: int) -> str:
    return f"{size:,} bytes; expected at most {PAGE_MAX:,} (256 MiB), the limit of MindRecord"


def choose_layout(shards: Sequence[npt.NDArray[np.int64]], *, name_bytes: int) -> Layout:
    """Choose the page size that wastes the least space, and a header large enough for the page entries.

    Args:
        shards: blob bytes of each row, one array per shard.
        name_bytes: length of a shard's file name.

    Raises:
        InvalidInputError: when a row is larger than the largest page.
    """
    largest = max(int(rows.max()) for rows in shards)
    if largest > PAGE_MAX:
        raise InvalidInputError(f"the largest row has {_limited(largest)}", "too_large")
    sums = [np.cumsum(rows) for rows in shards]
    size = min(
        _candidates(largest, max(int(total[-1]) for total in sums)),
        key=lambda page: sum(_pages(total, page) for total in sums) * page,
    )
    pages = max(_pages(total, size) for total in sums)
    groups = max(int(total[-1]) for total in sums) // BATCH_BYTES + 1
    # Twice, because the scalars of the rows use separate pages.
    header = 2 * (pages * _PAGE_JSON + groups * _GROUP_JSON) + len(shards) * (name_bytes + _SHARD_JSON) + _OTHER_JSON
    return Layout(size, min(max(_round_up(header), HEADER_MIN), HEADER_MAX))


def _candidates(largest_row: int, largest_shard: int) -> Iterator[int]:
    """Yield page sizes from the smallest possible to one that holds an entire shard, each a fifth larger."""
    size = max(_round_up(largest_row), PAGE_MIN)
    yield size
    while size < min(largest_shard, PAGE_MAX):
        size = min(_round_up(size * 6 // 5), PAGE_MAX)
        yield size


def _pages(sums: npt.NDArray[np.int64], page: int) -> int:
    """Count the pages of a shard with the cumulative row sizes `sums`, filled greedily as MindRecord does."""
    count, filled = 0, 0
    while filled < sums[-1]:
        filled = int(sums[np.searchsorted(sums, filled + page, "right") - 1])
        count += 1
    return count


def _round_up(size: int) -> int:
    return -(-size // 4096) * 4096
