"""Read a COCO instances file: ids and flags are decoded, every object is kept as its original JSON text.

Format: the "Data format" page of the COCO data set, object detection. No polygon is parsed: beside the text of the
file, the 448 MB of train2017 take only a few columns of numbers.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec import Raw

from segdata.coco.columns import AnnotationObject, Annotations, read_columns
from segdata.coco.document import decode_document
from segdata.coco.objects import Id, check_unique_ids, decode_objects, object_id, usable_objects
from segdata.errors import Fault, InvalidInputError

_Member = TypeVar("_Member", "Image", "Category")

MEMBERS = ("images", "annotations", "categories")

#: What `iscrowd` 1 means: objects that cannot be distinguished, or one object, because a tool sets it for every mask.
CrowdMeaning = Literal["crowd", "object"]


class Image(msgspec.Struct, frozen=True, gc=False):
    """The members read from an image object; a missing size is set to None."""

    id: Id
    file_name: str
    height: int | None = None
    width: int | None = None


class Category(msgspec.Struct, frozen=True, gc=False):
    """The members read from a category object."""

    id: Id
    name: str
    supercategory: Any = None

    def __post_init__(self) -> None:
        """Refuse a name that shows nothing; no record set or list of classes could name this class."""
        if not self.name.strip():
            raise ValueError(f"category {self.id} has the name {self.name!r}; expected a name. Name it")


@dataclass(frozen=True)
class Coco:
    """A COCO instances file.

    Attributes:
        path: the file.
        members: its top-level members by key, in file order; lists and objects hold raw JSON.
        images: in file order, ids unique; raw in ``members["images"]``. Their names have slashes between folders.
        categories: in file order, ids unique; raw in ``members["categories"]``.
        annotations: in file order, ids unique.
    """

    path: Path
    members: dict[str, Any]
    images: tuple[Image, ...]
    categories: tuple[Category, ...]
    annotations: Annotations

    def label_order(self) -> list[int]:
        """Return the rows of the categories by label: labels are 1 to K in the order of the category ids."""
        return sorted(range(len(self.categories)), key=lambda row: self.categories[row].id)

    def class_names(self) -> dict[int, str]:
        """Return the name of each category by label."""
        return {label: self.categories[row].name for label, row in enumerate(self.label_order(), start=1)}

    def by_image(self, images: Sequence[int] | None = None) -> Iterator[tuple[Image, npt.NDArray[np.int64]]]:
        """Yield each image, in file order or as given by the rows `images`, with its annotation rows in file order."""
        rows = self.annotations.image
        order = np.argsort(rows, kind="stable")
        bounds = np.searchsorted(rows[order], np.arange(len(self.images) + 1))
        for row in range(len(self.images)) if images is None else images:
            yield self.images[row], order[bounds[row] : bounds[row + 1]]


#: Members by which the files of other tools are known.
_TOOLS = {
    "labelme": {"shapes", "imagePath"},
    "VIA": {"_via_img_metadata"},
    "Datumaro": {"items", "categories"},
    "Supervisely": {"objects", "size"},
    "V7 Darwin": {"item", "annotations"},
}

# Decoding to this type takes one pass and stops at the first level of each member, for any set of members.
_File = dict[str, list[Raw] | dict[str, Raw] | str | int | float | bool | None]


def read_coco(
    path: Path, *, faults: list[Fault] | None = None, crowd: CrowdMeaning = "crowd", strip_prefix: str = ""
) -> Coco:
    """Read a COCO instances file.

    Args:
        path: the file.
        faults: when given, invalid images, categories and annotations, and those with a duplicate id, are skipped and
            appended here instead of raising an error. Objects that refer to an invalid object are skipped as well.
        crowd: what `iscrowd` 1 means; with ``object``, no annotation is a crowd.
        strip_prefix: start of image names to remove; other names stay as they are.

    Raises:
        InvalidInputError: when the file cannot be read, is truncated, is not JSON in UTF-8, or lacks one of the three
            lists.
        FaultsError: for images, categories or annotations that lack a required member, and for duplicate ids.
    """
    members: dict[str, Any] = decode_document(path, _File)
    if lacking := [key for key in MEMBERS if not isinstance(members.get(key), list)]:
        if told := _other_format(path, members):
            raise InvalidInputError(f"{path}: {told}")
        lists = f"list{'s' if len(lacking) > 1 else ''} {', '.join(map(repr, lacking))}"
        found = ", ".join(map(repr, members)) or "nothing"
        raise InvalidInputError(f"{path}: not a COCO instances file: has no {lists}; it has {found}")
    _refuse_panoptic(path, members["annotations"])
    if faults is not None:
        _leave_out(members, faults)
    images = tuple(with_plain_name(image, strip_prefix) for image in _objects(path, members, "images", Image))
    categories = _objects(path, members, "categories", Category)
    ids = ([item.id for item in images], [item.id for item in categories])
    annotations = read_columns(path, members["annotations"], *ids)
    if crowd == "object":
        annotations = replace(annotations, crowd=np.zeros_like(annotations.crowd))
    return Coco(path, members, images, categories, annotations)


def _other_format(path: Path, members: dict[str, Any]) -> str:
    """Return what a JSON without COCO's three lists is, judged by its members, and what to do; or an empty text."""
    for tool, keys in _TOOLS.items():
        if keys <= members.keys():
            export = (
                "Convert its folder with segdata labelme" if tool == "labelme" else "Export the annotations as COCO"
            )
            return f"is a file of {tool}; expected COCO instances. {export}."
    first = next(iter(members.values()), None)
    if isinstance(first, dict) and {"filename", "regions"} <= first.keys():
        return "is a file of VIA; expected COCO instances. Export the annotations as COCO."
    objects = [key for key in MEMBERS if isinstance(members.get(key), dict)]
    by_key = [bytes(value) for key in objects for value in members[key].values()]
    lists = sum(isinstance(members.get(key), list) for key in MEMBERS)
    if not by_key or len(objects) + lists < len(MEMBERS) or not all(text.startswith(b"{") for text in by_key):
        return ""
    change = " | ".join(f".{key} |= [.[]]" for key in objects)
    command = f"jq {shlex.quote(change)} {shlex.quote(str(path))} > NEW.json"
    return f"{' and '.join(map(repr, objects))} is an object; expected a list. Turn it into one: {command}."


