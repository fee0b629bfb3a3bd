"""The images and annotations of COCO JSONs, merged: one image for each file, with the annotations of all."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec
from msgspec import Raw

from segdata.coco.file import Coco
from segdata.coco.ids import DistinctIds
from segdata.coco.objects import decode_object, object_id
from segdata.coco.writing import replace_values
from segdata.errors import Fault, FaultsError, collecting
from segdata.files.paths import resolve
from segdata.text import plain_path, plural


class MergedImages:
    """The images of all JSONs: one for each file, with the id of each by row of its JSON."""

    def __init__(self, parts: Sequence[Coco], folders: Sequence[Path], licenses: Sequence[dict[int, int]]) -> None:
        """Take the images of each JSON with their folder, and the licenses of it that get a new id.

        Raises:
            FaultsError: when a file has two sizes, or is outside its folder.
        """
        self.root = Path(os.path.commonpath(folders))
        self.raws: list[Raw] = []
        self.ids: list[list[int]] = []
        self.renumbered = self.shared = 0
        #: Ids of the images that several JSONs have.
        self.several: set[int] = set()
        self._faults: list[Fault] = []
        self._found: dict[str, tuple[int, tuple[int | None, int | None], Path]] = {}
        self._distinct = DistinctIds(image.id for part in parts for image in part.images)
        for part, folder, changed in zip(parts, folders, licenses, strict=True):
            self.ids.append(list(self._add(part, folder, changed)))
        if self._faults:
            count = plural(len(self._faults), "conflict")
            raise FaultsError(f"{count} of images; nothing was written. Correct the JSONs", self._faults)

    def _add(self, part: Coco, folder: Path, licenses: dict[int, int]) -> Iterator[int]:
        prefix = folder.relative_to(self.root).as_posix()
        for image, raw in zip(part.images, part.members["images"], strict=True):
            with collecting(self._faults, str(part.path)):
                resolve(folder, image.file_name)
            name = PurePosixPath(prefix, plain_path(image.file_name)).as_posix()
            size = image.height, image.width
            if name in self._found:
                id_, first, owner = self._found[name]
                self.shared += 1
                self.several.add(id_)
                if None not in (*size, *first) and size != first:
                    sizes = f"has {first[1]} x {first[0]} pixels in {owner} and {size[1]} x {size[0]} in {part.path}"
                    self._faults.append(Fault("size_mismatch", name, f"{sizes}; expected one size"))
                yield id_
                continue
            id_ = self._distinct.take(image.id)
            self._found[name] = id_, size, part.path
            self.renumbered += id_ != image.id
            values: dict[str, Any] = {} if id_ == image.id else {"id": id_}
            if prefix != ".":
                values["file_name"] = name
            if licenses and (license_ := _license(raw)) in licenses:
                values["license"] = licenses[license_]
            self.raws.append(_with(raw, values))
            yield id_


class _License(msgspec.Struct, gc=False):
    license: Any = None


def _license(raw: Raw) -> int | None:
    found = msgspec.json.decode(raw, type=_License).license
    return found if isinstance(found, int) else None


def _with(raw: Raw, values: dict[str, Any]) -> Raw:
    """Return an object with other values; its text as it is without values."""
    if not values:
        return raw
    return replace_values(raw, {key: Raw(msgspec.json.encode(value)) for key, value in values.items()})


class _Shape(msgspec.Struct, gc=False):
    bbox: Any = None
    segmentation: Any = None


_SHAPE = msgspec.json.Decoder(_Shape)

#: Image, category, crowd and hash of the shape: annotations that differ in them are not compared any further.
_Key = tuple[int, int, bool, int]
_Found = dict[_Key, list[Raw]]


class MergedAnnotations:
    """The annotations of all JSONs."""

    def __init__(self, parts: Sequence[Coco], images: MergedImages, categories: Sequence[Sequence[int | None]]) -> None:
        """Take the annotations of each JSON whose category has an id in `categories`, by row of the JSON."""
        self.raws: list[Raw] = []
        self.repeated = self.renumbered = 0
        self._used = Counter[int]()
        self._images = images
        self._found: _Found = {}
        # `read_coco` refuses annotations without an id.
        ids = [[object_id(raw) or 0 for raw in part.annotations.raw] for part in parts]
        self._distinct = DistinctIds(chain.from_iterable(ids))
        for number, part in enumerate(parts):
            # Annotations are compared with those of earlier JSONs, not with those of their own.
            for key, raws in self._add(part, ids[number], images.ids[number], categories[number]).items():
                self._found.setdefault(key, []).extend(raws)

    def by_category(self, ids: Sequence[int]) -> list[int]:
        """Return the number of annotations of each category id."""
        return [self._used[id_] for id_ in ids]

    def _add(self, part: Coco, ids: list[int], images: list[int], categories: Sequence[int | None]) -> _Found:
        table, found = part.annotations, _Found()
        columns = table.image.tolist(), table.category.tolist(), table.crowd.tolist()
        for id_, raw, image, category, crowd in zip(ids, table.raw, *columns, strict=True):
            new_image, new_category = images[image], categories[category]
            if new_category is None:
                continue
            if new_image in self._images.several:
                key = new_image, new_category, crowd, _shape_hash(raw)
                found.setdefault(key, []).append(raw)
                if any(_same_shape(raw, other) for other in self._found.get(key, ())):
                    self.repeated += 1
                    continue
            new_id = self._distinct.take(id_)
            self.renumbered += new_id != id_
            old = id_, part.images[image].id, part.categories[category].id
            new = new_id, new_image, new_category
            keys = ("id", "image_id", "category_id")
            self.raws.append(_with(raw, {key: now for key, was, now in zip(keys, old, new, strict=True) if was != now}))
            self._used[new_category] += 1
        return found


def _shape_hash(raw: Raw) -> int:
    shape = decode_object(raw, _SHAPE)
    return hash((_frozen(shape.bbox), _frozen(shape.segmentation)))


def _frozen(value: Any) -> Any:
    """Return a value of JSON as one that has a hash; equal values have the same."""
    if isinstance(value, list):
        return tuple(map(_frozen, value))
    return frozenset((key, _frozen(each)) for key, each in value.items()) if isinstance(value, dict) else value


def _same_shape(one: Raw, other: Raw) -> bool:
    """Return whether two annotations have the same box and segmentation; ``1`` and ``1.0`` are equal."""
    return decode_object(one, _SHAPE) == decode_object(other, _SHAPE)
