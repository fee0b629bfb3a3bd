"""A miniature COCO data set."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from segdata.files.publishing import staged_directory
from segdata.miniature.scene import SHAPES, draw, ground
from segdata.miniature.voc import save_jpeg
from segdata.sources.coco.subset import INSTANCES, MEDIA_DIR
from segdata.text import plural

#: Category ids have gaps, as in COCO.
CATEGORY_IDS = {1: 1, 2: 5, 3: 18}

_POLE = (30, 30, 30)


@dataclass(frozen=True)
class CocoSampleReport:
    """Location and contents of the miniature."""

    root: str
    annotations: int
    crowds: int
    images: int
    categories: tuple[str, ...]


def write_coco(root: Path, *, images: int = 12, seed: int = 0) -> CocoSampleReport:
    """Write a miniature COCO data set: ``annotations/instances.json`` and ``images/``.

    The first image has an object in two parts, the second a crowd as uncompressed RLE, and the last no objects at all.

    Args:
        root: directory to create.
        images: number of images, 3 or more.
        seed: the same seed gives the same files.

    Raises:
        TargetExistsError: when `root` exists and is not empty.
    """
    if images < 3:
        raise ValueError(f"{plural(images, 'image')}; expected 3 or more")
    entries: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    with staged_directory(root, overwrite=False, ours=()) as staging:
        (staging / MEDIA_DIR).mkdir()
        for index in range(images):
            image, found = _scene(np.random.default_rng((seed, index)), index, last=index == images - 1)
            name, image_id = f"{index + 1:012}.jpg", 100 + 7 * index
            save_jpeg(staging / MEDIA_DIR / name, image)
            entries.append({"file_name": name, "height": image.shape[0], "width": image.shape[1], "id": image_id})
            for annotation in found:
                annotations.append({**annotation, "image_id": image_id, "id": 5000 + len(annotations)})
        members = {
            "info": {"description": "miniature COCO data set", "version": "1.0"},
            "licenses": [],
            "images": entries,
            "annotations": annotations,
            "categories": [
                {"supercategory": "shape", "id": CATEGORY_IDS[id_], "name": shape} for id_, shape, _ in SHAPES
            ],
        }
        (staging / INSTANCES).parent.mkdir()
        (staging / INSTANCES).write_bytes(msgspec.json.encode(members))
    return CocoSampleReport(
        root=str(root),
        annotations=len(annotations),
        crowds=sum(item["iscrowd"] for item in annotations),
        images=images,
        categories=tuple(shape for _, shape, _ in SHAPES),
    )


def _scene(rng: np.random.Generator, index: int, *, last: bool) -> tuple[npt.NDArray[np.uint8], list[dict[str, Any]]]:
    """Return an image ``(H, W, 3)`` uint8 and its annotations, without ids."""
    if last:
        return ground(rng, (120, 90)), []
    image, label = draw(rng)
    if index == 0:
        image, label = _behind_a_pole(image, label)
    found = []
    for id_, _, _ in SHAPES:
        mask = label == id_
        if index == 1:
            found += [_annotation(id_, mask, uncompressed_rle(mask), crowd=1)] if mask.any() else []
            continue
        for part in [mask] if index == 0 else _connected(mask):
            if polygons := _polygons(part):
                found.append(_annotation(id_, part, polygons, crowd=0))
    return image, found


def _behind_a_pole(
    image: npt.NDArray[np.uint8], label: npt.NDArray[np.uint8]
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Hide four columns in the middle of the first object."""
    image, label = image.copy(), label.copy()
    columns = np.flatnonzero((label == next(id_ for id_, _, _ in SHAPES if (label == id_).any())).any(axis=0))
    pole = slice(columns[len(columns) // 2] - 2, columns[len(columns) // 2] + 2)
    image[:, pole], label[:, pole] = _POLE, 0
    return image, label


def _annotation(id_: int, mask: npt.NDArray[np.bool_], segmentation: object, *, crowd: int) -> dict[str, Any]:
    return {
        "segmentation": segmentation,
        "area": float(mask.sum()),
        "iscrowd": crowd,
        "bbox": box_of(mask),
        "category_id": CATEGORY_IDS[id_],
    }


def _connected(mask: npt.NDArray[np.bool_]) -> Iterator[npt.NDArray[np.bool_]]:
    import cv2

    count, parts = cv2.connectedComponents(mask.astype(np.uint8))
    for number in range(1, count):
        yield parts == number


def _polygons(mask: npt.NDArray[np.bool_]) -> list[list[float]]:
    import cv2

    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    return [outline.ravel().astype(float).tolist() for outline in outlines if len(outline) >= 3]


def box_of(mask: npt.NDArray[np.bool_]) -> list[float]:
    """Return the box of a mask ``(H, W)``: x, y, width and height in pixels."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    left, top, right, bottom = (float(end) for end in (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1))
    return [left, top, right - left, bottom - top]


def uncompressed_rle(mask: npt.NDArray[np.bool_]) -> dict[str, list[int]]:
    """Return a mask as uncompressed RLE: run lengths down the columns, starting with zeros."""
    pixels = mask.ravel(order="F")
    changes = np.flatnonzero(np.diff(pixels, prepend=False))
    return {"size": list(mask.shape), "counts": np.diff(changes, prepend=0, append=pixels.size).tolist()}
