"""The objects of a COCO JSON while they are cured: the JSON text of each, and which of them a fault names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Raw

from segdata.coco.document import decode_document
from segdata.coco.file import MEMBERS, Image, with_plain_name
from segdata.coco.objects import object_id
from segdata.coco.writing import json_parts, replace_values
from segdata.encoded import File
from segdata.errors import InvalidInputError
from segdata.images.header import ImageHeader
from segdata.images.reading import read_image_header
from segdata.text import plain_path

_PLACE = re.compile(r"(images|annotations|categories)\[(\d+)\]")
_ANNOTATION = re.compile(r"annotation (-?\d+)\b")


class CocoDraft:
    """A COCO JSON that is cured: its objects as JSON text, None where one was dropped.

    The rows of objects, which faults name, stay what they are until `close`.
    """

    def __init__(self, path: Path, folder: Path) -> None:
        """Read a JSON whose images are in `folder`.

        Raises:
            InvalidInputError: when it is not a JSON in UTF-8, or lacks one of the three lists.
        """
        self.folder = folder
        self.changed = False
        self._members = decode_document(path, dict[str, Raw])
        try:
            self.lists: dict[str, list[Raw | None]]
            self.lists = {key: msgspec.json.decode(self._members[key], type=list[Raw]) for key in MEMBERS}
        except (KeyError, msgspec.DecodeError) as error:
            raise InvalidInputError(f"{path}: {error}; expected lists of {', '.join(MEMBERS)}") from error

    def get(self, key: str, row: int) -> Any:
        """Return an object, decoded; None if it was dropped."""
        raw = self.lists[key][row]
        return None if raw is None else msgspec.json.decode(raw)

    def set(self, key: str, row: int, values: Mapping[str, Any]) -> None:
        """Replace members of an object; the text of the others does not change."""
        raw = self.lists[key][row]
        if raw is None or not values:
            return
        texts = {name: msgspec.json.encode(value) for name, value in values.items()}
        found = self.get(key, row)
        # A cure that only repeats what is there would be applied in each round.
        if any(name not in found or msgspec.json.encode(found[name]) != text for name, text in texts.items()):
            self.lists[key][row] = replace_values(raw, {name: Raw(text) for name, text in texts.items()})
            self.changed = True

    def drop(self, key: str, row: int) -> None:
        """Remove an object."""
        self.lists[key][row] = None
        self.changed = True

    def drop_image(self, row: int) -> None:
        """Remove an image with its annotations."""
        raw = self.lists["images"][row]
        if raw is not None:
            for annotation in self.annotations_of(object_id(raw)):
                self.drop("annotations", annotation)
            self.drop("images", row)

    def place(self, where: str) -> tuple[str, int] | None:
        """Return list and row of an object that a fault names by them, such as ``images[3]``."""
        match = _PLACE.fullmatch(where)
        return (match[1], int(match[2])) if match else None

    def annotation_row(self, where: str) -> int | None:
        """Return the row of an annotation that a fault names by its id."""
        match = _ANNOTATION.match(where)
        row = self._annotation_rows.get(int(match[1])) if match else None
        return None if row is None or self.lists["annotations"][row] is None else row

    def image_rows(self, name: str) -> list[int]:
        """Return the rows of the images of this name, however it is spelled."""
        return [row for row in self._image_rows.get(plain_path(name), []) if self.lists["images"][row] is not None]

    def name(self, row: int) -> str:
        """Return the file name of an image, with slashes between folders."""
        return with_plain_name(msgspec.json.decode(self.lists["images"][row] or b"", type=Image)).file_name

    def annotations_of(self, image_id: int | None) -> list[int]:
        """Return the rows of the annotations of an image."""
        return [row for row in self._by_image.get(image_id, []) if self.lists["annotations"][row] is not None]

    def image_of(self, annotation: Mapping[str, Any]) -> Image | None:
        """Return the image of an annotation; None if it is not in the file or not valid."""
        return self._images.get(annotation.get("image_id"))

    def header(self, name: str) -> ImageHeader | None:
        """Return the header of an image file; None if it cannot be read."""
        try:
            return read_image_header(File(self.folder, name).find())
        except InvalidInputError:
            return None

    def shape_of(self, annotation: Mapping[str, Any]) -> tuple[int, int] | None:
        """Return height and width for which an annotation is drawn: those of the JSON or else of the image file."""
        image = self.image_of(annotation)
        if image and min(image.height or 0, image.width or 0) > 0:
            return image.height or 0, image.width or 0
        header = self.header(image.file_name) if image else None
        return header.shape if header else None

    def close(self) -> bytes:
        """Return the text of the JSON."""
        lists = {key: [raw for raw in raws if raw is not None] for key, raws in self.lists.items()}
        return b"".join(json_parts(self._members, lists))

    def names(self) -> list[str]:
        """Return the names of all images."""
        return [image.file_name for _, image in self._valid_images()]

    def _valid_images(self) -> Iterator[tuple[int, Image]]:
        for row, raw in enumerate(self.lists["images"]):
            try:
                yield row, with_plain_name(msgspec.json.decode(raw or b"", type=Image))
            except msgspec.DecodeError:
                continue

    @cached_property
    def _images(self) -> dict[Any, Image]:
        found: dict[Any, Image] = {}
        for _, image in self._valid_images():
            found.setdefault(image.id, image)
        return found

    @cached_property
    def _image_rows(self) -> dict[str, list[int]]:
        rows: dict[str, list[int]] = {}
        for row, image in self._valid_images():
            rows.setdefault(plain_path(image.file_name), []).append(row)
        return rows

    @cached_property
    def _annotation_rows(self) -> dict[int | None, int]:
        rows: dict[int | None, int] = {}
        for row, raw in enumerate(self.lists["annotations"]):
            rows.setdefault(object_id(raw) if raw is not None else None, row)
        return rows

    @cached_property
    def _by_image(self) -> dict[Any, list[int]]:
        rows: dict[Any, list[int]] = {}
        for row in range(len(self.lists["annotations"])):
            annotation = self.get("annotations", row)
            if isinstance(annotation, dict) and isinstance(annotation.get("image_id"), int):
                rows.setdefault(annotation["image_id"], []).append(row)
        return rows
