"""What an image file says of itself before its pixels."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segdata.errors import Code, InvalidInputError

#: Endings of image files, in any case.
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")

#: Tag 0x0112 of EXIF 2.32: how the stored pixels are to be turned for display; 1 is "as they are".
_ORIENTATION = 0x0112


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """Size in pixels, as stored, Pillow's names of the file format and of the kind of pixel, EXIF orientation."""

    width: int
    height: int
    format: str
    mode: str
    orientation: int

    @property
    def size(self) -> str:
        """Return width and height in words."""
        return f"{self.width} x {self.height}"


def read_image_header(image: Path | bytes, *, decode: bool = False) -> ImageHeader:
    """Read the header of an image in any format that Pillow knows; with `decode` every pixel too, to find damage.

    Args:
        image: where it lies, or the encoded image itself.
        decode: read every pixel.

    Raises:
        InvalidInputError: when the file is missing, cannot be read or is no image.
    """
    from PIL import Image

    try:
        with Image.open(io.BytesIO(image) if isinstance(image, bytes) else image) as opened:
            header = ImageHeader(opened.width, opened.height, opened.format or "", opened.mode, _orientation(opened))
            if decode:
                opened.load()
            return header
    except FileNotFoundError as error:
        raise InvalidInputError("missing", "missing_image") from error
    except Exception as error:
        # Any kind of exception may come out of a decoder that is given damaged data.
        raise image_error(error, image) from error


def image_error(error: Exception, image: Path | bytes) -> InvalidInputError:
    """Return the sentence and the kind of what Pillow raised of an image."""
    found = error.strerror if isinstance(error, OSError) and error.strerror else _without_name(error)
    return InvalidInputError(f"not an image that can be read: {found}", _kind(error, image))


def _without_name(error: Exception) -> str:
    """Return what Pillow says, without the path or the address in memory that it says it of."""
    return re.sub(r"(?<=cannot identify image file ).*", "it", str(error), flags=re.DOTALL)


def _kind(error: Exception, image: Path | bytes) -> Code:
    from PIL import Image, UnidentifiedImageError

    if isinstance(error, Image.DecompressionBombError):
        return "too_large"
    if isinstance(error, UnidentifiedImageError) and not (
        len(image) if isinstance(image, bytes) else image.stat().st_size
    ):
        return "empty_file"
    return "truncated" if "truncated" in str(error).lower() else "unreadable"


def _orientation(image: Any) -> int:
    # Pillow decodes a whole PNG to look for EXIF behind the pixels; cameras write JPEG.
    if image.format == "PNG":
        return 1
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:
        # Damaged EXIF says nothing about the pixels.
        return 1
