"""Read the rows of a record set with MindSpore."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy.typing as npt

from segdata.errors import InvalidInputError
from segdata.records.manifest import RecordSet
from segdata.records.schema import Row, read_back

Columns = dict[str, npt.NDArray[Any]]


def read_columns(shard: Path, columns: Sequence[str], *, rows: Sequence[int] | None = None) -> Iterator[Columns]:
    """Yield the columns of every row of the set that `shard` belongs to, in set order, as MindSpore returns them.

    Args:
        shard: any shard of the set.
        columns: names of the schema fields to read.
        rows: read only these rows (indices in the set), in this order.

    Raises:
        InvalidInputError: when MindSpore cannot read the set.
    """
    from mindspore.dataset import MindDataset, SubsetSampler

    chosen = {"shuffle": False} if rows is None else {"sampler": SubsetSampler(list(rows))}
    try:
        read: Callable[..., Iterator[Columns]] = MindDataset(
            str(shard), columns_list=list(columns), num_parallel_workers=1, **chosen
        ).create_dict_iterator
        yield from read(num_epochs=1, output_numpy=True)
    except (RuntimeError, ValueError) as error:
        raise InvalidInputError(
            f"{shard.parent}: MindSpore cannot read this record set ({error_line(error)}). Run segdata verify to find "
            "the damage.",
            "record_damaged",
        ) from error


def error_line(error: Exception) -> str:
    """Return the line that MindSpore marks as the error, or the first other line of its message."""
    lines = [line.strip() for line in str(error).splitlines()]
    marked = [line.removeprefix("[ERROR] ") for line in lines if line.startswith("[ERROR] ")]
    return next((line for line in [*marked, *lines] if line and not line.startswith("-")), type(error).__name__)


def read_rows(found: RecordSet, *, rows: Sequence[int] | None = None) -> Iterator[Row]:
    """Yield the rows of a set as they were written; see `read_columns`."""
    schema = found.manifest.schema
    for columns in read_columns(found.shard_paths[0], list(schema), rows=rows):
        yield read_back(columns, schema)