def with_plain_name(image: Image, prefix: str = "") -> Image:
    r"""Return an image with slashes between the folders of its name, and without a prefix.

    >>> with_plain_name(Image(1, "D:\\export\\images\\a.jpg"), "D:\\export").file_name
    'images/a.jpg'
    """
    name, start = image.file_name.replace("\\", "/"), prefix.replace("\\", "/")
    name = name[len(start) :].lstrip("/") if start and name.startswith(start) else name
    return image if name in ("", image.file_name) else msgspec.structs.replace(image, file_name=name)


def _refuse_panoptic(path: Path, annotations: Sequence[Raw]) -> None:
    """Refuse the JSON of COCO's panoptic task: its annotations are images, whose masks are in PNG files."""
    if annotations and b'"segments_info"' in bytes(annotations[0]) and object_id(annotations[0]) is None:
        raise InvalidInputError(
            f"{path}: is COCO's panoptic format (segments_info), whose masks are in PNG files; expected instances. "
            "Convert it with panoptic2detection_coco_format.py of panopticapi."
        )


def _leave_out(members: dict[str, Any], faults: list[Fault]) -> None:
    """Remove from the lists everything that `read_coco` would raise an error for."""
    types: dict[str, type[Image | Category | AnnotationObject]]
    types = {"images": Image, "categories": Category, "annotations": AnnotationObject}
    lost: dict[str, set[int | None]] = {}
    for key, type_ in types.items():
        raws = members[key]
        rows, items = usable_objects(key, raws, type_, faults)
        kept: dict[int, Raw] = {}
        for row, item in zip(rows, items, strict=True):
            if item.id in kept:
                faults.append(Fault("duplicate_id", f"{key}[{row}]", f"reuses id {item.id} of an earlier object"))
            elif key != "annotations" or not _refers_to(item, lost):
                kept[item.id] = raws[row]
        broken = {object_id(raws[row]) for row in set(range(len(raws))).difference(rows)}
        members[key], lost[key] = list(kept.values()), broken.difference(kept)


def _refers_to(annotation: Any, lost: dict[str, set[int | None]]) -> bool:
    return annotation.image_id in lost["images"] or annotation.category_id in lost["categories"]


def _objects(path: Path, members: dict[str, Any], key: str, type_: type[_Member]) -> tuple[_Member, ...]:
    objects = tuple(decode_objects(path, key, members[key], type_, msgspec.json.Decoder(type_)))
    check_unique_ids(path, key, np.array([item.id for item in objects], np.int64))
    return objects
