"""Instance record sets of a few images, and their ground truth as a network would return it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import msgspec
import numpy as np
import numpy.typing as npt
from pycocotools import mask

from segdata.coco.rle import decode_rle
from segdata.miniature.coco import write_coco
from segdata.opening import open_dataset
from segdata.records.convert import to_mindrecord
from segdata.records.reader import RecordSet, open_set, read_rows
from segdata.records.schema import Row
from segtrain.config.mask_rcnn import MaskRcnn
from segtrain.data.instance.rows import row_masks
from segtrain.data.instance.transforms import crop_mask
from segtrain.inference.instance.detections import Detections, RawDetections

#: The original ids have holes, and are in another order than the names.
CATEGORIES = {3: "square", 11: "bar", 90: "dot"}

#: Mask, original category id, whether it is a crowd region.
Object = tuple[npt.NDArray[np.bool_], int, bool]


def miniature(directory: Path, *, images: int = 7) -> RecordSet:
    """Write the miniature COCO data set with a crowd region and an image of nothing, and its record set."""
    write_coco(directory / "coco", images=images)
    return record_set(directory / "coco" / "annotations" / "instances.json", directory / "coco" / "images", directory)


def record_set(annotations: Path, images: Path, directory: Path) -> RecordSet:
    """Write the record set of a COCO JSON, images without instances included, in the JSON's order."""
    source = open_dataset(annotations, images=images)
    to_mindrecord(source, directory / "set", num_shards=1, shuffle=False)
    return open_set(directory / "set")


def drawn(directory: Path, rows: list[tuple[npt.NDArray[np.uint8], list[Object]]]) -> RecordSet:
    """Write images ``(H, W, 3)`` RGB with these objects as a record set, in their order; image ids are 10, 20, …"""
    (directory / "images").mkdir(parents=True)
    images, annotations = [], []
    for number, (image, objects) in enumerate(rows, start=1):
        cv2.imwrite(str(directory / "images" / f"{number}.png"), image[..., ::-1])
        height, width = image.shape[:2]
        images.append({"id": 10 * number, "file_name": f"{number}.png", "height": height, "width": width})
        for pixels, category, crowd in objects:
            rle = mask.encode(np.asfortranarray(pixels.astype(np.uint8)))
            annotations.append(
                {
                    "id": len(annotations),
                    "image_id": 10 * number,
                    "category_id": category,
                    "iscrowd": int(crowd),
                    "area": int(pixels.sum()),
                    "bbox": mask.toBbox(rle).tolist(),
                    "segmentation": {"size": [height, width], "counts": rle["counts"].decode()},
                }
            )
    categories = [{"id": id_, "name": name} for id_, name in reversed(CATEGORIES.items())]
    members = {"images": images, "annotations": annotations, "categories": categories}
    (directory / "instances.json").write_bytes(msgspec.json.encode(members))
    return record_set(directory / "instances.json", directory / "images", directory)


def rectangle(shape: tuple[int, int], x1: int, y1: int, x2: int, y2: int) -> npt.NDArray[np.bool_]:
    pixels = np.zeros(shape, bool)
    pixels[y1:y2, x1:x2] = True
    return pixels


def truth_found(row: Row) -> Detections:
    """Return the instances of a row as if a network had found them."""
    scores = np.ones(len(row["labels"]), np.float32)
    return Detections(row["boxes"], scores, row["labels"], tuple(row_masks(row)))


def oracle(
    records: RecordSet, settings: MaskRcnn, *, mask_side: int = 28, rank: int = 0, ranks: int = 1
) -> Callable[[npt.NDArray[np.float32], npt.NDArray[np.float32]], RawDetections]:
    """Return a network that knows the ground truth, for one pass over a rank's share of the set."""
    rows = iter(list(read_rows(records))[rank::ranks])

    def detect(images: npt.NDArray[np.float32], sizes: npt.NDArray[np.float32]) -> RawDetections:
        found = nothing(len(images), settings, mask_side=mask_side)
        # Sizes first: a row that is taken is not given back.
        for place, (size, row) in enumerate(zip(sizes, rows, strict=False)):
            count = len(row["labels"])
            scale = np.tile(size[::-1] / (row["width"], row["height"]), 2)
            found.boxes[place, :count] = row["boxes"] * scale
            found.scores[place, :count] = 1
            found.labels[place, :count] = row["labels"]
            found.valid[place, :count] = True
            for number, (rle, box) in enumerate(zip(row_masks(row), row["boxes"], strict=True)):
                found.masks[place, number] = crop_mask(decode_rle(rle), box, mask_side)
        return found

    return detect


def nothing(images: int, settings: MaskRcnn, *, mask_side: int = 28) -> RawDetections:
    """Return detections of so many images that hold none."""
    shape = (images, settings.max_detections)
    return RawDetections(
        np.zeros((*shape, 4), np.float32),
        np.zeros(shape, np.float32),
        np.zeros(shape, np.int32),
        np.zeros(shape, bool),
        np.zeros((*shape, mask_side, mask_side), np.float32),
    )
