"""Record sets that another program wrote: MindRecord files without a manifest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from segdata.errors import FaultsError, InvalidInputError
from segdata.images.reading import read_image_header
from segdata.mindrecord.header import read_shard_header
from segdata.mindrecord.index import INDEX_SUFFIX, index_path
from segdata.mindrecord.shards import SetReader
from segdata.records.entry import check_instances
from segdata.records.fields import FieldNames, find_fields
from segdata.records.manifest import MANIFEST
from segdata.records.manifest_file import read_manifest
from segdata.records.mask_rcnn import MASK_RCNN, labeled, to_instance_row
from segdata.records.schema import INSTANCE, Row, TaskName

#: Suffix of a name that is made for an image of unknown format.
_UNKNOWN = ".bin"


@dataclass(frozen=True)
class ForeignSet:
    """A set without a manifest, whose rows are returned as those of segdata; see `open_foreign`.

    Like a `RecordSet`, it can be used by several threads at once.
    """

    path: Path
    reader: SetReader
    fields: FieldNames

    def __len__(self) -> int:
        return len(self.reader)

    @property
    def task(self) -> TaskName:
        """The task of the rows."""
        return self.fields.task

    @property
    def shard_paths(self) -> list[Path]:
        """Paths of the shards, in row order."""
        return [shard.path for shard in self.reader.shards]

    def __getitem__(self, number: int) -> Row:
        """Return a row with the fields of segdata's rows of its task.

        An image without a name gets the number of its row; one without an id gets this number plus 1.

        Raises:
            InvalidInputError: when the row is damaged; names it.
        """
        names = self.fields
        extra = () if names.name is None else (names.name,)
        wanted = {"semantic": (names.image, names.label), "instance": tuple(INSTANCE), "mask_rcnn": MASK_RCNN.fields}
        found = self.reader.row(number, list(dict.fromkeys((*wanted[names.form], *extra))))
        name = found[names.name] if names.name else self._numbered(number, found[names.image])
        try:
            if names.form == "mask_rcnn":
                return to_instance_row(found, number + 1, name)
            if names.form == "instance":
                check_instances(found)
                return found
        except InvalidInputError as error:
            raise InvalidInputError(f"{self.path}: row {number}: {error}", error.code) from error
        return {"file_name": name, "data": found[names.image], "label": found[names.label]}

    def names(self) -> Iterator[str]:
        """Yield the name of every row, as it is in `self[number]`; only the column of names is read if there is one."""
        field = self.fields.name
        for number in range(len(self)):
            row = self.reader.row(number, [field or self.fields.image])
            yield row[field] if field else self._numbered(number, row[self.fields.image])

    def instance_labels(self) -> frozenset[int]:
        """Return the labels of all instances; all rows are read."""
        found = set[int]()
        field = self.fields.label
        for row in self.reader.read(range(len(self)), [field]):
            values = row[field] if self.fields.form == "instance" else row[field][labeled(row[field]), 4]
            found.update(np.unique(values).tolist())
        return frozenset(found)

    def _numbered(self, number: int, image: bytes) -> str:
        try:
            suffix = read_image_header(image).suffix
        except InvalidInputError:
            suffix = _UNKNOWN
        return f"{number:0{max(6, len(str(len(self) - 1)))}}{suffix}"


def is_foreign(path: Path) -> bool:
    """Return whether `path`, a directory or any file of a set, names MindRecord files that no manifest lists.

    Raises:
        InvalidInputError: when there is a manifest that cannot be read.
    """
    directory = path if path.is_dir() else path.parent
    manifest = directory / MANIFEST
    if path.is_dir():
        return not manifest.exists() and any(_shards(directory))
    if path.name == MANIFEST or not path.exists():
        return False
    return not manifest.exists() or path.name not in read_manifest(manifest).files


def open_shards(path: Path) -> SetReader:
    """Open the MindRecord files that `path` names: a directory with one set, or any file of a set.

    Raises:
        InvalidInputError: when a file is damaged or missing, the directory has files of several sets, or there are no
            rows.
    """
    first = _only_set(path) if path.is_dir() else path.with_name(path.name.removesuffix(INDEX_SUFFIX))
    if not first.exists():
        raise InvalidInputError(f"{first}: does not exist")
    reader = SetReader(first)
    if not len(reader):
        raise InvalidInputError(f"{path}: has no rows; expected at least 1. Write the set again.")
    return reader


def open_foreign(path: Path, *, image_field: str | None = None, label_field: str | None = None) -> ForeignSet:
    """Open a set without a manifest.

    Args:
        path: directory with one set, or any file of a set.
        image_field: field of the encoded images; by default ``data``, or that of a form that is known by its fields.
        label_field: field of the index PNGs; by default ``label``.

    Raises:
        InvalidInputError: see `open_shards`; also when a field is not one of images or labels.
    """
    reader = open_shards(path)
    try:
        return ForeignSet(path, reader, find_fields(reader.schema, image_field, label_field))
    except InvalidInputError as error:
        raise type(error)(f"{path}: {error}", error.code) from error


def shards_name(reader: SetReader) -> str:
    """Return the name of a set: that of its shards, without their numbers and ``.mindrecord``."""
    first = reader.shards[0].path.name
    plain = first.rstrip("0123456789") if len(reader.shards) > 1 else first
    return (plain or first).removesuffix(".mindrecord") or first


def _shards(directory: Path) -> Iterator[Path]:
    """Yield the files that have an index beside them, by name."""
    return (path for path in sorted(directory.glob("*")) if index_path(path).is_file() and path.is_file())


def _only_set(directory: Path) -> Path:
    """Return the first shard of the only set in a directory."""
    known = set[str]()
    first: list[Path] = []
    for path in _shards(directory):
        if path.name not in known:
            known.update({path.name, *read_shard_header(path).shard_addresses})
            first.append(path)
    if not first:
        raise InvalidInputError(f"{directory}: no record set; expected MindRecord files, each with its .db beside it")
    if len(first) > 1:
        raise FaultsError(
            f"{directory}: contains {len(first)} record sets; expected one. Name a shard of one of them",
            [path.name for path in first],
        )
    return first[0]
