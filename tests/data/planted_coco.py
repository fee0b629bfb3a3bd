"""Faults planted in a COCO data set, each with the code that `segdata check` gives it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from segdata.inspect.check import CheckReport, check
from segdata.inspect.check.overlap import open_other

Json = dict[str, Any]


@dataclass
class Planted:
    """Copy of a clean data set for planting faults, each into the image with its number."""

    root: Path
    members: Json
    other: list[Json] = field(default_factory=list)

    @property
    def json(self) -> Path:
        return self.root / "annotations" / "instances.json"

    def image(self, number: int) -> Json:
        return self.members["images"][number]

    def file(self, number: int) -> Path:
        return self.root / "images" / self.image(number)["file_name"]

    def annotation(self, number: int) -> Json:
        """Return the first annotation of an image."""
        return next(item for item in self.members["annotations"] if item["image_id"] == self.image(number)["id"])

    def add_annotation(self, number: int, **changes: Any) -> None:
        annotations = self.members["annotations"]
        annotations.append({**self.annotation(number), "id": 10**6 + len(annotations), **changes})

    def write(self) -> Path:
        self.json.write_text(json.dumps(self.members))
        return self.json

    def check(self, **options: Any) -> CheckReport:
        if self.other:
            other = self.root / "annotations" / "other.json"
            other.write_text(json.dumps({"images": self.other, "annotations": [], "categories": []}))
            options["against"] = [open_other(other)]
        return check(self.write(), **options)


def planted_copy(sample: Path, root: Path) -> Planted:
    """Return a copy of a miniature without its last image, which has no annotation."""
    shutil.copytree(sample, root)
    members = json.loads((sample / "annotations" / "instances.json").read_text())
    del members["images"][-1]
    return Planted(root, members)


def counts(report: CheckReport) -> dict[str, int]:
    return {finding.code: finding.count for finding in report.findings}


def change(**changes: Any) -> Callable[[Planted, int], None]:
    """Return a function that changes members of the image's first annotation; ``...`` removes them."""

    def plant(at: Planted, n: int) -> None:
        annotation = at.annotation(n)
        annotation.update(changes)
        for key in [key for key, value in changes.items() if value is ...]:
            del annotation[key]

    return plant


def size_of(at: Planted, n: int) -> list[int]:
    return [at.image(n)["height"], at.image(n)["width"]]


def runs(make: Callable[[int], object]) -> Callable[[Planted, int], None]:
    """Return a function that replaces the image's first mask by run lengths: `make` of its number of pixels."""

    def plant(at: Planted, n: int) -> None:
        height, width = size_of(at, n)
        at.annotation(n)["segmentation"] = {"size": [height, width], "counts": make(height * width)}

    return plant


def turned_runs(at: Planted, n: int) -> None:
    height, width = size_of(at, n)
    at.annotation(n)["segmentation"] = {"size": [width, height], "counts": [0, height * width]}


def forget_size(at: Planted, n: int) -> None:
    del at.image(n)["width"]


