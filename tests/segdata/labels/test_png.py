"""PNG chunks, with every pixel compared with Pillow."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from segdata.labels.colormap import voc_palette
from segdata.labels.png import GRAY, PngError, palette_to_gray, parse, probe

images = arrays.arrays(np.uint8, arrays.array_shapes(min_dims=2, max_dims=2, max_side=40))


def palette_png(indices: np.ndarray, **options: object) -> bytes:
    image = Image.fromarray(indices)
    image.putpalette(voc_palette().tobytes())
    buffer = io.BytesIO()
    image.save(buffer, "PNG", **options)
    return buffer.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


@given(images, st.integers(0, 9))
def test_the_rewritten_file_has_the_same_indices_as_gray(indices: np.ndarray, level: int) -> None:
    source = palette_png(indices, compress_level=level, bits=8, transparency=0)
    gray = Image.open(io.BytesIO(palette_to_gray(parse(source))))
    assert gray.mode == "L"
    assert np.array_equal(np.asarray(gray), indices)


def test_a_picture_in_many_data_chunks_is_rewritten_whole() -> None:
    indices = np.random.default_rng(0).integers(0, 256, (300, 400)).astype(np.uint8)
    source = palette_png(indices)
    png = parse(source)
    body = b"".join(source[start + 8 : end - 4] for start, end in png.image)
    pieces = b"".join(chunk(b"IDAT", body[at : at + 1000]) for at in range(0, len(body), 1000))
    many = source[: png.image[0][0]] + pieces + chunk(b"IEND", b"")
    gray = palette_to_gray(parse(many))
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(gray))), indices)


def test_chunks_about_colors_time_and_text_are_left_out() -> None:
    source = palette_png(np.zeros((3, 3), np.uint8), bits=8)
    at = parse(source).image[0][0]
    gray = palette_to_gray(parse(source[:at] + chunk(b"tIME", bytes(7)) + chunk(b"tEXt", b"a\0b") + source[at:]))
    assert [gray[12:16], gray[37:41], gray[-8:-4]] == [b"IHDR", b"IDAT", b"IEND"]
    assert probe(gray).color_type == GRAY


def test_truncation_anywhere_is_found() -> None:
    source = palette_png(np.arange(400, dtype=np.uint8).reshape(20, 20))
    for length in range(len(source)):
        with pytest.raises(PngError):
            parse(source[:length])


@given(st.data())
def test_a_flipped_bit_anywhere_is_found(data: st.DataObject) -> None:
    source = bytearray(palette_png(np.arange(400, dtype=np.uint8).reshape(20, 20)))
    position = data.draw(st.integers(0, len(source) - 1))
    source[position] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(PngError):
        parse(bytes(source))


@given(st.binary(max_size=200))
def test_other_bytes_are_refused_without_a_crash(tail: bytes) -> None:
    for data in (tail, b"\x89PNG\r\n\x1a\n" + tail):
        with pytest.raises(PngError):
            parse(data)


def test_a_header_that_claims_a_huge_picture_is_refused() -> None:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 1 << 20, 1 << 20, 8, 0, 0, 0, 0))
    with pytest.raises(PngError, match="1048576 x 1048576"):
        probe(b"\x89PNG\r\n\x1a\n" + header)


def test_only_8_bit_palettes_are_rewritten() -> None:
    with pytest.raises(ValueError, match="1-bit palette"):
        palette_to_gray(parse(palette_png(np.zeros((3, 3), np.uint8), bits=1)))
