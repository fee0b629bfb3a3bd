"""Stored values of a mask: PNG, TIFF or NPY, of any integer type, never scaled and without a palette applied."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from segdata.errors import InvalidInputError
from segdata.images.header import TIFF_STARTS, head_of, image_error
from segdata.images.stored import read_stored
from segdata.images.tiff import open_stack
from segdata.labels import png
from segdata.labels.colormap import pack_colors

#: File name extensions of masks, in lower case.
MASK_SUFFIXES = (".png", ".tif", ".tiff", ".npy")

_NPY_START = b"\x93NUMPY"
_MAX_PAGE_MB = 1024

#: Values of a mask, ``(H, W)``.
Values = npt.NDArray[np.signedinteger[Any]]


def read_values(path: Path, *, colors: bool = False) -> Values:
    """Return the values of a mask, 0 or more, as int32 if they fit and else as int64.

    Args:
        path: the mask.
        colors: read the colors of an RGB PNG as numbers 0xRRGGBB; without it, colors are refused.

    Raises:
        InvalidInputError: when it cannot be read, has several bands or pages, or has values that are not integers of 0
            or more.
    """
    try:
        head = head_of(path)
        if head.startswith(_NPY_START):
            values = _read_npy(path)
        elif head.startswith(TIFF_STARTS):
            values = _read_tiff(path)
        elif head.startswith(png.SIGNATURE):
            values = _read_png(path, colors)
        elif not head:
            raise InvalidInputError("is empty (0 bytes); expected a mask", "empty_file")
        else:
            raise InvalidInputError(
                "is not a PNG, TIFF or NPY file; expected a format that keeps ids exactly", "label_mode"
            )
    except InvalidInputError:
        raise
    except Exception as error:
        # Decoders may raise any exception on damaged data.
        raise image_error(error, path) from error
    return as_ids(values)


def _read_npy(path: Path) -> npt.NDArray[Any]:
    try:
        values = np.load(path, mmap_mode="r", allow_pickle=False)
    except ValueError as error:
        raise InvalidInputError(
            f"is not an array of numbers ({str(error).rstrip('.')}); expected ids of objects. Save the masks alone, in "
            "Cellpose as PNG or TIFF.",
            "label_mode",
        ) from error
    if not isinstance(values, np.ndarray) or values.ndim != 2 or not values.size:
        raise InvalidInputError(f"has the shape {values.shape}; expected height and width", "label_mode")
    if values.size > png.MAX_PIXELS:
        raise InvalidInputError(f"has {values.size} pixels; expected at most {png.MAX_PIXELS}", "too_large")
    return np.asarray(values)


def _read_tiff(path: Path) -> npt.NDArray[Any]:
    with open_stack(path, max_page_mb=_MAX_PAGE_MB, named=False) as stack:
        if len(stack) != 1:
            raise InvalidInputError(
                f"contains {len(stack)} pages; expected one for each image. Slice it with segdata tif-slice --images, "
                "which keeps ids.",
                "unsupported_image",
            )
        form = stack.form(0)
        if form.lossy:
            raise InvalidInputError(
                "ids changed by compression (JPEG, WebP); expected a format that keeps ids exactly", "label_mode"
            )
        return stack.read(0, form)


def _read_png(path: Path, colors: bool) -> npt.NDArray[Any]:
    with path.open("rb") as file:
        header = png.probe(file.read(33))
    if colors and header.color_type == png.RGB and header.depth == 8:
        return pack_colors(read_stored(path).samples)
    if header.color_type not in (png.GRAY, png.PALETTE):
        raise InvalidInputError(
            f"PNG is {header.kind}; expected one id in each pixel: gray or a palette. Convert class colors with "
            "segdata voc-decolor or mask-map. If each color of RGB is an object, add the masks of their classes "
            "(--class_masks). Convert COCO's panoptic PNGs (red + 256 green + 65536 blue) with "
            "panoptic2detection_coco_format.py of panopticapi.",
            "label_mode",
        )
    return read_stored(path).samples


def as_ids(values: npt.NDArray[Any]) -> Values:
    """Return stored values ``(H, W)`` as int32 if they fit and else as int64.

    Raises:
        InvalidInputError: when there are several bands, or values that are not integers of 0 or more.
    """
    if values.ndim != 2:
        raise InvalidInputError(f"has {values.shape[2]} bands; expected one id in each pixel", "label_mode")
    if values.dtype.kind not in "buif":
        raise InvalidInputError(f"has {values.dtype} values; expected integers", "label_mode")
    low, high = values.min(), values.max()
    # ImageJ stores ids as fractions of 32 bits, which represent integers up to 2^24.
    if not (low >= 0 and high < 2**53 and (values.dtype.kind != "f" or np.array_equal(values, np.rint(values)))):
        raise InvalidInputError(f"has values from {low:g} to {high:g}; expected integers of 0 or more", "label_mode")
    return values.astype(np.int32 if high < 2**31 else np.int64)
