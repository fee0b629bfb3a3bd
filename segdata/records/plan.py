"""Plan a record set: the rows of each shard, their order and the layout, before anything is written."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from segdata.errors import InvalidInputError
from segdata.files.paths import real
from segdata.files.publishing import staging_directory
from segdata.mindrecord.form import FORBIDDEN, SetForm
from segdata.mindrecord.header import SHARDS_MAX
from segdata.mindrecord.index import PATH_BYTES
from segdata.records.layout import choose_form
from segdata.records.rows import Rows
from segdata.records.schema import ROW_SCHEMAS
from segdata.seeded import seeded_order
from segdata.text import is_unicode, plural

_T = TypeVar("_T")

#: Number of shards by default.
NUM_SHARDS = 8

#: Bytes that the name of a file may have.
_NAME_BYTES = 255

#: What follows the name of a set in the longest name of a file, and where this file is staged.
_SUFFIX, _STAGED = ".mindrecord1000.db", "plan-0123456789abcdef/unfinished-1000-abcdefgh"


@dataclass(frozen=True)
class Plan:
    """Plan of a record set: the rows of each shard, in order, as indices in `Rows.items`, and the form of its files."""

    name: str
    seed: int | None
    shards: tuple[tuple[int, ...], ...]
    form: SetForm


def make_plan(rows: Rows[_T], name: str, *, num_shards: int, seed: int | None) -> Plan:
    """Choose the order of the rows and their shards; read and write nothing.

    Raises:
        InvalidInputError: when the number of shards is out of range or larger than the number of rows, or a row is
            larger than MindRecord's limit.
    """
    count = len(rows.items)
    if not 1 <= num_shards <= SHARDS_MAX:
        raise InvalidInputError(
            f"number of shards is {num_shards}; expected 1 to {SHARDS_MAX}, the limit of MindRecord"
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
        shards=tuple(tuple(part.tolist()) for part in parts),
        form=choose_form(ROW_SCHEMAS[rows.task], shard_names(name, num_shards), [rows.sizes[part] for part in parts]),
    )


def shard_names(name: str, num_shards: int) -> tuple[str, ...]:
    """Return the file names that MindRecord gives to `num_shards` shards: zero-padded numbers, none for one shard."""
    stem = f"{name}.mindrecord"
    width = len(str(num_shards - 1))
    return (stem,) if num_shards == 1 else tuple(f"{stem}{index:0{width}}" for index in range(num_shards))


def set_name(target: Path) -> str:
    """Return the name of the set at `target`: the name of the directory without a ``.mindrecord`` suffix.

    Raises:
        InvalidInputError: when MindRecord does not accept it as a file name, or it is too long.
    """
    name = real(target).name.removesuffix(".mindrecord")
    if not is_unicode(name):
        raise InvalidInputError(f"{target}: the name is not valid Unicode, which MindRecord needs; choose another name")
    if not name or FORBIDDEN & set(name) or name != name.strip():
        forbidden = " ".join(sorted(FORBIDDEN))
        raise InvalidInputError(
            f"{target}: {name!r} is not a file name that MindRecord accepts; "
            f"expected no spaces at either end and none of {forbidden}"
        )
    _check_length(target, name + _SUFFIX)
    return name


def _check_length(target: Path, file: str) -> None:
    """Refuse a target whose name or path is too long for the longest name of its files, before the work."""
    place = os.fsencode(staging_directory(target) / _STAGED / file)
    for what, found, limit in (("name", len(file.encode()), _NAME_BYTES), ("path", len(place), PATH_BYTES)):
        if found > limit:
            raise InvalidInputError(
                f"{target}: its {what} is too long for those of its files, which would have up to {found} bytes; "
                f"expected at most {limit}. Choose one that is {plural(found - limit, 'byte')} shorter."
            )
