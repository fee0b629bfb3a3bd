"""The quick header of a JPEG: what Pillow says, or nothing."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import suppress

import numpy as np
import pytest
from PIL import Image

from segdata.errors import InvalidInputError
from segdata.images.header import ImageHeader, open_pillow, pillow_header
from segdata.images.jpeg import jpeg_header
from segdata.images.reading import read_image_header


def jpeg(mode: str = "RGB", **options: object) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (17, 30, 4), np.uint8)
    image = Image.fromarray(pixels[..., :3]).convert(mode)
    stream = io.BytesIO()
    image.save(stream, "JPEG", **options)
    return stream.getvalue()


def of_pillow(data: bytes) -> ImageHeader | None:
    with suppress(Exception), open_pillow(data) as opened:
        return pillow_header(opened, data[:32])
    return None


def exif() -> bytes:
    tags = Image.Exif()
    tags[0x0112] = 6
    return tags.tobytes()


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize(
    "options", [{}, {"progressive": True}, {"comment": "text"}, {"quality": 100, "subsampling": 0}]
)
def test_a_usual_file_needs_no_pillow(mode: str, options: dict[str, object]) -> None:
    data = jpeg(mode, **options)
    found = jpeg_header(data[:1024])
    assert found == of_pillow(data) == read_image_header(data)
    assert found == ImageHeader(30, 17, "JPEG", mode, 1, "uint8", 1 if mode == "L" else 3)


@pytest.mark.parametrize("data", [jpeg("CMYK"), jpeg(exif=exif()), jpeg(icc_profile=b"x" * 200), b"", b"\xff\xd8\xff"])
def test_everything_else_is_left_to_pillow(data: bytes) -> None:
    assert jpeg_header(data) is None


def test_the_orientation_in_exif_is_read_by_pillow() -> None:
    assert read_image_header(jpeg(exif=exif())).orientation == 6


def damaged(data: bytes) -> Iterator[bytes]:
    scan = data.index(b"\xff\xda") + 14
    for at in range(2, scan):
        yield data[:at]
        for value in (0, 1, 2, 4, 17, 255, data[at] ^ 1, data[at] ^ 16):
            yield data[:at] + bytes([value]) + data[at + 1 :]


def test_damage_to_any_byte_never_makes_another_header_than_pillows() -> None:
    quick = 0
    for data in damaged(jpeg("L", optimize=True)):
        if (found := jpeg_header(data)) is not None:
            quick += 1
            assert found == of_pillow(data), data[:300].hex()
    assert quick > 100


def test_a_file_that_claims_too_many_pixels_is_refused() -> None:
    data = jpeg()
    at = data.index(b"\xff\xc0") + 5
    huge = data[:at] + b"\xff\xff\xff\xff" + data[at + 4 :]
    assert jpeg_header(huge) is None
    with pytest.raises(InvalidInputError) as caught:
        read_image_header(huge)
    assert caught.value.code == "too_large"
