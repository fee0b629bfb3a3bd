"""Write the rows of a record set as files: an image with its index PNG, or with its objects in a COCO JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec import Raw

from segdata.coco.rle import Rle, to_rle
from segdata.coco.writing import json_parts
from segdata.errors import Fault, InvalidInputError
from segdata.images.reading import read_image_header
from segdata.labels import png
from segdata.lists import Pair
from segdata.records.entry import check_instances
from segdata.records.schema import Row, unpack_masks
from segdata.records.unpack_names import NamePlan


@dataclass(frozen=True)
class PairWriter:
    """Writes image and label of a row below `root`; returns their paths, and a fault if the label is odd."""

    root: Path
    names: NamePlan

    def __call__(self, number: int, row: Row) -> tuple[Pair, Fault | None]:
        """Write the files of a row."""
        image = self.names.image(number, row["file_name"])
        suffix, fault = _inspect_label(row["label"])
        pair = Pair(image, self.names.label(image, suffix))
        _write(self.root / image, row["data"])
        _write(self.root / pair.label, row["label"])
        return pair, Fault("label_mode", pair.label, fault) if fault else None


def _inspect_label(data: bytes) -> tuple[str, str | None]:
    """Return the suffix of a label's file, and what is odd about it."""
    try:
        header = png.probe(data)
    except png.PngError:
        try:
            return read_image_header(data).suffix, "not a PNG file; expected class ids as 8-bit gray"
        except InvalidInputError:
            return ".bin", "not an image; expected class ids as 8-bit gray"
    if (header.color_type, header.depth) == (png.GRAY, 8):
        return ".png", None
    return ".png", f"{header.kind} PNG; expected class ids as 8-bit gray. Convert it with segdata voc-decolor"


@dataclass(frozen=True)
class ObjectWriter:
    """Writes the image of a row below `root`; returns the objects of a COCO JSON for it and its instances.

    The instances have labels in the place of category ids, and no ids.
    """

    root: Path
    names: NamePlan

    def __call__(self, number: int, row: Row) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Write the image of a row.

        Raises:
            InvalidInputError: when its instances are damaged.
        """
        check_instances(row)
        name = self.names.image(number, row["file_name"])
        _write(self.root / name, row["data"])
        image = {"id": row["image_id"], "file_name": name, "height": row["height"], "width": row["width"]}
        return image, list(_instances(row))


def _instances(row: Row) -> Iterator[dict[str, Any]]:
    from pycocotools import mask

    size = row["height"], row["width"]
    columns = (unpack_masks(row["masks"]), row["boxes"], row["labels"].tolist(), row["iscrowd"].tolist())
    for counts, box, label, crowd in zip(*columns, strict=True):
        rle: Rle = to_rle({"size": [*size], "counts": counts}, *size)
        yield {
            "image_id": row["image_id"],
            "category_id": label,
            "segmentation": {"size": [*size], "counts": counts.decode()},
            "area": int(mask.area(rle)),
            "bbox": coco_box(box),
            "iscrowd": crowd,
        }


def coco_box(box: npt.NDArray[np.float32]) -> list[float]:
    """Return x, y, width and height of a box ``(4,)`` x1, y1, x2, y2, in as few digits as give the same float32.

    >>> coco_box(np.array([473.07, 395.93, 511.72, 424.6], np.float32))
    [473.07, 395.93, 38.65, 28.67]
    """
    x1, y1, x2, y2 = (float(str(edge)) for edge in box)
    short = [x1, y1, round(x2 - x1, 6), round(y2 - y1, 6)]
    exact: list[float] = box.tolist()
    edges = np.array([x1, y1, x1 + short[2], y1 + short[3]], np.float32)
    if np.array_equal(edges, box):
        return short
    return [exact[0], exact[1], exact[2] - exact[0], exact[3] - exact[1]]


class JsonLists:
    """The lists of a COCO JSON, kept in two files, since a set may have more instances than fit in memory."""

    def __init__(self, images: IO[bytes], annotations: IO[bytes], categories: Mapping[int, int] | None) -> None:
        """Start without objects.

        Args:
            images: empty temporary file.
            annotations: empty temporary file.
            categories: category id by label; None if they are equal.
        """
        self._images, self._annotations, self._categories = images, annotations, categories
        self.labels = set[int]()
        self.count = 0

    def add(self, image: dict[str, Any], instances: list[dict[str, Any]]) -> None:
        """Append an image and its instances, which get the next ids.

        Raises:
            InvalidInputError: when a label has no category.
        """
        self._images.write(msgspec.json.encode(image) + b"\n")
        for instance in instances:
            self.count += 1
            label = instance["category_id"]
            self.labels.add(label)
            category = self._categories.get(label) if self._categories else label
            if category is None:
                raise InvalidInputError(
                    f"{image['file_name']}: label {label} is not a class of the manifest. Run segdata verify.",
                    "record_damaged",
                )
            line = msgspec.json.encode({"id": self.count, **instance, "category_id": category})
            self._annotations.write(line + b"\n")

    def write(self, path: Path, categories: Mapping[int, str]) -> None:
        """Write the JSON with these categories: names by id."""
        members = {
            "info": {"description": "segdata unpack"},
            "licenses": [],
            "images": [],
            "annotations": [],
            "categories": [{"id": id_, "name": name, "supercategory": ""} for id_, name in categories.items()],
        }
        lists = {"images": _lines(self._images), "annotations": _lines(self._annotations)}
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            file.writelines(json_parts(members, lists))


def _lines(file: IO[bytes]) -> Iterator[Raw]:
    file.seek(0)
    return (Raw(line.rstrip(b"\n")) for line in file)


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as file:
        file.write(data)
