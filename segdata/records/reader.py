"""Rows of a record set, as MindSpore reads them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy.typing as npt

from segdata.records.manifest import RecordSet
from segdata.records.schema import Row, read_back

Columns = dict[str, npt.NDArray[Any]]


def read_columns(shard: Path, columns: Sequence[str], *, rows: Sequence[int] | None = None) -> Iterator[Columns]:
    """Yield the columns of every row of the set that `shard` belongs to, in set order, as MindSpore gives them.

    Args:
        shard: any shard of the set.
        columns: fields of the schema.
        rows: only these rows, by their number in the set, in this order.
    """
    from mindspore.dataset import MindDataset, SubsetSampler

    chosen = {"shuffle": False} if rows is None else {"sampler": SubsetSampler(list(rows))}
    read: Callable[..., Iterator[Columns]] = MindDataset(
        str(shard), columns_list=list(columns), num_parallel_workers=1, **chosen
    ).create_dict_iterator
    return read(num_epochs=1, output_numpy=True)


def read_rows(found: RecordSet, *, rows: Sequence[int] | None = None) -> Iterator[Row]:
    """Yield the rows of a set as they were put in; see `read_columns`."""
    schema = found.manifest.schema
    for columns in read_columns(found.shard_paths[0], list(schema), rows=rows):
        yield read_back(columns, schema)
