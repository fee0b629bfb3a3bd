"""Rows of the model zoo's Mask R-CNN: raw masks and boxes in integers, without a name.

The form was read off ``data_to_mindrecord_byte_image`` and ``create_coco_label`` of ``mindspore-ai/models``
(official/cv/MaskRCNN): `annotation` has x1, y1, x2, y2, index of the class and iscrowd of each instance, cut to
integers; `mask` has the pixels of all masks, one byte each; `mask_shape` is their number, height and width. An image
without instances has one of zeros with iscrowd 1 and an empty mask, and so do all images of a set for evaluation.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from segdata.errors import InvalidInputError
from segdata.images.reading import read_image_header
from segdata.mindrecord.schema import row_schema
from segdata.records.schema import Row, pack_masks

MASK_RCNN = row_schema(
    {
        "image": {"type": "bytes"},
        "annotation": {"type": "int32", "shape": [-1, 6]},
        "mask": {"type": "bytes"},
        "mask_shape": {"type": "int32", "shape": [-1]},
    }
)


def to_instance_row(row: Row, image_id: int, file_name: str) -> Row:
    """Return a row as segdata's instance row; the placeholder of an image without instances is left out.

    Args:
        row: the fields of `MASK_RCNN`.
        image_id: id for the image, which the row does not have.
        file_name: name for the image.

    Raises:
        InvalidInputError: when the fields contradict each other, or a placeholder's image cannot be read.
    """
    found: npt.NDArray[np.int32] = row["annotation"]
    masks = _masks(row, len(found))
    kept = labeled(found) | masks.any((1, 2))
    height, width = masks.shape[1:] if kept.any() else read_image_header(row["image"]).shape
    return {
        "image_id": image_id,
        "file_name": file_name,
        "data": row["image"],
        "height": height,
        "width": width,
        "boxes": found[kept, :4].astype(np.float32),
        "labels": found[kept, 4],
        "iscrowd": found[kept, 5],
        "masks": pack_masks([_counts(mask) for mask in masks[kept]]),
    }


def labeled(annotation: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
    """Return which instances ``(N, 6)`` are not placeholders, ``(N,)`` bool."""
    flags: npt.NDArray[np.bool_] = annotation[:, :5].any(1)
    return flags


def _masks(row: Row, instances: int) -> npt.NDArray[np.uint8]:
    shape = row["mask_shape"].tolist()
    if len(shape) != 3 or min(shape) < 1 or shape[0] != instances:
        raise InvalidInputError(
            f"field 'mask_shape' is {shape}; expected {instances} instances, height and width", "record_damaged"
        )
    size = shape[0] * shape[1] * shape[2]
    if len(row["mask"]) != size:
        raise InvalidInputError(f"field 'mask' has {len(row['mask'])} bytes; expected {size}", "record_damaged")
    return np.frombuffer(row["mask"], np.uint8).reshape(shape)


def _counts(pixels: npt.NDArray[np.uint8]) -> bytes:
    from pycocotools import mask

    rle: dict[str, Any] = mask.encode(np.asfortranarray(pixels != 0).view(np.uint8))
    counts: bytes = rle["counts"]
    return counts
