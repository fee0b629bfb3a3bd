"""Rows of instance record sets, checked before their pixels and masks are used."""

from __future__ import annotations

from segdata.coco.rle import Rle, to_rle
from segdata.errors import InvalidInputError
from segdata.images.reading import read_image
from segdata.images.values import ValueRange
from segdata.records.manifest import Manifest
from segdata.records.schema import Row, unpack_masks
from segtrain.data.arrays import RgbImage


def check_instance_set(manifest: Manifest) -> None:
    """Raise `InvalidInputError` when a record set is for another task."""
    if manifest.task != "instance":
        raise InvalidInputError(
            f"record set {manifest.name}: is for semantic segmentation; expected instance segmentation. Use a "
            "recipe or checkpoint of another network than mask_rcnn, or write a set from a COCO JSON with segdata "
            "to-mindrecord."
        )


def row_masks(row: Row) -> list[Rle]:
    """Return the masks of a row, checked but still as RLE: decoded, the masks of one image can take a gigabyte.

    Raises:
        InvalidInputError: when a mask is damaged.
    """
    height, width = row["height"], row["width"]
    return [to_rle({"size": [height, width], "counts": counts}, height, width) for counts in unpack_masks(row["masks"])]


def decode_row(row: Row, value_range: ValueRange | None) -> RgbImage:
    """Return the image of a row, RGB, ``(H, W, 3)`` uint8.

    Raises:
        InvalidInputError: when the image cannot be read, or is not of the size that the masks were drawn for.
    """
    try:
        image = read_image(row["data"], value_range)
    except InvalidInputError as error:
        raise InvalidInputError(f"{row['file_name']}: {error}") from error
    if image.shape[:2] != (row["height"], row["width"]):
        raise InvalidInputError(
            f"{row['file_name']}: the image is {image.shape[1]} x {image.shape[0]} pixels, but its row says "
            f"{row['width']} x {row['height']}; expected the same size"
        )
    return image


def check_targets(row: Row, classes: int) -> None:
    """Raise `InvalidInputError` when a label is not 1 to `classes`, or a box of a row is empty."""
    labels, boxes = row["labels"], row["boxes"]
    outside = labels[(labels < 1) | (labels > classes)]
    if outside.size:
        raise InvalidInputError(f"an instance has label {outside[0]}; expected 1 to {classes}")
    # Rounding to float32 can make a box from a COCO JSON empty.
    flat = boxes[~((boxes[:, 0] < boxes[:, 2]) & (boxes[:, 1] < boxes[:, 3]))]
    if flat.size:
        raise InvalidInputError(f"an instance has box {flat[0].tolist()}; expected x1 < x2 and y1 < y2")
