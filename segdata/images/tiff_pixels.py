"""Meaning of the stored samples of a TIFF page, and which of them can be read.

Source: TIFF Revision 6.0, Adobe, sections 3 to 6, 16 and 18.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from segdata.errors import InvalidInputError
from segdata.images.header import ImageHeader, known_orientation
from segdata.text import plural

if TYPE_CHECKING:
    from tifffile import TiffPage

#: PhotometricInterpretation and samples per pixel of pages that are read; YCbCr in a JPEG is decoded to RGB.
_COLORS = {
    (0, 1): "gray, 0 is white",
    (1, 1): "gray",
    (3, 1): "palette",
    (0, 2): "gray with alpha, 0 is white",
    (1, 2): "gray with alpha",
    (2, 3): "RGB",
    (2, 4): "RGBA",
    (6, 3): "RGB",
}
_YCBCR, _JPEG = 6, (6, 7, 33007, 34892)

#: Compression that may change values to save space: JPEG, JPEG 2000, JPEG XR, LERC, WebP and JPEG XL.
_LOSSY = (*_JPEG, 22610, 33003, 33004, 33005, 34712, 34887, 34934, 50001, 50002, 52546)

#: Pillow's names of pixels with 1 to 4 samples, and of gray without alpha that has other than 8 bits.
_PILLOW_MODES = {1: "L", 3: "RGB", 2: "LA", 4: "RGBA"}
_PILLOW_GRAY = {"bool": "1", "uint16": "I;16", "int32": "I", "float32": "F"}

#: ExtraSamples (section 18): a band that is not alpha; alpha that the colors are multiplied by; alpha.
_UNSPECIFIED, _ASSOCIATED_ALPHA, _ALPHA = 0, 1, 2

#: PhotometricInterpretation, which every page must have, and Orientation (section 8).
_PHOTOMETRIC, _ORIENTATION = 262, 274


@dataclass(frozen=True)
class PageForm:
    """Properties of a page, from its header.

    Attributes:
        width: in pixels.
        height: in pixels.
        samples: number of samples per pixel.
        dtype: data type of a sample.
        bits: number of its bits in use.
        color: color type in words.
        lossy: whether the compression may have changed the values.
        unclear: why the page cannot be read as an image, although its samples can; empty if it can.
    """

    width: int
    height: int
    samples: int
    dtype: np.dtype[Any]
    bits: int
    color: str
    lossy: bool = field(default=False, compare=False)
    unclear: str = field(default="", compare=False)

    def __str__(self) -> str:
        return f"{self.width} x {self.height} {self.dtype} {self.color}"

    @property
    def image_dtype(self) -> np.dtype[Any]:
        """Return the data type of `as_image`."""
        if self.color == "palette" or (self.bits <= 8 and self.dtype.kind in "bu"):
            return np.dtype(np.uint8)
        return self.dtype.newbyteorder("=")


def page_form(page: TiffPage, max_page_mb: int) -> PageForm:
    """Return the form of `page` after checking that everything it claims is possible.

    Raises:
        InvalidInputError: when it is too large, or its pixels are not read.
    """
    size = f"{page.imagewidth} x {page.imagelength} pixels"
    # tifffile swaps the bytes of 24-bit samples.
    if page.dtype is None or page.dtype.kind not in "buif" or page.bitspersample not in (*range(1, 17), 32, 64):
        raise InvalidInputError(
            f"unsupported {page.bitspersample}-bit samples; expected integers of 1 to 16, 32 or 64 bits, or fractions "
            "of 16, 32 or 64",
            "unsupported_image",
        )
    claimed = max(page.nbytes, math.prod(page.chunks) * page.dtype.itemsize)
    if claimed > max_page_mb << 20:
        raise InvalidInputError(
            f"claims {size}, {claimed / 2**20:,.0f} MB of memory; expected at most {max_page_mb} MB", "too_large"
        )
    photometric, samples = int(page.photometric), page.samplesperpixel
    color = _COLORS.get((photometric, samples))
    if photometric == _YCBCR and page.compression not in _JPEG:
        color = None
    if page.axes not in ("YX", "YXS", "SYX") or not page.nbytes or color is None:
        raise InvalidInputError(
            f"{size}: {color_words(photometric)} with {plural(samples, 'band')}, axes {page.axes}; "
            "expected a gray, palette or RGB image. Convert it first.",
            "unsupported_image",
        )
    if _ASSOCIATED_ALPHA in page.extrasamples:
        raise InvalidInputError(
            f"{size} with colors multiplied by alpha; expected colors as they are. Save it without transparency.",
            "unsupported_image",
        )
    lossy, unclear = page.compression in _LOSSY, _unclear(page, color)
    return PageForm(page.imagewidth, page.imagelength, samples, page.dtype, page.bitspersample, color, lossy, unclear)


def _unclear(page: TiffPage, color: str) -> str:
    """Return what an image lacks: the meaning of a band, or of 0."""
    if _PHOTOMETRIC not in page.tags:
        return (
            "does not say whether 0 is black or white (PhotometricInterpretation). If 0 is black, say so with: tiffset "
            "-s 262 1 FILE"
        )
    # RGB with a fourth band that is not described is RGBA by convention.
    if _UNSPECIFIED in page.extrasamples or (page.samplesperpixel == 2 and _ALPHA not in page.extrasamples):
        kind, bands = ("gray", "first band") if page.samplesperpixel == 2 else ("RGB", "first three bands")
        return f"{kind} with another band, which is not alpha; expected gray or RGB. Save the {bands} only."
    if "0 is white" in color and page.dtype.kind not in "bu":
        return f"{page.dtype} samples with 0 as white; expected unsigned samples. Save it with 0 as black."
    return ""


def check_image(form: PageForm) -> None:
    """Refuse a page of which an image would lose or guess something.

    Raises:
        InvalidInputError: when it has a band that is neither color nor alpha, does not say what 0 means, or has signed
            samples or fractions of which 0 is white.
    """
    if form.unclear:
        raise InvalidInputError(form.unclear, "unsupported_image")


def image_header(form: PageForm, page: TiffPage) -> ImageHeader:
    """Return the header of a page that is an image.

    Raises:
        InvalidInputError: see `check_image`.
    """
    check_image(form)
    dtype = form.image_dtype
    bands = 1 if form.color.startswith("gray") else 3
    orientation = known_orientation(page.tags.valueof(_ORIENTATION))
    return ImageHeader(form.width, form.height, "TIFF", _mode(form), orientation, dtype.name, bands)


def _mode(form: PageForm) -> str:
    """Return the kind of pixel as Pillow names it, in the way of ``RGB;16`` where it has no name."""
    dtype = form.dtype.newbyteorder("=")
    if form.color == "palette":
        return "P"
    if form.samples == 1 and dtype.name in _PILLOW_GRAY:
        return _PILLOW_GRAY[dtype.name]
    mode = _PILLOW_MODES[form.samples]
    if form.image_dtype == np.uint8:
        return mode
    return f"{mode};{dtype.itemsize * 8}{dtype.kind if dtype.kind != 'u' else ''}"


def color_words(photometric: int) -> str:
    """Return a PhotometricInterpretation (sections 4 to 6 and 16 to 23; TIFF/EP for camera data) in words."""
    words = {0: "gray", 1: "gray", 2: "RGB", 3: "palette", 4: "transparency mask", 5: "CMYK", 6: "YCbCr"}
    words |= {8: "CIE L*a*b*", 9: "ICC L*a*b*", 10: "ITU L*a*b*", 32803: "raw camera", 34892: "linear raw"}
    return f"{words.get(photometric, f'unknown (photometric interpretation {photometric})')} pixels"


def read_plane(page: TiffPage, index: int) -> npt.NDArray[Any]:
    """Return the stored samples of a plane among those that follow each other behind one header."""
    file = page.parent.filehandle
    file.seek(page.dataoffsets[0] + index * page.nbytes)
    pixels = np.frombuffer(file.read(page.nbytes), page.dtype.newbyteorder(page.parent.byteorder))
    return pixels.reshape(page.shape)


def as_image(stored: npt.NDArray[Any], form: PageForm, page: TiffPage) -> npt.NDArray[Any]:
    """Return stored samples as an image; see `Stack.read_page`."""
    check_image(form)
    if form.samples in (2, 4):
        stored = stored[..., 0] if form.samples == 2 else stored[..., :3]
    if form.color == "palette":
        return np.ascontiguousarray(palette_colors(page)[stored])
    highest = 2**form.bits - 1
    if "0 is white" in form.color:
        stored = (highest - stored).astype(stored.dtype)
    if form.bits < 8:
        stored = np.rint(stored * (255 / highest)).astype(np.uint8)
    return np.ascontiguousarray(stored)


def palette_colors(page: TiffPage) -> npt.NDArray[np.uint8]:
    """Return the palette of a page ``(N, 3)``.

    Section 5: 16 bits for each color, of which the high byte is used. Some programs write 8 bits: then all of them are
    below 256, which would be black. libtiff decides in the same way.
    """
    colors = np.asarray(page.colormap)
    return (colors >> 8 if (colors > 255).any() else colors).astype(np.uint8).T


@contextmanager
def naming_file(where: str) -> Iterator[None]:
    """Prefix errors with `where`.

    A decoder may raise any exception for damaged data, so every exception is taken to mean that.
    """
    prefix = f"{where}: " if where else ""
    try:
        yield
    except InvalidInputError as error:
        raise InvalidInputError(f"{prefix}{error}", error.code) from error
    except OSError as error:
        raise InvalidInputError(
            f"{prefix}cannot be read: {error.strerror or 'its data is damaged'}", "unreadable"
        ) from error
    except (LookupError, TypeError, AttributeError, struct.error) as error:
        raise InvalidInputError(f"{prefix}cannot be read: its header is damaged", "unreadable") from error
    except Exception as error:
        raise InvalidInputError(
            f"{prefix}cannot be read: its data is damaged, or compressed in a way that is not supported", "unreadable"
        ) from error
