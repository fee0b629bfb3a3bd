"""Data sets with one planted fault each, and with all at once: a list, a COCO JSON, a record set and TIFF stacks.

The faults of lists and JSONs are those of the tests of `check` (tests/data), and more that users met.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tifffile

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "data"))

import planted_coco
import planted_list

from segdata.miniature.coco import write_coco
from segdata.miniature.voc import write_devkit
from segdata.opening import open_dataset
from segdata.records.convert import to_mindrecord
from segdata.sources.voc import voc_list
from segdata.sources.voc_decolor import voc_decolor

#: Samples of the clean sets: more than faults that are planted into one set.
SAMPLES = 72

#: Number of the first sample that faults are planted into.
FIRST = 2

Plant = Callable[[Any, int], object]


@dataclass(frozen=True)
class Case:
    """A data set with planted faults.

    Attributes:
        kind: ``list``, ``coco``, ``records`` or ``stack``.
        fault: name of the fault; ``clean`` and ``all at once`` are not one.
        codes: by fault, the codes that name it.
        source: list, JSON, record set or stack.
        images: files of its images, where peers find them.
        against: list or JSON to compare with.
        labels: stack of the labels.
    """

    kind: str
    fault: str
    codes: dict[str, list[str]]
    source: str
    images: list[str] = field(default_factory=list)
    against: str | None = None
    labels: str | None = None


def changed(change: Callable[[np.ndarray], np.ndarray], quality: int = 90) -> Plant:
    """Return a function that changes the pixels of an image, and not its size."""

    def plant(at: Any, n: int) -> None:
        path = at.image(n) if isinstance(at, planted_list.Planted) else at.file(n)
        cv2.imwrite(str(path), np.ascontiguousarray(change(cv2.imread(str(path)))), [cv2.IMWRITE_JPEG_QUALITY, quality])

    return plant


def copied(change: Callable[[np.ndarray], np.ndarray], *, other: bool = False) -> Plant:
    """Return a function that adds a changed copy of an image, to the set or to the other one."""

    def plant(at: Any, n: int) -> None:
        listed = isinstance(at, planted_list.Planted)
        path = at.image(n) if listed else at.file(n)
        image = np.ascontiguousarray(change(cv2.imread(str(path))))
        name = f"near{n}.jpg"
        cv2.imwrite(str((at.root if listed else path.parent) / name), image, [cv2.IMWRITE_JPEG_QUALITY, 60])
        height, width = image.shape[:2]
        if listed:
            cv2.imwrite(str(at.root / f"near{n}.png"), np.zeros((height, width), np.uint8))
            (at.other if other else at.lines).append(f"{name} near{n}.png")
            return
        entry = {"id": 10**6 + n, "file_name": name, "height": height, "width": width}
        (at.other if other else at.members["images"]).append(entry)
        if not other:
            box = {"bbox": [1, 1, 9, 9], "area": 100, "segmentation": [[1, 1, 10, 1, 10, 10, 1, 10]]}
            at.add_annotation(n, image_id=10**6 + n, iscrowd=0, **box)

    return plant


#: Faults of pixels that lists and JSONs share.
PIXELS: dict[str, tuple[str, Plant]] = {
    "dark image": ("dark", changed(lambda image: image // 5)),
    "bright image": ("bright", changed(lambda image: 245 + image // 26, 100)),
    "image without contrast": ("low_contrast", changed(lambda image: 120 + image // 16, 100)),
    "blurred image": ("blurry", changed(lambda image: cv2.GaussianBlur(image, (0, 0), 6))),
    "mirrored copy": ("near_duplicate", copied(lambda image: image[:, ::-1])),
    "cropped copy": ("near_duplicate", copied(lambda image: image[4:, 6:])),
    "copy of half the size in the other set": (
        "overlap_near",
        copied(lambda image: cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), other=True),
    ),
}


def strip(at: planted_list.Planted, n: int) -> None:
    """Stretch an image and its label to a strip."""
    image, label = cv2.imread(str(at.image(n))), at.pixels(n)
    cv2.imwrite(str(at.image(n)), cv2.resize(image, (400, 90)))
    at.write_label(n, cv2.resize(label, (400, 90), interpolation=cv2.INTER_NEAREST))


def tiff(**options: Any) -> Plant:
    """Return a function that stores an image as a TIFF with other properties under its name."""

    def plant(at: planted_list.Planted, n: int) -> None:
        gray = cv2.imread(str(at.image(n)), cv2.IMREAD_GRAYSCALE)
        pages = options.get("pages", 1)
        tifffile.imwrite(at.image(n), np.stack([gray.astype(options["dtype"])] * pages), photometric="minisblack")

    return plant


MORE_OF_LISTS: dict[str, tuple[str, Plant]] = {
    "path in another spelling": (
        "duplicate_image",
        lambda at, n: at.lines.append("./" + at.lines[n].replace("/", "//")),
    ),
    "path with backslashes": (
        "missing_image",
        lambda at, n: at.lines.__setitem__(n, f"{at.pairs[n].image.replace('/', chr(92))} {at.pairs[n].label}"),
    ),
    "hard link": (
        "same_file duplicate_content",
        lambda at, n: (os.link(at.image(n), at.root / f"h{n}.jpg"), at.lines.append(f"h{n}.jpg {at.pairs[n].label}")),
    ),
    "image of fractions": ("no_value_range", tiff(dtype=np.float32)),
    "signed image": ("no_value_range", tiff(dtype=np.int8)),
    "several images in one file": ("unsupported_image", tiff(dtype=np.uint8, pages=3)),
    "strip": ("odd_aspect", strip),
    **PIXELS,
}


def box_of_corners(at: planted_coco.Planted, n: int) -> None:
    x, y, width, height = at.annotation(n)["bbox"]
    at.annotation(n)["bbox"] = [x, y, x + 3 * width, y + 3 * height]


def stray_part(at: planted_coco.Planted, n: int) -> None:
    at.annotation(n)["segmentation"] = [*at.annotation(n)["segmentation"], [1, 1, 5, 5]]


def shares(at: planted_coco.Planted, n: int) -> None:
    """Store a polygon in shares of the size of its image."""
    height, width = planted_coco.size_of(at, n)
    parts = at.annotation(n)["segmentation"]
    at.annotation(n)["segmentation"] = [
        [value / (height if place % 2 else width) for place, value in enumerate(part)] for part in parts
    ]


MORE_OF_JSONS: dict[str, tuple[str, Plant]] = {
    "two points beside a polygon": ("bad_polygon", stray_part),
    "flat polygon": ("bad_polygon", planted_coco.change(segmentation=[1, 1, 9, 1, 9, 9])),
    "polygon in shares of the size": ("empty_mask box_mismatch area_mismatch", shares),
    "box thinner than float32 tells": ("bad_box", planted_coco.change(bbox=[50.0, 3, 1e-7, 9])),
    "box of two corners": ("box_mismatch", box_of_corners),
    "area forgotten": ("no_area", planted_coco.change(area=...)),
    "area of words": ("broken_member", planted_coco.change(area="large")),
    "id as text": ("broken_member", lambda at, n: at.annotation(n).update(id=str(at.annotation(n)["id"]))),
    "file name with backslashes": (
        "missing_image outside_root",
        lambda at, n: at.image(n).update(file_name=f"images{chr(92)}{at.image(n)['file_name']}"),
    ),
    **PIXELS,
}


def every_image(**changes: Callable[[Any], Any]) -> Plant:
    def plant(at: planted_coco.Planted, n: int) -> None:
        for item in at.members["images"]:
            item.update({key: change(item[key]) for key, change in changes.items()})

    return plant


def all_crowds(at: planted_coco.Planted, n: int) -> None:
    for item in at.members["annotations"]:
        item["iscrowd"] = 1


def binary(at: planted_list.Planted, n: int) -> None:
    for number in range(len(at.pairs)):
        at.write_label(number, np.where(at.pixels(number) % 255, 255, 0))


#: Faults of a set as one; they are planted alone only.
OF_LISTS: dict[str, tuple[str, Plant]] = {"masks of 0 and 255": ("binary_mask", binary)}
OF_JSONS: dict[str, tuple[str, Plant]] = {
    "folder before all file names": ("image_prefix", every_image(file_name=lambda name: f"upload/{name}")),
    "all objects are crowds": ("only_crowds", all_crowds),
    "category name twice": (
        "duplicate_category",
        lambda at, n: at.members["categories"].__setitem__(1, {**at.members["categories"][0], "id": 2}),
    ),
    "category that nothing uses": (
        "class_unused",
        lambda at, n: at.members["categories"].append({"id": 99, "name": "star"}),
    ),
    "images by id": (
        "not_a_dataset",
        lambda at, n: at.members.update(images={str(item["id"]): item for item in at.members["images"]}),
    ),
    "a number that is not one": ("not_a_dataset", lambda at, n: at.annotation(n).update(area=float("nan"))),
    "no annotations": ("not_a_dataset", lambda at, n: at.members.pop("annotations")),
}


def name_in_other(at: Any, n: int) -> None:
    """Add another picture with the same file name to the other set; the tests write no picture there."""
    listed = isinstance(at, planted_list.Planted)
    path = at.image(n) if listed else at.file(n)
    name = f"x/{path.name}"
    target = (at.root if listed else path.parent) / name
    target.parent.mkdir(exist_ok=True)
    noise = np.random.default_rng(n).integers(0, 255, (9, 12, 3), np.uint8)
    cv2.imwrite(str(target), cv2.resize(noise, (120, 90), interpolation=cv2.INTER_CUBIC))
    at.other.append(f"{name} {at.pairs[n].label}" if listed else {"id": n, "file_name": name})


def list_faults() -> dict[str, tuple[str, Plant]]:
    """Return the faults that can be planted beside each other into a list."""
    optional = {name: found[:2] for name, found in planted_list.WITH_OPTION.items()}
    other = {"name in the other list": ("overlap_name", name_in_other)}
    return {**planted_list.FAULTS, **optional, **MORE_OF_LISTS, **other}


def coco_faults() -> dict[str, tuple[str, Plant]]:
    """Return the faults that can be planted beside each other into a JSON."""
    optional = {name: found[:2] for name, found in planted_coco.WITH_OPTION.items()}
    other = {"name in the other JSON": ("overlap_name", name_in_other)}
    return {**optional, **planted_coco.FAULTS, **MORE_OF_JSONS, **other}


def list_cases(root: Path) -> Iterator[Case]:
    """Write the list sets below `root`."""
    clean = root / "clean"
    write_devkit(clean, train=SAMPLES, val=2)
    voc_decolor(clean)
    voc_list(clean)

    def case(fault: str, faults: dict[str, tuple[str, Plant]], folder: str) -> Case:
        at = planted_list.planted_copy(clean, root / folder)
        for number, (_, plant) in enumerate(faults.values(), start=FIRST):
            plant(at, number)
        at.list.write_text("".join(f"{line}\n" for line in at.lines))
        (at.root / "other.txt").write_text("".join(f"{line}\n" for line in at.other))
        images = [str(at.root / line.split()[0]) for line in at.lines]
        return Case(
            "list", fault, codes(faults), str(at.list), images, str(at.root / "other.txt") if at.other else None
        )

    yield from cases(case, list_faults(), OF_LISTS)


def coco_cases(root: Path) -> Iterator[Case]:
    """Write the JSONs below `root`; beside each, its images as Datumaro expects them."""
    clean = root / "clean"
    write_coco(clean, images=SAMPLES + 1)

    def case(fault: str, faults: dict[str, tuple[str, Plant]], folder: str) -> Case:
        at = planted_coco.planted_copy(clean, root / folder)
        for number, (_, plant) in enumerate(faults.values(), start=FIRST):
            plant(at, number)
        at.write()
        other = at.root / "annotations" / "other.json"
        if at.other:
            other.write_text(json.dumps({"images": at.other, "annotations": [], "categories": []}))
        layout = root / "datumaro" / folder
        (layout / "images").mkdir(parents=True)
        (layout / "annotations").mkdir()
        shutil.copy(at.json, layout / "annotations" / "instances_train.json")
        (layout / "images" / "train").symlink_to(at.root / "images")
        images = [str(path) for path in sorted((at.root / "images").glob("*.jpg"))]
        return Case("coco", fault, codes(faults), str(at.json), images, str(other) if at.other else None)

    yield from cases(case, coco_faults(), OF_JSONS)


def cases(
    case: Callable[[str, dict[str, tuple[str, Plant]], str], Case],
    faults: dict[str, tuple[str, Plant]],
    alone: dict[str, tuple[str, Plant]],
) -> Iterator[Case]:
    yield case("clean", {}, "none")
    for number, (name, fault) in enumerate({**faults, **alone}.items()):
        yield case(name, {name: fault}, f"{number:03d}")
    yield case("all at once", faults, "all")


def codes(faults: dict[str, tuple[str, Plant]]) -> dict[str, list[str]]:
    return {name: code.split() for name, (code, _) in faults.items()}


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


#: Faults of the files of a record set.
OF_RECORDS: dict[str, Callable[[Path], object]] = {
    "a bit in an image": lambda at: flip(at / "set.mindrecord1", -20),
    "a bit in the header": lambda at: flip(at / "set.mindrecord0", 40),
    "shard cut": lambda at: os.truncate(at / "set.mindrecord0", (at / "set.mindrecord0").stat().st_size // 2),
    "shard missing": lambda at: (at / "set.mindrecord1").unlink(),
    "index missing": lambda at: (at / "set.mindrecord0.db").unlink(),
    "shard of another set": lambda at: shutil.copy(at / "set.mindrecord0", at / "set.mindrecord1"),
    "another file in it": lambda at: (at / "set.mindrecord2").write_bytes(b"more"),
    "other number of rows in the manifest": lambda at: (at / "manifest.json").write_text(
        (at / "manifest.json").read_text().replace(f'"rows": {SAMPLES}', f'"rows": {SAMPLES + 1}')
    ),
    "damaged manifest": lambda at: os.truncate(at / "manifest.json", 300),
}

#: Faults of rows: `to-mindrecord` writes them, since they may be intended.
OF_ROWS = (
    *("image stored turned", "gray image", "image with alpha", "label of void", "content twice", "image cut"),
    *PIXELS,
    "strip",
)


def record_cases(root: Path) -> Iterator[Case]:
    """Write the record sets below `root`."""
    clean = root / "clean"
    write_devkit(clean, train=SAMPLES, val=2)
    voc_decolor(clean)
    voc_list(clean)
    faults = {name: found for name, found in list_faults().items() if name in OF_ROWS}

    def case(fault: str, faults: dict[str, tuple[str, Plant]], folder: str) -> Case:
        at = planted_list.planted_copy(clean, root / f"files_{folder}")
        for number, (_, plant) in enumerate(faults.values(), start=FIRST):
            plant(at, number)
        at.list.write_text("".join(f"{line}\n" for line in at.lines))
        (at.root / "other.txt").write_text("".join(f"{line}\n" for line in at.other))
        to_mindrecord(open_dataset(at.list), root / folder / "set", num_shards=2)
        other = str(at.root / "other.txt") if at.other else None
        return Case("records", fault, codes(faults), str(root / folder / "set"), against=other)

    yield from cases(case, faults, {})
    for number, (name, plant) in enumerate(OF_RECORDS.items()):
        shutil.copytree(root / "none" / "set", root / f"files{number}" / "set")
        plant(root / f"files{number}" / "set")
        yield Case("records", name, {name: ["record_damaged", "not_a_dataset"]}, str(root / f"files{number}" / "set"))


def stack_cases(root: Path) -> Iterator[Case]:
    """Write the TIFF stacks below `root`; `tif-slice` reads them, and a sentence must have the words of its case."""
    root.mkdir(parents=True)
    draw = np.random.default_rng(0)
    images = draw.integers(0, 255, (6, 64, 64), np.uint8)
    labels = (images > 128).astype(np.uint8)
    many = np.arange(6 * 64 * 64, dtype=np.uint16).reshape(6, 64, 64) % 3000
    planted: dict[str, tuple[np.ndarray | None, np.ndarray | None, str]] = {
        "clean": (images, labels, ""),
        "labels of fewer pages": (images, labels[:5], "pages"),
        "labels of another size": (images, labels[:, :60], "64"),
        "label value of no class": (images, labels * 254, "254"),
        "ids of objects as labels": (images, many, "objects"),
        "labels of fractions": (images, labels + 0.5, "0.5"),
        "color labels": (images, np.repeat(labels[..., None], 3, axis=3), "label"),
        "samples of fractions": (images.astype(np.float32), labels, "float32"),
        "stack cut": (images, labels, ""),
        "stack of 0 bytes": (None, labels, "TIFF"),
        "not a TIFF": (None, labels, "TIFF"),
        "pages of several sizes": (images, labels, "pages"),
    }
    for number, (name, (image, label, words)) in enumerate(planted.items()):
        source, target = root / f"i{number}.tif", root / f"l{number}.tif"
        source.write_bytes(b"" if name == "stack of 0 bytes" else b"<html>")
        if image is not None:
            tifffile.imwrite(source, image, photometric="minisblack")
        if label is not None:
            tifffile.imwrite(target, label, photometric="rgb" if label.ndim == 4 else "minisblack")
        if name == "stack cut":
            os.truncate(source, source.stat().st_size // 2)
        if name == "pages of several sizes":
            tifffile.imwrite(source, image[0, :60], photometric="minisblack", append=True)
        yield Case("stack", name, {} if name == "clean" else {name: [words]}, str(source), labels=str(target))
