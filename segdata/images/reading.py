"""Meaning of the bytes of an image: the only decoders of images in segdata and segtrain.

The rules (``docs/images.md``): pixels are returned as stored, without applying an orientation; gray is repeated in red,
green and blue; a palette is applied; alpha is dropped; 0-is-white is inverted; fewer than 8 bits are stretched to
0 … 255. Samples of more than 8 bits, signed samples and fractions are scaled by the value range of their set. All other
pixels are refused.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from segdata.arguments import FilePath, local_path
from segdata.errors import InvalidInputError
from segdata.images.header import (
    JPEG_START,
    PNG_START,
    TIFF_STARTS,
    ImageHeader,
    head_of,
    image_error,
    open_pillow,
    pillow_header,
)
from segdata.images.jpeg import jpeg_header, read_jpeg
from segdata.images.tiff import open_stack
from segdata.images.values import ValueRange

#: The largest page of a TIFF that is read, in megabytes.
MAX_PAGE_MB = 1024


def read_image_header(image: Path | bytes, *, decode: bool = False) -> ImageHeader:
    """Read the header of an image; `decode` also reads every pixel to find damage.

    Args:
        image: path, or the encoded image.
        decode: read every pixel.

    Raises:
        InvalidInputError: when the file is missing, cannot be read, is not an image, or has pixels that `read_image`
            cannot represent.

    >>> read_image_header(Path("missing.png"))
    Traceback (most recent call last):
    segdata.errors.InvalidInputError: does not exist
    """
    try:
        head = head_of(image)
        if head.startswith(TIFF_STARTS):
            with open_stack(image, max_page_mb=MAX_PAGE_MB, named=False) as stack:
                header = stack.header()
        elif found := jpeg_header(head):
            header = found
        else:
            with open_pillow(image) as opened:
                header = pillow_header(opened, head)
        if decode:
            read_samples(image)
    except InvalidInputError:
        raise
    except Exception as error:
        # Decoders may raise any exception on damaged data.
        raise image_error(error, image) from error
    return header


def inspect_image(image: Path | bytes, value_range: ValueRange | None = None, *, decode: bool = False) -> ImageHeader:
    """Return the header of an image that `read_image` can read with this value range.

    Args:
        image: path, or the encoded image.
        value_range: value range of the set.
        decode: read every pixel to find damage; otherwise only what the header shows is found.

    Raises:
        InvalidInputError: when `read_image` would refuse the image.
    """
    header = read_image_header(image)
    if value_range:
        value_range.check_depth(header.dtype)
    if decode or (header.deep and not value_range) or _among_fractions(header.dtype, value_range):
        read_image(image, value_range)
    return header


def read_image(image: FilePath | bytes, value_range: ValueRange | None = None) -> npt.NDArray[Any]:
    """Return an image as RGB ``(H, W, 3)``, values 0 to 255.

    Args:
        image: path, or the encoded image.
        value_range: the samples that become 0 and 255. None requires 8-bit samples.

    Returns:
        uint8 without a value range, else float32: no level is lost.

    Raises:
        InvalidInputError: see `read_image_header`; also when the image is damaged, or needs a value range.
    """
    encoded = image if isinstance(image, bytes) else local_path(image)
    return to_rgb(read_samples(encoded), value_range)


def to_rgb(samples: npt.NDArray[Any], value_range: ValueRange | None) -> npt.NDArray[Any]:
    """Return gray ``(H, W)`` or RGB ``(H, W, 3)`` samples as `read_image` does."""
    if _among_fractions(samples.dtype.name, value_range) and samples.max(initial=0) > 1:
        raise InvalidInputError(
            f"{samples.dtype} samples up to {samples.max()}; expected fractions, as the value range {value_range} says."
            " Save the image with the samples of the others, or use it in a set of its own.",
            "unsupported_image",
        )
    if value_range:
        samples = value_range.scale(samples)
    elif samples.dtype != np.uint8:
        raise missing_range(samples)
    return np.repeat(samples[..., None], 3, axis=2) if samples.ndim == 2 else samples


def _among_fractions(dtype: str, value_range: ValueRange | None) -> bool:
    """Return whether integers are in a set of fractions up to 1: if they are higher, they would all be white."""
    return value_range is not None and value_range.high <= 1 and np.dtype(dtype).kind in "iu"


def read_samples(image: Path | bytes) -> npt.NDArray[Any]:
    """Return the samples of an image, gray ``(H, W)`` or RGB ``(H, W, 3)``, in the data type that its header names.

    Raises:
        InvalidInputError: see `read_image`.
    """
    try:
        head = head_of(image)
        if head.startswith(TIFF_STARTS):
            with open_stack(image, max_page_mb=MAX_PAGE_MB, named=False) as stack:
                return stack.image()
        if head.startswith(JPEG_START):
            image = image if isinstance(image, bytes) else image.read_bytes()
            if (pixels := read_jpeg(image)) is not None:
                return pixels
        # Opening checks the size that the header claims before memory is taken.
        with open_pillow(image) as opened:
            header = pillow_header(opened, head)
            if header.deep and head.startswith(PNG_START):
                return _read_deep_png(image if isinstance(image, bytes) else image.read_bytes())
            if header.deep:
                return np.asarray(opened).astype(header.dtype)
            mode = "L" if header.bands == 1 else "RGB"
            return np.asarray(opened if opened.mode == mode else opened.convert(mode))
    except InvalidInputError:
        raise
    except Exception as error:
        raise image_error(error, image) from error


def as_picture(image: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Return an image of `read_image` with 8 bits, to be shown."""
    return image if image.dtype == np.uint8 else np.rint(image).astype(np.uint8)


def missing_range(samples: npt.NDArray[Any]) -> InvalidInputError:
    """Return the error for samples that need a value range; it names the range that they have."""
    return InvalidInputError(
        f"{samples.dtype} samples from {samples.min():g} to {samples.max():g}; "
        "expected 8 bits, or a data set with a value range. Write the set with --value_range LOW:HIGH or auto, or "
        "scale its samples to 8 bits.",
        "no_value_range",
    )


def _read_deep_png(data: bytes) -> npt.NDArray[np.uint16]:
    from imagecodecs import png_decode

    pixels: npt.NDArray[np.uint16] = png_decode(data)
    if pixels.ndim == 3 and pixels.shape[2] in (1, 2):
        return pixels[..., 0]
    return pixels[..., :3] if pixels.ndim == 3 else pixels
