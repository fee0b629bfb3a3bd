"""What an image file says of itself before its pixels."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segdata.errors import InvalidInputError

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


def read_image_header(path: Path, *, decode: bool = False) -> ImageHeader:
    """Read the header of an image in any format that Pillow knows; with `decode` every pixel too, to find damage.

    Raises:
        InvalidInputError: when the file is missing, cannot be read or is no image.
    """
    from PIL import Image

    try:
        with Image.open(path) as image:
            header = ImageHeader(image.width, image.height, image.format or "", image.mode, _orientation(image))
            if decode:
                image.load()
            return header
    except FileNotFoundError as error:
        raise InvalidInputError("missing", "missing") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        found = error.strerror if isinstance(error, OSError) and error.strerror else _without_path(error, path)
        raise InvalidInputError(f"not an image that can be read: {found}", "unreadable") from error


def _without_path(error: Exception, path: Path) -> str:
    return str(error).replace(f" {str(path)!r}", " it")


def _orientation(image: Any) -> int:
    # Pillow decodes a whole PNG to look for EXIF behind the pixels; cameras write JPEG.
    if image.format == "PNG":
        return 1
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except (OSError, SyntaxError, TypeError, ValueError, struct.error):
        # Damaged EXIF says nothing about the pixels.
        return 1
