"""Which rows make which shard, in which order, in what room: decided before anything is written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np

from segdata.errors import InvalidInputError
from segdata.records import layout
from segdata.records.rows import Rows
from segdata.seeded import seeded_order

_T = TypeVar("_T")

#: Limits and forbidden characters of MindRecord's `FileWriter`.
MAX_SHARDS = 1000
_FORBIDDEN = set("\\/:*?\"<>|`&';")


@dataclass(frozen=True)
class Plan(Generic[_T]):
    """What would be written: which rows make which shard, in which order, in what room."""

    name: str
    seed: int | None
    shards: tuple[tuple[_T, ...], ...]
    layout: layout.Layout


def make_plan(rows: Rows[_T], name: str, *, num_shards: int, seed: int | None) -> Plan[_T]:
    """Decide the rows' order and shards; reads and writes nothing."""
    count = len(rows.items)
    if not 1 <= num_shards <= MAX_SHARDS:
        raise InvalidInputError(f"{num_shards} shards; MindRecord takes 1 to {MAX_SHARDS}")
    if count < num_shards:
        raise InvalidInputError(f"{count} rows are fewer than {num_shards} shards; ask for {max(count, 1)} or fewer")
    order = np.arange(count) if seed is None else np.array(seeded_order(rows.keys, seed), np.int64)
    parts = np.array_split(order, num_shards)
    return Plan(
        name=name,
        seed=seed,
        shards=tuple(tuple(rows.items[index] for index in part) for part in parts),
        layout=layout.choose_layout([rows.sizes[part] for part in parts], name_bytes=len(name.encode()) + 16),
    )


def set_name(target: Path) -> str:
    """Return the name of the set that goes into `target`: the directory's, without ``.mindrecord`` at its end.

    Raises:
        InvalidInputError: when MindRecord does not take it as a file name.
    """
    name = target.resolve().name.removesuffix(".mindrecord")
    if not name or _FORBIDDEN & set(name) or name != name.strip():
        forbidden = " ".join(sorted(_FORBIDDEN))
        raise InvalidInputError(f"{target}: MindRecord takes no file name {name!r}; avoid {forbidden}")
    return name
