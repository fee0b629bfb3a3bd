"""A mask of any form becomes class ids, or an error that names the pixel."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from segdata.errors import InvalidInputError
from segdata.labels.colormap import ColorMap, voc_colormap, voc_palette
from segdata.labels.masks import count_values, decode_index_png, to_index_png
from segdata.labels.png import palette_to_gray, parse

VOC = voc_colormap()
OWN = ColorMap(("ground", "road"), {0: (0, 0, 0), 1: (128, 64, 128), 255: (255, 255, 255)})
IDS = np.array([[0, 0, 1, 15], [20, 255, 255, 0]], np.uint8)


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(image: Image.Image, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", **options)
    return buffer.getvalue()


def paletted(ids: np.ndarray, palette: bytes, **options: object) -> bytes:
    image = Image.fromarray(ids)
    image.putpalette(palette)
    return png(image, **options)


def ids_of(data: bytes, colormap: ColorMap = VOC) -> list[list[int]]:
    rows: list[list[int]] = decode_index_png(to_index_png(data, colormap)[0]).tolist()
    return rows


def test_vocs_palette_is_rewritten() -> None:
    data = paletted(IDS, voc_palette().tobytes())
    assert to_index_png(data, VOC)[1] == "rewritten"
    assert ids_of(data) == IDS.tolist()


def test_a_palette_in_another_order_is_mapped_by_color() -> None:
    order = np.arange(256)[::-1]
    data = paletted(order.argsort()[IDS].astype(np.uint8), voc_palette()[order].tobytes())
    assert to_index_png(data, VOC)[1] == "by color"
    assert ids_of(data) == IDS.tolist()


def test_black_padding_behind_the_classes_means_background_not_its_index() -> None:
    data = paletted(np.array([[1, 40]], np.uint8), voc_palette()[:21].tobytes() + bytes(3 * 235))
    assert ids_of(data) == [[1, 0]]


def test_a_palette_of_few_bits_is_decoded() -> None:
    data = paletted(np.array([[0, 1, 1, 0]], np.uint8), bytes([0, 0, 0, 128, 64, 128]), bits=1)
    assert ids_of(data, OWN) == [[0, 1, 1, 0]]


def test_an_unknown_palette_color_is_named_with_its_pixel() -> None:
    data = paletted(np.array([[0, 0], [0, 1]], np.uint8), bytes([0, 0, 0, 1, 2, 3]), bits=8)
    with pytest.raises(InvalidInputError, match=r"\(x=1, y=1\) has index 1, color \(1, 2, 3\)"):
        to_index_png(data, VOC)


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_colors_are_looked_up_exactly(mode: str) -> None:
    assert ids_of(png(Image.fromarray(voc_palette()[IDS]).convert(mode))) == IDS.tolist()


def test_an_anti_aliased_edge_is_an_error_with_pixel_and_color() -> None:
    pixels = voc_palette()[IDS].copy()
    pixels[1, 2] = (64, 1, 0)
    with pytest.raises(InvalidInputError, match=r"pixel \(x=2, y=1\) has color \(64, 1, 0\).*\(1 such pixel\)"):
        to_index_png(png(Image.fromarray(pixels)), VOC)


def test_transparency_counts_only_as_wholly_empty_pixels() -> None:
    pixels = np.zeros((1, 2, 4), np.uint8)
    pixels[0, 1] = (128, 0, 0, 255)
    assert ids_of(png(Image.fromarray(pixels))) == [[0, 1]]
    pixels[0, 1, 3] = 128
    with pytest.raises(InvalidInputError, match=r"color \(128, 0, 0, 128\)"):
        to_index_png(png(Image.fromarray(pixels)), VOC)


def test_class_ids_in_gray_are_copied_byte_for_byte() -> None:
    data = png(Image.fromarray(IDS))
    assert to_index_png(data, VOC) == (data, "copied")


def test_a_gray_value_of_no_class_is_named_with_its_pixel() -> None:
    with pytest.raises(InvalidInputError, match=r"pixel \(x=1, y=0\) has value 21; expected 0 to 20 or 255"):
        to_index_png(png(Image.fromarray(np.array([[0, 21]], np.uint8))), VOC)


def test_color_that_was_read_as_gray_is_recognized() -> None:
    gray = Image.fromarray(voc_palette()[IDS]).convert("L")
    with pytest.raises(InvalidInputError, match="gray made from color"):
        to_index_png(png(gray), VOC)


@pytest.mark.parametrize(("bits", "largest"), [(1, 1), (2, 3), (4, 15)])
def test_gray_of_few_bits_keeps_its_sample_values(bits: int, largest: int) -> None:
    row = int("".join(f"{value:0{bits}b}" for value in (0, largest, 1, 0, 0, 0, 0, 0)), 2).to_bytes(bits, "big")
    header = struct.pack(">IIBBBBB", 8, 1, bits, 0, 0, 0, 0)
    data = (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" + row)) + chunk(b"IEND", b"")
    )
    assert ids_of(data) == [[0, largest, 1, 0, 0, 0, 0, 0]]


@pytest.mark.parametrize(
    "image",
    [Image.fromarray(np.full((2, 2), 300, np.uint16)), Image.new("LA", (2, 2))],
    ids=["16-bit beyond 255", "gray with alpha"],
)
def test_forms_without_a_meaning_are_refused(image: Image.Image) -> None:
    with pytest.raises(InvalidInputError):
        to_index_png(png(image), VOC)


def test_small_16_bit_values_are_class_ids() -> None:
    assert ids_of(png(Image.fromarray(IDS.astype(np.uint16)))) == IDS.tolist()


def test_a_color_mask_is_not_read_as_class_ids() -> None:
    with pytest.raises(InvalidInputError, match=r"^8-bit palette PNG; expected class ids"):
        decode_index_png(paletted(IDS, voc_palette().tobytes()))


def test_a_jpeg_is_refused_whatever_its_name() -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (4, 4)).save(buffer, "JPEG")
    with pytest.raises(InvalidInputError, match="not a PNG file"):
        to_index_png(buffer.getvalue(), VOC)


@given(arrays.arrays(np.uint8, arrays.array_shapes(min_dims=2, max_dims=2, max_side=30)), st.booleans())
def test_index_masks_are_decoded_as_pillow_does(ids: np.ndarray, filtered: bool) -> None:
    source = paletted(ids, voc_palette().tobytes(), bits=8)
    data = png(Image.fromarray(ids)) if filtered else palette_to_gray(parse(source))
    assert np.array_equal(decode_index_png(data), ids)
    assert np.array_equal(count_values(ids), np.bincount(ids.ravel(), minlength=256))


def test_a_picture_shorter_than_its_header_says_is_refused() -> None:
    data = palette_to_gray(parse(paletted(np.zeros((50, 40), np.uint8), voc_palette().tobytes(), bits=8)))
    header = struct.pack(">IIBBBBB", 40, 500, 8, 0, 0, 0, 0)
    longer = data[:8] + chunk(b"IHDR", header) + data[33:]
    with pytest.raises(InvalidInputError, match="damaged: 2050 bytes of rows; expected 20500"):
        decode_index_png(longer)
