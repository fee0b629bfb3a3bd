"""Contents of a data set, without reading its samples."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from segdata.coco.file import Coco, read_coco
from segdata.errors import InvalidInputError
from segdata.images.reading import read_image_header
from segdata.lists import read_list
from segdata.mindrecord.index import index_path
from segdata.mindrecord.shards import SetReader
from segdata.opening import check_folder, dataset_kind
from segdata.recorded import unknown_facts
from segdata.records.fetch import find_set
from segdata.records.fields import FieldNames, describe_form, find_fields
from segdata.records.foreign import ForeignSet, is_foreign, open_shards, shards_name
from segdata.records.manifest import Manifest
from segdata.records.schema import TaskName
from segdata.samples import DatasetKind
from segdata.store.url import Location, Url, parse_location

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


@dataclass(frozen=True)
class CategoryInfo:
    """One category of a COCO JSON.

    Attributes:
        id: its id in the JSON.
        name: its name.
        annotations: number of its annotations.
    """

    id: int
    name: str
    annotations: int


@dataclass(frozen=True)
class SourceInfo:
    """Counts of a list file or a COCO JSON, without reading an image.

    Attributes:
        path: path of the file.
        kind: ``list`` or ``coco``.
        task: semantic or instance.
        samples: number of samples.
        annotations: number of annotations; None for a list.
        crowds: number of crowds among them; None for a list.
        without_annotations: number of images without annotations; None for a list.
        categories: in the order of their ids; empty for a list.
    """

    path: str
    kind: DatasetKind
    task: TaskName
    samples: int
    annotations: int | None = None
    crowds: int | None = None
    without_annotations: int | None = None
    categories: tuple[CategoryInfo, ...] = ()


@dataclass(frozen=True)
class SetInfo:
    """Contents of a record set.

    Attributes:
        path: directory or URL of the set.
        manifest: its manifest.
    """

    path: str
    manifest: Manifest


def info(
    location: Location, *, image_field: str | None = None, label_field: str | None = None
) -> SetInfo | ForeignInfo | SourceInfo:
    """Return the manifest of a record set, the fields and first rows of one without a manifest, or counts of a file.

    Args:
        location: directory, manifest or any shard of a set, a list file or a COCO JSON, as a path; or the URL of a set
            with a manifest.
        image_field: field of the images, in a set without a manifest; see `open_dataset`.
        label_field: field of the labels.

    Example:
        >>> info("s3://bucket/records/train").manifest.rows
        1464

    Raises:
        InvalidInputError: when there is no data set, or it is damaged or has a newer format.
        OptionError: when there is no such field.
        SegDataError: when the store cannot be reached or denies access.
    """
    place = parse_location(location)
    if not isinstance(place, Path):
        return _set_info(place)
    kind = dataset_kind(place)
    if kind == "list":
        return SourceInfo(str(place), kind, "semantic", len(read_list(place)))
    if kind == "coco":
        return _coco_info(read_coco(place))
    if is_foreign(place):
        return _foreign_info(place, image_field, label_field)
    check_folder(place)
    return _set_info(place)


def _set_info(place: Path | Url) -> SetInfo:
    found, manifest = find_set(place)
    return SetInfo(str(found), manifest)


def _coco_info(coco: Coco) -> SourceInfo:
    columns = coco.annotations
    found = np.bincount(columns.category[columns.category >= 0], minlength=len(coco.categories)).tolist()
    return SourceInfo(
        path=str(coco.path),
        kind="coco",
        task="instance",
        samples=len(coco.images),
        annotations=len(columns.raw),
        crowds=int(np.count_nonzero(columns.crowd)),
        without_annotations=len(coco.images) - len(np.unique(columns.image[columns.image >= 0])),
        categories=tuple(
            CategoryInfo(coco.categories[row].id, coco.categories[row].name, found[row]) for row in coco.label_order()
        ),
    )


def _foreign_info(path: Path, image_field: str | None, label_field: str | None) -> ForeignInfo:
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
