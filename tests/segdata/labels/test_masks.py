"""Index PNGs are read as other decoders read them, or refused; and their values counted."""

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
from segdata.images.stored import read_stored
from segdata.labels.colormap import voc_palette
from segdata.labels.mapping import to_index_png
from segdata.labels.mask_mapping import MaskMapping
from segdata.labels.masks import count_index_png, count_values, decode_index_png, encode_index_png, first_pixel
from segdata.labels.png import palette_to_gray, parse
from segdata.labels.value_map import voc_colormap

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


def test_a_color_mask_is_not_read_as_class_ids() -> None:
    for read in (decode_index_png, count_index_png):
        with pytest.raises(InvalidInputError, match=r"^8-bit palette PNG; expected class ids"):
            read(paletted(IDS, voc_palette().tobytes()))


@pytest.mark.parametrize(("frames", "default_image"), [(1, False), (3, False), (1, True), (2, True)])
def test_an_animation_is_not_read_as_its_first_frame(frames: int, default_image: bool) -> None:
    others = [Image.fromarray(IDS + 1 + number) for number in range(frames)]
    data = png(Image.fromarray(IDS), save_all=True, append_images=others, default_image=default_image)
    for read in (read_stored, decode_index_png, lambda data: to_index_png(data, MaskMapping(voc_colormap()))):
        with pytest.raises(InvalidInputError, match=r"images; expected one\. Save each in its own file") as error:
            read(data)
        assert error.value.code == "unsupported_image"


def test_an_animation_of_one_frame_is_an_image() -> None:
    data = png(Image.fromarray(IDS))
    control = chunk(b"acTL", struct.pack(">II", 1, 0)) + chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, 4, 2, *[0] * 6))
    assert np.array_equal(decode_index_png(data[:33] + control + data[33:]), IDS)
    assert np.array_equal(read_stored(data[:33] + control + data[33:]).samples, IDS)


@given(arrays.arrays(np.uint8, arrays.array_shapes(min_dims=2, max_dims=2, max_side=30)), st.booleans())
def test_index_masks_are_decoded_as_pillow_does(ids: np.ndarray, filtered: bool) -> None:
    source = paletted(ids, voc_palette().tobytes(), bits=8)
    data = png(Image.fromarray(ids)) if filtered else palette_to_gray(parse(source))
    assert np.array_equal(decode_index_png(data), ids)
    counted, pixels = count_index_png(data)
    assert np.array_equal(counted, ids) and np.array_equal(pixels, count_values(ids))
    assert np.array_equal(count_values(ids), np.bincount(ids.ravel(), minlength=256))
    assert count_values(ids).dtype == np.int64


def test_a_picture_shorter_than_its_header_says_is_refused() -> None:
    data = palette_to_gray(parse(paletted(np.zeros((50, 40), np.uint8), voc_palette().tobytes(), bits=8)))
    header = struct.pack(">IIBBBBB", 40, 500, 8, 0, 0, 0, 0)
    longer = data[:8] + chunk(b"IHDR", header) + data[33:]
    with pytest.raises(InvalidInputError, match="damaged: 2050 bytes of rows; expected 20500"):
        decode_index_png(longer)


def test_an_encoded_label_is_read_without_a_decoder() -> None:
    ids = np.kron(np.array([[0, 7, 3], [255, 3, 0]], np.uint8), np.ones((9, 30), np.uint8))
    rows = parse(encode_index_png(ids)).unfiltered_rows()
    assert rows is not None and np.array_equal(rows[:, 1:], ids)


def test_an_interlaced_label_is_decoded() -> None:
    # Passes 1, 6 and 7 of Adam7 have the pixels of a label of 2 x 2; each row begins with its filter.
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 2, 8, 0, 0, 0, 1))
    data = chunk(b"IDAT", zlib.compress(bytes([0, 1, 0, 2, 0, 3, 4])))
    label = decode_index_png(b"\x89PNG\r\n\x1a\n" + header + data + chunk(b"IEND", b""))
    assert label.tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("form", "message", "code"),
    [
        ("JPEG", "not a PNG file", "label_mode"),
        ("text", "not a PNG file", "unreadable"),
        ("palette", "8-bit palette PNG; expected class ids as 8-bit gray. Convert ", "label_mode"),
    ],
)
def test_another_form_of_image_is_told_from_damage(form: str, message: str, code: str) -> None:
    buffer = io.BytesIO(b"class ids: 0 1 2")
    if form != "text":
        Image.new("RGB", (4, 4)).convert("P" if form == "palette" else "RGB").save(
            buffer, "JPEG" if form == "JPEG" else "PNG"
        )
    with pytest.raises(InvalidInputError) as error:
        decode_index_png(buffer.getvalue())
    assert (str(error.value)[: len(message)], error.value.code) == (message, code)


def test_filtered_rows_of_damaged_data_cannot_be_decoded() -> None:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 2, 8, 0, 0, 0, 0))
    data = chunk(b"IDAT", zlib.compress(bytes([9, 1, 1, 9, 2, 2])))
    with pytest.raises(InvalidInputError, match=r"^cannot be decoded: \S") as error:
        decode_index_png(b"\x89PNG\r\n\x1a\n" + header + data + chunk(b"IEND", b""))
    assert error.value.code == "unreadable"


def test_the_first_pixel_is_found_row_by_row_whatever_its_samples() -> None:
    where = np.zeros((3, 4), bool)
    where[1, 3] = where[2, 0] = True
    assert first_pixel(where) == first_pixel(np.stack([where & False, where], axis=2)) == "pixel (x=3, y=1)"
