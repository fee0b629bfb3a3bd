"""Contents of MindRecord files that another program wrote."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from segdata.errors import InvalidInputError
from segdata.images.reading import read_image_header
from segdata.mindrecord.index import index_path
from segdata.mindrecord.shards import SetReader
from segdata.recorded import unknown_facts
from segdata.records.fields import FieldNames, describe_form, find_fields
from segdata.records.foreign import ForeignSet, open_shards, shards_name
from segdata.records.schema import TaskName

#: Rows of a set without a manifest that are shown, and characters of a text in them.
_ROWS, _TEXT = 3, 200

#: The largest array whose values are shown.
_VALUES = 12


@dataclass(frozen=True)
class FieldInfo:
    """One field of a set without a manifest.

    Attributes:
        name: its name.
        type: its type.
        role: image, label or name; None for any other field.
    """

    name: str
    type: str
    role: str | None


@dataclass(frozen=True)
class ShardInfo:
    """One shard of a set without a manifest.

    Attributes:
        file: its name.
        rows: number of its rows.
        bytes: its size in bytes.
        index_bytes: size of the index next to it, in bytes.
    """

    file: str
    rows: int
    bytes: int
    index_bytes: int


@dataclass(frozen=True)
class ForeignInfo:
    """Contents of MindRecord files without a manifest.

    Attributes:
        path: path of the set.
        name: what the names of its shards begin with.
        version: version of the MindRecord format.
        description: description of the schema.
        task: semantic or instance; None if no field has images or none has labels.
        rows: number of rows.
        fields: fields of a row.
        shards: in row order.
        first: the first rows, values by field; bytes and large arrays are described.
        unknown: what the set does not say.
    """

    path: str
    name: str
    version: str
    description: str
    task: TaskName | None
    rows: int
    fields: tuple[FieldInfo, ...]
    shards: tuple[ShardInfo, ...]
    first: tuple[dict[str, Any], ...]
    unknown: tuple[str, ...]


def foreign_info(path: Path, image_field: str | None, label_field: str | None) -> ForeignInfo:
    """Return the fields and first rows of MindRecord files without a manifest.

    Args:
        path: any of the files, or their folder.
        image_field: field of the images; None for one that is known by its name.
        label_field: field of the labels; None likewise.

    Raises:
        InvalidInputError: when the files are damaged.
        OptionError: when there is no such field.
    """
    reader = open_shards(path)
    names = None
    try:
        names = find_fields(reader.schema, image_field, label_field)
        unknown = unknown_facts(ForeignSet(path, reader, names), None)
    except InvalidInputError as error:
        if image_field or label_field:
            raise
        unknown = (f"task: {error}",)
    header = reader.shards[0].header
    return ForeignInfo(
        path=str(path),
        name=shards_name(reader),
        version=header.version,
        description=reader.schema.description,
        task=names.task if names else None,
        rows=len(reader),
        fields=tuple(
            FieldInfo(name, describe_form(form), _role(name, names)) for name, form in reader.schema.fields.items()
        ),
        shards=tuple(
            ShardInfo(shard.path.name, len(shard), shard.path.stat().st_size, index_path(shard.path).stat().st_size)
            for shard in reader.shards
        ),
        first=tuple(_first(reader)),
        unknown=unknown,
    )


def _role(name: str, names: FieldNames | None) -> str | None:
    roles = {names.image: "image", names.label: "label", names.name: "name"} if names else {}
    return roles.get(name)


def _first(reader: SetReader) -> Iterator[dict[str, Any]]:
    for row in reader.read(range(min(_ROWS, len(reader)))):
        yield {name: _brief(value) for name, value in row.items()}


def _brief(value: Any) -> Any:
    """Return a number as it is, and anything else as a text of limited length."""
    if isinstance(value, bytes):
        try:
            header = read_image_header(value)
        except InvalidInputError:
            return f"{len(value)} bytes"
        return f"{header.format}, {header.size} pixels, {len(value)} bytes"
    if isinstance(value, np.ndarray):
        return str(value.tolist()) if value.size <= _VALUES else f"{value.dtype} {list(value.shape)}"
    if isinstance(value, str):
        return value if len(value) <= _TEXT else f"{value[: _TEXT - 1]}…"
    return value
