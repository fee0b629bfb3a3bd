"""Image headers: size, format, mode and orientation, read without decoding the pixels."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segdata.errors import Code, InvalidInputError

#: File name extensions of images, in lower case; they match in any case.
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")

#: Tag 0x0112 of EXIF 2.32: how to rotate or mirror the stored pixels for display; 1 means unchanged.
_ORIENTATION = 0x0112


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """Stored size in pixels, file format and mode as Pillow names them, and EXIF orientation."""

    width: int
    height: int
    format: str
    mode: str
    orientation: int

    @property
    def size(self) -> str:
        """Return width and height as text."""
        return f"{self.width} x {self.height}"


def read_image_header(image: Path | bytes, *, decode: bool = False) -> ImageHeader:
    """Read the header of an image in any format that Pillow supports; `decode` also reads every pixel to find damage.

    Args:
        image: path, or the encoded image.
        decode: read every pixel.

    Raises:
        InvalidInputError: when the file is missing, cannot be read or is not an image.
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
        # Decoders may raise any exception on damaged data.
        raise image_error(error, image) from error


def image_error(error: Exception, image: Path | bytes) -> InvalidInputError:
    """Return the message and the kind of fault for an exception that Pillow raised for an image."""
    found = error.strerror if isinstance(error, OSError) and error.strerror else _without_name(error)
    return InvalidInputError(f"not a readable image: {found}", _kind(error, image))


def _without_name(error: Exception) -> str:
    """Return Pillow's message without the path or the memory address of the image."""
    return re.sub(r"cannot identify image file .*", "unknown image format", str(error), flags=re.DOTALL)


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
    # Pillow decodes a complete PNG to find EXIF data after the pixels; cameras write JPEG.
    if image.format == "PNG":
        return 1
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:
        # Damaged EXIF data does not mean that the pixels are damaged.
        return 1
