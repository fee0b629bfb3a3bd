"""Detections of a network, mapped back to the pixels of the original images and written as COCO results."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypedDict

import msgspec
import numpy as np
import numpy.typing as npt

from segdata.coco.rle import Rle
from segdata.errors import InvalidInputError
from segdata.files.publishing import write_file
from segdata.records.manifest import ClassInfo
from segtrain.inference.instance.paste import encode_mask, paste_mask


class RawDetections(NamedTuple):
    """Output of a network for N images: D rows for each, some of which are detections.

    Attributes:
        boxes: x1, y1, x2, y2 in pixels of the network's input, x2 and y2 exclusive, float32 ``(N, D, 4)``.
        scores: 0 to 1, float32 ``(N, D)``.
        labels: 1 to K, int32 ``(N, D)``.
        valid: true where the row is a detection, ``(N, D)``.
        masks: probabilities in the cells of the box, float32 ``(N, D, m, m)``.
    """

    boxes: npt.NDArray[np.float32]
    scores: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int32]
    valid: npt.NDArray[np.bool_]
    masks: npt.NDArray[np.float32]


@dataclass(frozen=True)
class Detections:
    """The n instances found in an image, in pixels of the original image.

    Attributes:
        boxes: x1, y1, x2, y2, clipped to the image, float32 ``(n, 4)``.
        scores: 0 to 1, float32 ``(n,)``.
        labels: 1 to K, int32 ``(n,)``.
        masks: RLE of the full image, one for each instance; may be empty if a box contains no pixel center.
    """

    boxes: npt.NDArray[np.float32]
    scores: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int32]
    masks: tuple[Rle, ...]


class RleText(TypedDict):
    """Compressed COCO RLE in its JSON form."""

    size: list[int]
    counts: str


class Result(TypedDict):
    """Entry of a COCO result file (cocodataset.org, "Results Format"); `bbox` is x, y, width, height."""

    image_id: int
    category_id: int
    bbox: list[float]
    score: float
    segmentation: RleText


def locate(
    detections: RawDetections, contents: Sequence[tuple[int, int]], sizes: Sequence[tuple[int, int]]
) -> list[Detections]:
    """Return the instances found in each image of a batch.

    Args:
        detections: detections of the batch; those of padding after the last image are ignored.
        contents: height and width that each image takes up in the network's input, from its top left corner.
        sizes: original height and width of each image.

    Raises:
        InvalidInputError: when a detection is NaN or infinite, as with weights from a training run that diverged.
    """
    found = []
    for index, ((content_height, content_width), (height, width)) in enumerate(zip(contents, sizes, strict=True)):
        boxes, scores, labels, masks = (
            column[index][detections.valid[index].astype(bool)]
            for column in (detections.boxes, detections.scores, detections.labels, detections.masks)
        )
        if not all(np.isfinite(column).all() for column in (boxes, scores, masks)):
            raise InvalidInputError(
                "the network's detections are not finite (NaN or infinite). Check the loss of its training run: it may "
                "have diverged."
            )
        boxes = boxes * np.tile(np.array((width / content_width, height / content_height), np.float32), 2)
        rles = [encode_mask(paste_mask(mask, box, height, width)) for mask, box in zip(masks, boxes, strict=True)]
        found.append(Detections(np.clip(boxes, 0, (width, height, width, height)), scores, labels, tuple(rles)))
    return found


def result_entries(image_id: int, found: Detections, classes: Sequence[ClassInfo]) -> list[Result]:
    """Return the instances found in an image as COCO results; `classes` define the category ids of the source.

    Raises:
        InvalidInputError: when a label does not belong to any class.
    """
    originals = {info.id: info.original_id for info in classes}
    entries: list[Result] = []
    for box, score, label, rle in zip(found.boxes, found.scores, found.labels.tolist(), found.masks, strict=True):
        if label not in originals:
            raise InvalidInputError(f"image {image_id}: a detection has label {label}; expected 1 to {len(originals)}")
        x1, y1, x2, y2 = box.tolist()
        entries.append(
            {
                "image_id": image_id,
                "category_id": originals[label],
                "bbox": [x1, y1, x2 - x1, y2 - y1],
                "score": float(score),
                "segmentation": rle_text(rle),
            }
        )
    return entries


def rle_text(rle: Rle) -> RleText:
    """Return an RLE in its JSON form."""
    return {"size": list(rle["size"]), "counts": rle["counts"].decode("ascii")}


def write_results(path: Path, entries: Iterable[Result], *, overwrite: bool) -> None:
    """Write a COCO result file with boxes and masks, in the format of `pycocotools` and COCO's server.

    Raises:
        TargetExistsError: when `path` already exists.
    """
    write_file(path, msgspec.json.encode(list(entries)), overwrite=overwrite)
