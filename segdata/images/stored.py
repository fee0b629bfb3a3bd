"""Samples of an image as they are stored: what a mask needs, whose values are names and not brightness.

`segdata.images.reading` returns what an image shows. Here a palette is not applied, few bits are not stretched, and
alpha is kept, so that the caller decides what each value means.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from segdata.errors import InvalidInputError
from segdata.images.corrections import ppm_highest
from segdata.images.header import PNG_START, TIFF_STARTS, head_of, image_error, open_pillow, pillow_header, unsupported
from segdata.images.tiff import Stack, open_stack
from segdata.images.tiff_pixels import PageForm

_MAX_PAGE_MB = 1024

#: Formats that may change values to save space.
_LOSSY = ("JPEG", "JPEG2000", "WEBP")

#: Pillow's modes whose arrays contain the stored samples.
_AS_STORED = ("1", "L", "P", "LA", "RGB", "RGBA", "I", "F", "I;16", "I;16B", "I;16L")

#: Color type of gray without alpha, the byte 25 of a PNG; byte 24 is the bit depth (PNG specification, section 11.2.2).
_GRAY_PNG = 0

#: Maximum expansion of one byte in a zlib stream ("zlib Technical Details": at most 1032 bytes).
_DEFLATE_MOST = 1032

#: What Pillow multiplies the samples of a gray PNG of few bits with.
_STRETCHED = {2: 85, 4: 17}


@dataclass(frozen=True)
class StoredImage:
    """An image as it is stored.

    Attributes:
        samples: ``(H, W)``, or ``(H, W, bands)`` with 2 bands for gray and alpha, 3 for RGB, 4 for RGBA.
        bits: number of bits in use of each sample.
        palette: colors of the values ``(N, 3)`` uint8; None without a palette.
        lossy: whether the format may have changed the values.
        white_is_zero: whether 0 is shown as white, as some TIFFs have it.
    """

    samples: npt.NDArray[Any]
    bits: int
    palette: npt.NDArray[np.uint8] | None = None
    lossy: bool = False
    white_is_zero: bool = False


def read_stored(image: Path | bytes) -> StoredImage:
    """Return the stored samples of an image of one page.

    Args:
        image: path, or the encoded image.

    Raises:
        InvalidInputError: when it is missing, damaged, not an image, or has several pages or unsupported pixels.
    """
    try:
        head = head_of(image)
        return _read_tiff(image) if head.startswith(TIFF_STARTS) else _read_by_pillow(image, head)
    except InvalidInputError:
        raise
    except Exception as error:
        # Decoders may raise any exception on damaged data.
        raise image_error(error, image) from error


def stored_page(stack: Stack, index: int, form: PageForm) -> StoredImage:
    """Return the stored samples of page `index` of a TIFF, which must have this form.

    Raises:
        InvalidInputError: see `Stack.read`.
    """
    palette = stack.palette(index) if form.color == "palette" else None
    samples = stack.read(index, form)
    return StoredImage(samples, form.bits, palette, form.lossy, "0 is white" in form.color)


def _read_tiff(image: Path | bytes) -> StoredImage:
    with open_stack(image, max_page_mb=_MAX_PAGE_MB, named=False) as stack:
        if len(stack) != 1:
            raise InvalidInputError(
                f"contains {len(stack)} pages; expected one. Slice it with segdata tif-slice.", "unsupported_image"
            )
        return stored_page(stack, 0, stack.form(0))


def _read_by_pillow(image: Path | bytes, head: bytes) -> StoredImage:
    # Opening checks the size that the header claims before memory is taken.
    with open_pillow(image) as opened:
        header = pillow_header(opened, head)
        if opened.format == "PPM" and (highest := ppm_highest(opened)) not in (255, 65535):
            raise InvalidInputError(
                f"PPM whose white is {highest}, which scales all values; expected PNG, TIFF or BMP", "unsupported_image"
            )
        lossy = opened.format in _LOSSY or opened.format == "MPO"
        bits = head[24] if head.startswith(PNG_START) else 1 if opened.mode == "1" else 8
        if bits == 16 and head[25] != _GRAY_PNG:
            raise InvalidInputError(
                f"16-bit {header.mode.partition(';')[0]} PNG; expected 8 bits for each color. Save it with 8 bits.",
                "unsupported_image",
            )
        if opened.mode not in _AS_STORED:
            raise unsupported(f"{opened.mode} pixels")
        # Byte 28 is the interlace method, of which libpng warns.
        if head.startswith(PNG_START) and bits == 8 and opened.mode in ("RGB", "RGBA") and not head[28]:
            data = image if isinstance(image, bytes) else image.read_bytes()
            # Memory is taken for what the header claims.
            if opened.width * opened.height * len(opened.mode) <= _DEFLATE_MOST * len(data):
                return StoredImage(_decode_png(data, len(opened.mode)), bits)
        samples = np.asarray(opened)
        if opened.mode == "P":
            palette = np.array(opened.getpalette("RGB"), np.uint8).reshape(-1, 3)
            return StoredImage(samples, bits, palette, lossy)
        if bits == 16:
            return StoredImage(samples.astype(np.uint16), bits)
        if samples.dtype == bool:
            samples = samples.astype(np.uint8)
        elif bits < 8:
            samples = samples // _STRETCHED[bits]
        return StoredImage(samples, bits if samples.dtype == np.uint8 else samples.dtype.itemsize * 8, None, lossy)


def _decode_png(data: bytes, bands: int) -> npt.NDArray[np.uint8]:
    """Decode 8-bit color in two thirds of Pillow's time; a transparent color (tRNS), which adds a band, is dropped."""
    from imagecodecs import png_decode

    pixels: npt.NDArray[np.uint8] = png_decode(data)
    return pixels[..., :bands]
