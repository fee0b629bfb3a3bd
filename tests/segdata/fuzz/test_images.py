"""Image files of every format, damaged in every way: a header, or an error message."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from damaged_files import damaged
from hypothesis import given, settings, strategies as st
from PIL import Image

from segdata.errors import InvalidInputError
from segdata.images.reading import read_image_header

PICTURE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (12, 16, 3)).astype(np.uint8))
EXIF = Image.Exif()
EXIF[0x0112] = 6


def encoded(form: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    PICTURE.save(buffer, form, **options)
    return buffer.getvalue()


FILES = [
    *(encoded("JPEG", exif=EXIF), encoded("JPEG", progressive=True), encoded("PNG"), encoded("BMP")),
    *(encoded("TIFF"), encoded("TIFF", compression="tiff_lzw"), encoded("WEBP", exif=EXIF), encoded("GIF")),
]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("images") / "image"


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=5 * settings.default.max_examples)
@given(data=st.sampled_from(FILES).flatmap(lambda data: damaged(data, most=4)), decode=st.booleans())
def test_a_damaged_image_has_a_header_or_is_a_sentence(path: Path, data: bytes, decode: bool) -> None:
    path.write_bytes(data)
    try:
        header = read_image_header(path, decode=decode)
    except InvalidInputError as error:
        assert str(error)
        assert str(path) not in str(error)
        return
    assert (header.width > 0, header.height > 0) == (True, True)


def test_an_empty_profile_behind_the_pixels_is_a_sentence(path: Path) -> None:
    data = encoded("PNG")
    profile = struct.pack(">I", 0) + b"iCCP" + struct.pack(">I", zlib.crc32(b"iCCP"))
    path.write_bytes(data[:-12] + profile + data[-12:])
    assert read_image_header(path).size == "16 x 12"
    with pytest.raises(InvalidInputError, match="not a readable image: index out of range"):
        read_image_header(path, decode=True)