def other_size(at: Planted, n: int) -> None:
    height, width = size_of(at, n)
    Image.new("RGB", (width // 2, height // 2)).save(at.file(n))


def same_file(at: Planted, n: int, prefix: str = "") -> None:
    name = f"{prefix}{at.image(n)['file_name']}"
    at.members["images"].append({**at.image(n), "id": 10**6 + n, "file_name": name})
    at.add_annotation(n, image_id=10**6 + n)


def no_annotation(at: Planted, n: int) -> None:
    id_ = at.image(n)["id"]
    at.members["annotations"] = [item for item in at.members["annotations"] if item["image_id"] != id_]


def second(at: Planted, n: int, key: str) -> None:
    """Add an object with the id of another."""
    at.members[key].append(dict(at.members[key][n % len(at.members[key])]))


def broken_image(at: Planted, n: int) -> None:
    at.image(n)["width"] = "wide"


def far_box(at: Planted, n: int) -> None:
    height, width = size_of(at, n)
    at.annotation(n).update(bbox=[0, 0, width, height])


def turn(at: Planted, n: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = 8
    Image.open(at.file(n)).save(at.file(n), exif=exif)


def copy_of(at: Planted, n: int, *, same_masks: bool) -> None:
    shutil.copy(at.file(n), at.root / "images" / f"copy{n}.jpg")
    at.members["images"].append({**at.image(n), "id": 10**6 + n, "file_name": f"copy{n}.jpg"})
    for item in [item for item in at.members["annotations"] if item["image_id"] == at.image(n)["id"]]:
        at.add_annotation(n, **{**item, "id": 2 * 10**6 + item["id"], "image_id": 10**6 + n})
    if not same_masks:
        at.add_annotation(n, image_id=10**6 + n)


def in_other(at: Planted, n: int, name: str) -> None:
    at.other.append({"id": n, "file_name": name})
    (at.root / "images" / name).parent.mkdir(exist_ok=True)
    if not (at.root / "images" / name).exists():
        (at.root / "images" / name).write_text("another picture")


def overlap_by_content(at: Planted, n: int) -> None:
    shutil.copy(at.file(n), at.root / "images" / "elsewhere.jpg")
    at.other.append({"id": n, "file_name": "elsewhere.jpg"})


#: Faults found without options, with their code; each changes only the image with its number.
FAULTS: dict[str, tuple[str, Callable[[Planted, int], object]]] = {
    "no image": ("missing_image", lambda at, n: at.file(n).unlink()),
    "image outside": ("outside_root", lambda at, n: at.image(n).update(file_name=f"../{n}.jpg")),
    "image of 0 bytes": ("empty_file", lambda at, n: at.file(n).write_bytes(b"")),
    "invalid image": ("unreadable", lambda at, n: at.file(n).write_text("<html>")),
    "image stored turned": ("rotated", turn),
    "gray image": ("mixed_modes", lambda at, n: Image.open(at.file(n)).convert("L").save(at.file(n))),
    "image of another size": ("size_mismatch", other_size),
    "image without a size": ("no_size", forget_size),
    "image without annotations": ("no_annotation", no_annotation),
    "image that two objects name": ("duplicate_image", same_file),
    "image id twice": ("duplicate_id", lambda at, n: second(at, n, "images")),
    "annotation id twice": ("duplicate_id", lambda at, n: second(at, n, "annotations")),
    "category id twice": ("duplicate_id", lambda at, n: second(at, n, "categories")),
    "image with a wrong type": ("broken_member", broken_image),
    "annotation without an image": ("broken_member", lambda at, n: at.members["annotations"].append({"id": 77})),
    "invalid annotation": ("broken_member", lambda at, n: at.members["annotations"].append(n)),
    "category without a name": ("broken_member", lambda at, n: at.members["categories"].append({"id": 77})),
    "annotation of an unknown image": ("orphan_annotation", lambda at, n: at.add_annotation(n, image_id=-5)),
    "annotation of an unknown category": ("orphan_annotation", lambda at, n: at.add_annotation(n, category_id=-5)),
    "annotation without a mask": ("no_segmentation", change(segmentation=...)),
    "annotation with an empty mask": ("no_segmentation", change(segmentation=[])),
    "polygon of two points": ("bad_polygon", change(segmentation=[[1, 1, 5, 5]])),
    "polygon of odd coordinates": ("bad_polygon", change(segmentation=[[1, 1, 5, 5, 9, 9, 3]])),
    "polygon of words": ("bad_polygon", change(segmentation=[["a", "b", "c", "d", "e", "f"]])),
    "polygon far outside": ("bad_polygon", change(segmentation=[[0, 0, 1e9, 0, 1e9, 1e9]])),
    "runs of another size": ("bad_rle", turned_runs),
    "runs that do not fill": ("bad_rle", runs(lambda pixels: [5, pixels - 9])),
    "runs in a damaged string": ("bad_rle", runs(lambda pixels: "\x07??")),
    "mask without a pixel": ("empty_mask", runs(lambda pixels: [pixels])),
    "area of another mask": ("area_mismatch", change(area=1e6)),
    "box outside": ("bad_box", change(bbox=[5000, 2, 10, 10])),
    "box without an area": ("bad_box", change(bbox=[5, 5, 0, 10])),
    "box of three numbers": ("bad_box", change(bbox=[5, 5, 10])),
    "box of words": ("bad_box", change(bbox=["5", "5", "9", "9"])),
    "box far from its mask": ("box_mismatch", far_box),
    "crowd as polygons": ("crowd_polygon", change(iscrowd=1)),
    "no iscrowd": ("no_iscrowd", change(iscrowd=...)),
    "file name in the other JSON": ("overlap", lambda at, n: in_other(at, n, at.image(n)["file_name"])),
    "name in the other JSON": ("overlap_name", lambda at, n: in_other(at, n, f"x/{at.image(n)['file_name']}")),
}

#: Faults found only with an option.
WITH_OPTION: dict[str, tuple[str, Callable[[Planted, int], object], str]] = {
    "image cut": ("truncated", lambda at, n: at.file(n).write_bytes(at.file(n).read_bytes()[:2000]), "decode"),
    "content twice": ("duplicate_content", lambda at, n: copy_of(at, n, same_masks=True), "hash"),
    "content twice, masks differ": ("label_conflict", lambda at, n: copy_of(at, n, same_masks=False), "hash"),
    "content in the other JSON": ("overlap_content", overlap_by_content, "hash"),
}
