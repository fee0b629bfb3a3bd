"""Contents of a data set, without reading its samples."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from segdata.coco.file import Coco, read_coco
from segdata.inspect.foreign_info import ForeignInfo, foreign_info
from segdata.lists import read_list
from segdata.opening import check_folder, dataset_kind
from segdata.records.fetch import find_set
from segdata.records.foreign import is_foreign
from segdata.records.manifest import Manifest
from segdata.records.schema import TaskName
from segdata.samples import DatasetKind
from segdata.store.url import Location, Url, parse_location


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
        return foreign_info(place, image_field, label_field)
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
