"""Image headers: size, format, kind of pixel and orientation, read without decoding the pixels."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from segdata.errors import Code, InvalidInputError
from segdata.images.corrections import check_stored_depth, correct_bmp
from segdata.regular import read_start

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

#: File name extensions of images, in lower case; they match in any case.
IMAGE_SUFFIXES = (
    *(".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"),
    *(".jpe", ".jfif", ".ppm", ".pgm", ".pbm", ".pnm", ".jp2", ".j2k", ".tga", ".pcx", ".sgi"),
)
#: Those of formats that change values.
LOSSY_SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif", ".webp")
#: Extension of images that are read, but often are only previews of others.
GIF_SUFFIX = ".gif"
READ_SUFFIXES = (*IMAGE_SUFFIXES, GIF_SUFFIX)

JPEG_START, PNG_START = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"
#: TIFF 6.0, section 2; BigTIFF has 43 in the place of 42.
TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

#: Pillow's names of the formats that it may open: none that runs another program, as EPS does with Ghostscript.
_FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "GIF", "TGA", "PCX", "SGI", "PPM", "JPEG2000")

#: Bytes that are read to find the format of an image; the headers of most JPEG files have fewer.
_HEAD = 1024

#: Tag 0x0112 of EXIF 2.32: how to rotate the stored pixels for display; 1 means no rotation.
_ORIENTATION = 0x0112

#: Pillow's names of the EXIF data of a PNG: its own chunk, and the text that ImageMagick wrote before there was one.
_PNG_EXIF = ("exif", "Raw profile type exif")

#: Pillow's modes with 8 bits in each band, or fewer that the decoder stretches to 8; alpha is dropped.
_EIGHT_BIT = {"1": 1, "L": 1, "LA": 1, "P": 3, "PA": 3, "RGB": 3, "RGBA": 3, "RGBX": 3}
_DEEP = {"I;16": "uint16", "I;16B": "uint16", "I;16L": "uint16", "I": "int32", "F": "float32"}
_WORDS = {"CMYK": "CMYK", "YCbCr": "YCbCr", "LAB": "CIE L*a*b*", "HSV": "HSV", "RGBa": "premultiplied alpha"}

#: File name extensions of formats that have another name.
_SUFFIXES = {"JPEG": ".jpg", "JPEG2000": ".jp2"}


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """Size and kind of the pixels of an image, as `segdata.images.reading` reads them.

    Attributes:
        width: stored width in pixels.
        height: stored height in pixels.
        format: file format as Pillow names it.
        mode: kind of pixel as Pillow names it; deep RGB is ``RGB;16``.
        orientation: EXIF or TIFF orientation; 1 means no rotation.
        dtype: data type of a sample. Anything but uint8 needs a value range.
        bands: 1 for gray, 3 for color.
    """

    width: int
    height: int
    format: str
    mode: str
    orientation: int
    dtype: str = "uint8"
    bands: int = 3

    @property
    def size(self) -> str:
        """Return width and height as text."""
        return f"{self.width} x {self.height}"

    def __reduce__(self) -> tuple[type[ImageHeader], tuple[object, ...]]:
        """Pass a header to another process in a third of the time that a data class with slots takes."""
        return ImageHeader, (
            self.width, self.height, self.format, self.mode, self.orientation, self.dtype, self.bands
        )  # fmt: skip

    @property
    def shape(self) -> tuple[int, int]:
        """Return height and width."""
        return self.height, self.width

    @property
    def suffix(self) -> str:
        """Return the usual end of the name of such a file: ``.jpg``, ``.png``, ``.tiff``."""
        return _SUFFIXES.get(self.format, f".{self.format.lower()}")

    @property
    def deep(self) -> bool:
        """Return whether samples have more than 8 bits, a sign or a fraction: a value range must say what they mean."""
        return self.dtype != "uint8"


def check_size(found: Sequence[int], stated: Sequence[int | None], source: str, *, orientation: int = 1) -> None:
    """Check the size of an image or mask.

    Args:
        found: its height and width.
        stated: the height and width that it must have; None fits any.
        source: who says so, with a verb: ``"its label has"``.
        orientation: orientation of the image, which often explains the difference.

    Raises:
        InvalidInputError: when the sizes differ.

    >>> check_size((40, 50), (40, 60), "its label has")
    Traceback (most recent call last):
    segdata.errors.InvalidInputError: 50 x 40 pixels, but its label has 60 x 40
    """
    height, width = (here if there is None else there for there, here in zip(stated, found, strict=True))
    if (height, width) != tuple(found):
        turned = f" (EXIF orientation {orientation})" if orientation != 1 else ""
        raise InvalidInputError(
            f"{found[1]} x {found[0]} pixels{turned}, but {source} {width} x {height}", "size_mismatch"
        )


def head_of(image: Path | bytes) -> bytes:
    """Return the first bytes of an image, which tell its format and are the header of most JPEG files.

    Raises:
        FileNotFoundError: when there is no such file.
        InvalidInputError: when it is not a regular file.
    """
    if isinstance(image, bytes):
        return image[:_HEAD]
    return read_start(image, _HEAD)


def open_pillow(image: Path | bytes) -> ImageFile:
    """Open an image with Pillow; only its header is read."""
    from PIL import Image

    opened = Image.open(io.BytesIO(image) if isinstance(image, bytes) else image, formats=_FORMATS)
    if opened.format == "BMP":
        correct_bmp(opened, head_of(image))
    return opened


def pillow_header(opened: ImageFile, head: bytes) -> ImageHeader:
    """Return the header of an image that is opened with Pillow.

    Raises:
        InvalidInputError: when the image has several frames, colors that are not gray or RGB, or samples that Pillow
            would change.
    """
    # A camera's JPEG may be followed by previews (MPO); the first image is the picture.
    if opened.format != "MPO" and (frames := getattr(opened, "n_frames", 1)) > 1:
        raise InvalidInputError(
            f"contains {frames} images; expected one. Save each in its own file.", "unsupported_image"
        )
    check_stored_depth(opened, head)
    mode, dtype = opened.mode, "uint8"
    if head.startswith(PNG_START) and head[24] == 16:
        # Pillow reads 16-bit color as 8-bit. PNG specification, section 11.2.2: byte 24 is the bit depth.
        gray = head[25] in (0, 4)
        mode, dtype, bands = "I;16" if gray else "RGB;16", "uint16", 1 if gray else 3
    elif mode in _DEEP:
        dtype, bands = _DEEP[mode], 1
    elif mode in _EIGHT_BIT:
        bands = _EIGHT_BIT[mode]
    else:
        raise unsupported(f"{_WORDS.get(mode, mode)} pixels")
    return ImageHeader(
        opened.width,
        opened.height,
        (opened.format or "").replace("MPO", "JPEG"),
        mode,
        _orientation(opened),
        np.dtype(dtype).name,
        bands,
    )


def known_orientation(found: object) -> int:
    """Return an orientation; 1 for values that mean none: some cameras write 0.

    >>> known_orientation(6), known_orientation(0)
    (6, 1)
    """
    return found if isinstance(found, int) and 1 <= found <= 8 else 1


def unsupported(found: str) -> InvalidInputError:
    """Return the error for an image whose pixels are not gray or RGB; `found` says what they are."""
    return InvalidInputError(f"{found}; expected gray or RGB. Convert the image first.", "unsupported_image")


def image_error(error: Exception, image: Path | bytes) -> InvalidInputError:
    """Return the message and the kind of fault for an exception that a decoder raised for an image."""
    if isinstance(error, FileNotFoundError):
        return InvalidInputError(missing_text("" if isinstance(image, bytes) else image.name), "missing_image")
    if (kind := _kind(error, image)) == "empty_file":
        return InvalidInputError("is empty (0 bytes); expected an image", kind)
    found = error.strerror if isinstance(error, OSError) and error.strerror else _without_name(error)
    return InvalidInputError(f"not a readable image: {found}", kind)


def missing_text(name: str) -> str:
    """Return the sentence for a file that does not exist; some annotation tools write Windows paths."""
    return "does not exist" + ("; its name contains a backslash, expected / between folders" if "\\" in name else "")


def _without_name(error: Exception) -> str:
    """Return the decoder's message without the path or the memory address of the image."""
    text = re.sub(r"cannot identify image file .*", "unknown image format", str(error), flags=re.DOTALL)
    return text.partition("\n")[0] or type(error).__name__


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
    # Pillow decodes a complete PNG to find EXIF data after the pixels; programs write it before them.
    if image.format == "PNG" and not {*_PNG_EXIF} & {*image.info}:
        return 1
    try:
        return known_orientation(image.getexif().get(_ORIENTATION))
    except Exception:
        # Damaged EXIF data does not mean that the pixels are damaged.
        return 1
