"""Plan a record set: the rows of each shard, their order and the layout, before anything is written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np

from segdata.errors import FaultsError, InvalidInputError
from segdata.records import layout
from segdata.records.rows import Rows
from segdata.records.schema import KEY
from segdata.seeded import seeded_order
from segdata.text import plural

_T = TypeVar("_T")

#: Limits and forbidden characters of MindRecord's `FileWriter`.
MAX_SHARDS = 1000
_FORBIDDEN = set("\\/:*?\"<>|`&';")


@dataclass(frozen=True)
class Plan(Generic[_T]):
    """Plan of a record set: the rows of each shard, in order, and the layout."""

    name: str
    seed: int | None
    shards: tuple[tuple[_T, ...], ...]
    layout: layout.Layout


def make_plan(rows: Rows[_T], name: str, *, num_shards: int, seed: int | None) -> Plan[_T]:
    """Choose the order of the rows and their shards; read and write nothing.

    Raises:
        FaultsError: when rows are larger than MindRecord's limit; names all of them.
        InvalidInputError: when the number of shards is out of range or larger than the number of rows.
    """
    _check_sizes(rows)
    count = len(rows.items)
    if not 1 <= num_shards <= MAX_SHARDS:
        raise InvalidInputError(
            f"number of shards is {num_shards}; expected 1 to {MAX_SHARDS}, the limit of MindRecord"
        )
    if count < num_shards:
        raise InvalidInputError(
            f"{plural(count, 'row')} cannot fill {plural(num_shards, 'shard')}; "
            f"expected at least one row per shard. Set --num_shards to {max(count, 1)} or less."
        )
    order = np.arange(count) if seed is None else np.array(seeded_order(rows.keys, seed), np.int64)
    parts = np.array_split(order, num_shards)
    return Plan(
        name=name,
        seed=seed,
        shards=tuple(tuple(rows.items[index] for index in part) for part in parts),
        layout=layout.choose_layout([rows.sizes[part] for part in parts], name_bytes=len(name.encode()) + 16),
    )


def _check_sizes(rows: Rows[_T]) -> None:
    keyed = zip(rows.keys, rows.sizes.tolist(), strict=True)
    faults = [str(fault) for key, size in keyed for fault in layout.row_faults(f"{KEY[rows.task]} {key}", size)]
    if faults:
        raise FaultsError(f"{plural(len(faults), 'row')} cannot be written", faults)


def set_name(target: Path) -> str:
    """Return the name of the set at `target`: the name of the directory without a ``.mindrecord`` suffix.

    Raises:
        InvalidInputError: when MindRecord does not accept it as a file name.
    """
    name = target.resolve().name.removesuffix(".mindrecord")
    if not name or _FORBIDDEN & set(name) or name != name.strip():
        forbidden = " ".join(sorted(_FORBIDDEN))
        raise InvalidInputError(
            f"{target}: {name!r} is not a file name that MindRecord accepts; "
            f"expected no spaces at either end and none of {forbidden}"
        )
    return name
