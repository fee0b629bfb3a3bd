"""Samples that Pillow would change: read as they are stored, or refused."""

from __future__ import annotations

import io
import struct

import imagecodecs
import numpy as np
import pytest
from hypothesis import given, strategies as st
from PIL import Image

from segdata.errors import InvalidInputError
from segdata.images.reading import read_image, read_image_header, read_samples
from segdata.images.stored import read_stored

DEEP = np.arange(60, dtype=np.uint16).reshape(6, 10) * 68
COLOR = np.stack([DEEP, DEEP[::-1], DEEP[:, ::-1]], axis=2)


def bmp(indices: np.ndarray, palette: np.ndarray, bits: int, *, upright: bool) -> bytes:
    """Encode indices as a BMP without compression that names the number of its colors, as MATLAB writes masks."""
    height, width = indices.shape
    rows = indices if upright else indices[::-1]
    unpacked = np.unpackbits(rows[..., None], axis=2)[..., 8 - bits :].reshape(height, -1)
    packed = np.packbits(unpacked, axis=1)
    stride = (width * bits + 31) // 32 * 4
    body = np.pad(packed, ((0, 0), (0, stride - packed.shape[1]))).tobytes()
    colors = np.pad(palette[:, ::-1], ((0, 0), (0, 1))).astype(np.uint8).tobytes()
    start = 54 + len(colors)
    file = struct.pack("<2sIHHI", b"BM", start + len(body), 0, 0, start)
    size = width, -height if upright else height
    return file + struct.pack("<IiiHHIIiiII", 40, *size, 1, bits, 0, len(body), 0, 0, len(palette), 0) + colors + body


@given(st.data())
def test_the_indices_of_a_bmp_have_the_bits_that_its_header_says(data: st.DataObject) -> None:
    bits = data.draw(st.sampled_from([1, 4, 8]))
    colors = data.draw(st.integers(1, min(2**bits, 20)))
    indices = data.draw(st.lists(st.integers(0, colors - 1), min_size=33, max_size=33))
    pixels = np.array(indices, np.uint8).reshape(3, 11)
    grays = [np.arange(colors), np.linspace(0, 255, colors).astype(int), np.arange(colors)[::-1]]
    palette = np.stack([data.draw(st.sampled_from(grays))] * 3, axis=1).astype(np.uint8)
    file = bmp(pixels, palette, bits, upright=data.draw(st.booleans()))
    assert np.array_equal(read_image(file), palette[pixels])
    assert np.array_equal(read_stored(file).samples, pixels)
    assert read_image_header(file).bands == (1 if read_samples(file).ndim == 2 else 3)


def ppm(kind: str, pixels: np.ndarray, highest: int) -> bytes:
    head = f"{kind}\n{pixels.shape[1]} {pixels.shape[0]}\n{highest}\n".encode()
    return head + pixels.astype(">u2" if highest > 255 else np.uint8).tobytes()


def sgi(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(buffer, "SGI", bpc=2)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("file", "depth"),
    [
        (imagecodecs.jpeg2k_encode(COLOR, level=0), "16 bits"),
        (imagecodecs.jpeg2k_encode(DEEP, level=0, bitspersample=12), "12 bits"),
        (imagecodecs.jpeg2k_encode(DEEP, level=0, bitspersample=15, codecformat="J2K"), "15 bits"),
        (ppm("P6", COLOR, 65535), "0 to 65535"),
        (ppm("P5", DEEP, 4095), "0 to 4095"),
        (sgi(COLOR), "16 bits"),
    ],
)
def test_samples_that_pillow_would_scale_are_refused(file: bytes, depth: str) -> None:
    for read in (read_image_header, read_samples, read_stored):
        with pytest.raises(InvalidInputError, match=f"with samples of {depth}; expected 8 bits. Save it as") as caught:
            read(file)
        assert caught.value.code == "unsupported_image"


@pytest.mark.parametrize("file", [imagecodecs.jpeg2k_encode(DEEP, level=0), ppm("P5", DEEP, 65535)])
def test_samples_that_pillow_keeps_are_read(file: bytes) -> None:
    assert np.array_equal(read_samples(file), DEEP)


def test_class_ids_in_a_pgm_that_pillow_would_stretch_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="PPM whose white is 3, which scales all values; expected PNG"):
        read_stored(ppm("P5", DEEP % 4, 3))
