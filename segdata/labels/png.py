"""Chunk-level PNG access: read the header, convert palette to gray without decoding.

Source: Portable Network Graphics Specification (Second Edition), W3C, sections 5 and 11.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from segdata.errors import Code, InvalidInputError

SIGNATURE = b"\x89PNG\r\n\x1a\n"
GRAY, RGB, PALETTE, GRAY_ALPHA, RGBA = 0, 2, 3, 4, 6

#: Section 11.2.2: valid bit depths of each color type.
_DEPTHS = {GRAY: (1, 2, 4, 8, 16), RGB: (8, 16), PALETTE: (1, 2, 4, 8), GRAY_ALPHA: (8, 16), RGBA: (8, 16)}

#: Upper limit for the pixels of a mask; a header that claims more is rejected before memory is allocated.
MAX_PIXELS = 1 << 28

#: Maximum expansion of one byte in a zlib stream ("zlib Technical Details": at most 1032 bytes).
_DEFLATE_MOST = 1032


class PngError(InvalidInputError):
    """The bytes are not an intact PNG file."""

    def __init__(self, message: str, code: Code = "unreadable") -> None:
        """Store the message and the kind of fault."""
        super().__init__(message, code)


@dataclass(frozen=True, slots=True)
class Header:
    """The `IHDR` chunk: size in pixels, bits per sample, color type, interlace method."""

    width: int
    height: int
    depth: int
    color_type: int
    interlaced: bool

    @property
    def kind(self) -> str:
        """Return bit depth and color type as text."""
        name = {GRAY: "gray", RGB: "RGB", PALETTE: "palette", GRAY_ALPHA: "gray with alpha", RGBA: "RGBA"}
        return f"{self.depth}-bit {name[self.color_type]}"


@dataclass(frozen=True, slots=True)
class Png:
    """A PNG file with intact chunks: header, palette bytes (3 per color) and the positions of its `IDAT` chunks."""

    data: bytes
    header: Header
    palette: bytes
    image: tuple[tuple[int, int], ...]

    def unfiltered_rows(self) -> npt.NDArray[np.uint8] | None:
        """Return the rows of an 8-bit, one-channel file if they are unfiltered, ``(H, 1 + W)`` uint8, otherwise None.

        Section 9: each row begins with its filter type, 0 for none; the pixels follow. Label masks usually have no
        other type, so that inflating them is enough to decode them. zlib-ng takes a tenth of zlib's time for this.

        Raises:
            PngError: when the file has fewer rows than its header claims.
        """
        if self.header.interlaced or self.header.depth != 8 or self.header.color_type not in (GRAY, PALETTE):
            return None
        from imagecodecs import ZlibngError, zlibng_decode

        packed = b"".join([self.data[start + 8 : end - 4] for start, end in self.image])
        room = self.header.height * (self.header.width + 1)
        if room > _DEFLATE_MOST * len(packed):
            raise PngError(f"damaged: {len(packed)} bytes of image data cannot hold {room} bytes of rows")
        try:
            inflated = np.frombuffer(zlibng_decode(packed, out=room), np.uint8)
        except ZlibngError:
            return None
        if len(inflated) != room:
            raise PngError(f"damaged: {len(inflated)} bytes of rows; expected {room} for the image size")
        rows = inflated.reshape(self.header.height, -1)
        return None if rows[:, 0].any() else rows

    def colors(self) -> npt.NDArray[np.uint8]:
        """Return the palette as ``(N, 3)`` uint8."""
        return np.frombuffer(self.palette, np.uint8).reshape(-1, 3)


def probe(data: bytes) -> Header:
    """Read the header of a PNG file from its first 33 bytes.

    Raises:
        PngError: when it is not a PNG or the header is damaged.
    """
    if data[:8] != SIGNATURE:
        if not data:
            raise PngError("is empty (0 bytes); expected a PNG file", "empty_file")
        raise PngError("not a PNG file")
    if len(data) < 33:
        raise PngError("truncated inside the header", "truncated")
    if data[8:16] != b"\0\0\0\rIHDR" or zlib.crc32(data[12:29]) != _number(data, 29):
        raise PngError("damaged header (IHDR)")
    header = Header(_number(data, 16), _number(data, 20), data[24], data[25], data[28] == 1)
    # Section 11.2.2: compression and filter method are always 0; the interlace method is 0 or 1.
    known = header.depth in _DEPTHS.get(header.color_type, ()) and data[26:28] == b"\0\0" and data[28] <= 1
    if not known or not header.width or not header.height:
        raise PngError("damaged header (IHDR)")
    if header.width * header.height > MAX_PIXELS:
        raise PngError(f"claims {header.width} x {header.height} pixels; expected at most {MAX_PIXELS}", "too_large")
    return header


def parse(data: bytes) -> Png:
    """Parse a PNG file: check the CRC of each chunk and the order that decoders rely on, without decoding.

    Raises:
        PngError: with the damage and its position.
    """
    header = probe(data)
    palette, at = b"", 33
    image: list[tuple[int, int]] = []
    while at + 12 <= len(data):
        length, kind = _number(data, at), data[at + 4 : at + 8]
        end = at + 12 + length
        if end > len(data):
            break
        if zlib.crc32(data[at + 4 : end - 4]) != _number(data, end - 4):
            raise PngError(f"damaged: chunk {kind.decode('latin-1')} at byte {at} has a wrong checksum")
        # Section 5.6: one IHDR, one PLTE before the IDAT; with two, decoders differ in which one they use.
        if not kind.isalpha() or kind == b"IHDR" or (kind == b"PLTE" and (palette or image)):
            raise PngError(f"damaged: unexpected chunk {kind.decode('latin-1')!r} at byte {at}")
        # Third Edition, section 11.3.6.3: the data of another frame of an animation.
        if kind == b"fdAT":
            raise PngError("contains several images; expected one. Save each in its own file.", "unsupported_image")
        if kind == b"IDAT":
            image.append((at, end))
        elif kind == b"PLTE":
            palette = data[at + 8 : end - 4]
        elif kind == b"IEND":
            return _checked(Png(data, header, palette, tuple(image)))
        at = end
    raise PngError(f"truncated: {len(data)} bytes without an end chunk (IEND)", "truncated")


def _checked(png: Png) -> Png:
    if not png.image:
        raise PngError("damaged: no image data (IDAT)")
    if any(end != start for (_, end), (start, _) in zip(png.image, png.image[1:], strict=False)):
        raise PngError("damaged: the image data chunks (IDAT) are not consecutive")
    if png.header.color_type == PALETTE and (not png.palette or len(png.palette) % 3 or len(png.palette) > 768):
        raise PngError("damaged: the palette (PLTE) is missing or has a wrong length")
    return png


def palette_to_gray(png: Png) -> bytes:
    """Convert an 8-bit palette PNG to the gray PNG of its indices, without decoding.

    Section 11.2.4: both color types store one byte per pixel with the same filters, so the `IDAT` chunks stay the
    same; only the color type in `IHDR` changes. All other chunks describe colors, time or text and are dropped.
    """
    if (png.header.color_type, png.header.depth) != (PALETTE, 8):
        raise ValueError(f"expected an 8-bit palette PNG, got {png.header.kind}")
    header = png.data[12:25] + bytes([GRAY]) + png.data[26:29]
    image = png.data[png.image[0][0] : png.image[-1][1]]
    return b"".join((SIGNATURE, b"\0\0\0\r", header, _crc(header), image, _END))


def _number(data: bytes, at: int) -> int:
    value: int = struct.unpack_from(">I", data, at)[0]
    return value


def _crc(chunk: bytes) -> bytes:
    return struct.pack(">I", zlib.crc32(chunk))


_END = b"\0\0\0\0IEND" + _crc(b"IEND")
