"""Formats of which Pillow returns other samples than they store: read right, or refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from segdata.errors import InvalidInputError

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

#: Start of a JPEG 2000 codestream, and the position of its first sample depth (ISO 15444-1, A.4.1 and A.5.1).
_CODESTREAM, _FIRST_DEPTH = b"\xff\x4f\xff\x51", 42

#: Distance of the sample depth from the name of its box (ISO 15444-1, I.5.3.1).
_BOX, _BOX_DEPTH = b"ihdr", 14


def correct_bmp(opened: ImageFile, head: bytes) -> None:
    """Make Pillow read the indices of a BMP of 4 or 8 bits whose palette is black and white, or gray.

    It takes all black and white palettes for 1 bit, and all gray ones for 8 bits, whatever the header says.
    """
    from PIL import ImagePalette

    # The header of OS/2 has 12 bytes; all others begin with the same fields. A palette is a part of up to 8 bits.
    at = 24 if head[14] == 12 else 28
    bits = int.from_bytes(head[at : at + 2], "little")
    (tile,) = opened.tile
    if tile.codec_name != "raw" or (opened.mode, bits) not in (("1", 4), ("1", 8), ("L", 4)):
        return
    assert isinstance(tile.args, tuple)
    grays = (0, 255) if opened.mode == "1" else range(16)
    opened._mode = "P"
    opened.palette = ImagePalette.raw("RGB", bytes(gray for gray in grays for _ in range(3)))
    opened.tile = [tile._replace(args=("P;4" if bits == 4 else "P", *tile.args[1:]))]


def check_stored_depth(opened: ImageFile, head: bytes) -> None:
    """Refuse samples of more than 8 bits that Pillow scales to 8 or 16.

    Raises:
        InvalidInputError: when it would change them.
    """
    found = ""
    if opened.format == "JPEG2000":
        found = _jpeg2000_depth(head)
        if found == "8 bits" or (found, opened.mode) == ("16 bits", "I;16"):
            return
    elif opened.format == "SGI" and head[3] == 2:
        found = "16 bits"
    elif opened.format == "PPM" and (highest := ppm_highest(opened)) > 255 and (highest, opened.mode) != (65535, "I"):
        found = f"0 to {highest}"
    if found:
        raise InvalidInputError(
            f"{opened.format} with samples of {found}; expected 8 bits. Save it as PNG or TIFF, which keep all bits.",
            "unsupported_image",
        )


def ppm_highest(opened: ImageFile) -> int:
    """Return the sample that means white in a PGM or PPM file; Pillow scales all others by it."""
    args = opened.tile[0].args
    return int(args[1]) if isinstance(args, tuple) and len(args) == 2 else 65535 if opened.mode == "I" else 255


def _jpeg2000_depth(head: bytes) -> str:
    """Return the depth of the samples in words."""
    box = head.find(_BOX)
    at = _FIRST_DEPTH if head.startswith(_CODESTREAM) else box + _BOX_DEPTH
    if head[at : at + 1] in (b"", b"\xff") or at < _BOX_DEPTH:
        return "different depths"
    return f"{(head[at] & 127) + 1} bits{' with a sign' if head[at] >> 7 else ''}"
