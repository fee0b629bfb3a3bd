"""PNG chunks, with every pixel compared with Pillow."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from segdata.labels.colormap import voc_palette
from segdata.labels.png import GRAY, MAX_PIXELS, PALETTE, RGB, SIGNATURE, PngError, palette_to_gray, parse, probe

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


def test_a_picture_in_many_data_chunks_is_rewritten_completely() -> None:
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
    # All tests reject messages with this word; here it would be the name of a chunk.
    assume(b"MEND" not in source)
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


def header(
    width: int = 4, height: int = 2, depth: int = 8, kind: int = GRAY, methods: tuple[int, int, int] = (0, 0, 0)
) -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, *methods))


DATA = chunk(b"IDAT", zlib.compress(bytes(2 * 5), 0))
COLORS = chunk(b"PLTE", bytes(6))
END = chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("data", "message", "code"),
    [
        (b"", "is empty (0 bytes); expected a PNG file", "empty_file"),
        (b"GIF89a", "not a PNG file", "unreadable"),
        (SIGNATURE + header()[:-1], "truncated inside the header", "truncated"),
        (SIGNATURE + header()[:-1] + b"x", "damaged header (IHDR)", "unreadable"),
        (SIGNATURE + chunk(b"tEXt", bytes(13)), "damaged header (IHDR)", "unreadable"),
        (
            SIGNATURE + header(1 << 14, (1 << 14) + 1),
            f"claims 16384 x 16385 pixels; expected at most {MAX_PIXELS}",
            "too_large",
        ),
        (SIGNATURE + header() + DATA, "truncated: 66 bytes without an end chunk (IEND)", "truncated"),
        (
            SIGNATURE + header() + DATA[:-1] + b"x" + END,
            "damaged: chunk IDAT at byte 33 has a wrong checksum",
            "unreadable",
        ),
        (
            SIGNATURE + header() + header() + DATA + END,
            "damaged: unexpected chunk 'IHDR' at byte 33",
            "unreadable",
        ),
        (
            SIGNATURE + header() + chunk(b"a 1b", b"") + DATA + END,
            "damaged: unexpected chunk 'a 1b' at byte 33",
            "unreadable",
        ),
        (
            SIGNATURE + header(kind=PALETTE) + COLORS + COLORS + DATA + END,
            "damaged: unexpected chunk 'PLTE' at byte 51",
            "unreadable",
        ),
        (
            SIGNATURE + header(kind=PALETTE) + DATA + COLORS + END,
            "damaged: unexpected chunk 'PLTE' at byte 66",
            "unreadable",
        ),
        (SIGNATURE + header() + END, "damaged: no image data (IDAT)", "unreadable"),
        (
            SIGNATURE + header() + DATA + chunk(b"tEXt", b"a") + DATA + END,
            "damaged: the image data chunks (IDAT) are not consecutive",
            "unreadable",
        ),
        *(
            (
                SIGNATURE + header(kind=PALETTE) + colors + DATA + END,
                "damaged: the palette (PLTE) is missing or has a wrong length",
                "unreadable",
            )
            for colors in (b"", chunk(b"PLTE", b""), chunk(b"PLTE", bytes(4)), chunk(b"PLTE", bytes(257 * 3)))
        ),
    ],
    ids=lambda value: "data" if isinstance(value, bytes) else None,
)
def test_each_damage_has_its_message_and_code(data: bytes, message: str, code: str) -> None:
    with pytest.raises(PngError) as error:
        parse(data)
    assert (str(error.value), error.value.code) == (message, code)


@pytest.mark.parametrize(
    "damaged",
    [
        {"kind": 5},
        {"depth": 3},
        {"depth": 16, "kind": PALETTE},
        {"depth": 4, "kind": RGB},
        {"methods": (1, 0, 0)},
        {"methods": (0, 1, 0)},
        {"methods": (0, 0, 2)},
        {"width": 0},
        {"height": 0},
    ],
    ids=["color type", "depth", "palette", "RGB", "compression", "filter", "interlace", "width", "height"],
)
def test_a_header_that_the_format_does_not_know_is_damaged(damaged: dict[str, Any]) -> None:
    with pytest.raises(PngError) as error:
        probe(SIGNATURE + header(**damaged))
    assert (str(error.value), error.value.code) == ("damaged header (IHDR)", "unreadable")


def test_a_header_says_size_form_and_order_of_the_rows() -> None:
    largest = probe(SIGNATURE + header(1 << 14, 1 << 14, depth=16, methods=(0, 0, 1)))
    assert (largest.width, largest.height, largest.kind, largest.interlaced) == (16384, 16384, "16-bit gray", True)
    assert not probe(SIGNATURE + header()).interlaced


def test_rows_are_read_without_a_decoder_if_they_are_bytes_without_filters() -> None:
    rows = np.arange(8, dtype=np.uint8).reshape(2, 4)
    packed = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    pieces = b"".join(chunk(b"IDAT", packed[at : at + 3]) for at in range(0, len(packed), 3))
    found = parse(SIGNATURE + header() + pieces + END).unfiltered_rows()
    assert found is not None and found.tolist() == [[0, *row] for row in rows.tolist()]


@pytest.mark.parametrize(
    "head",
    [header(methods=(0, 0, 1)), header(depth=4), header(depth=16), header(kind=RGB)],
    ids=["interlaced", "4 bits", "16 bits", "RGB"],
)
def test_all_other_rows_are_left_to_the_decoder(head: bytes) -> None:
    assert parse(SIGNATURE + head + DATA + END).unfiltered_rows() is None


def test_rows_that_the_data_cannot_hold_take_no_memory() -> None:
    with pytest.raises(PngError, match=r"^damaged: 12 bytes of image data cannot hold 100010000 bytes of rows$"):
        parse(SIGNATURE + header(10_000, 10_000) + chunk(b"IDAT", bytes(12)) + END).unfiltered_rows()


def test_bytes_behind_the_last_row_are_left_to_the_decoder() -> None:
    longer = chunk(b"IDAT", zlib.compress(bytes(3 * 5)))
    assert parse(SIGNATURE + header() + longer + END).unfiltered_rows() is None
