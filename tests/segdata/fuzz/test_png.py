"""PNG bytes of every form, damaged in every way: Pillow's pixels or an error, and no memory for false claims."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import numpy as np
import pytest
from damaged_files import damaged
from hypothesis import given, settings, strategies as st
from PIL import Image
from worker_functions import memory_to_decode

from segdata.errors import InvalidInputError
from segdata.labels.colormap import voc_palette
from segdata.labels.mapping import to_index_png
from segdata.labels.mask_mapping import MaskMapping
from segdata.labels.masks import decode_index_png
from segdata.labels.png import SIGNATURE
from segdata.labels.value_map import ValueMap, voc_colormap

Chunk = tuple[bytes, bytes]

GRAY, RGB, PALETTE, GRAY_ALPHA, RGBA = 0, 2, 3, 4, 6
SAMPLES = {GRAY: 1, RGB: 3, PALETTE: 1, GRAY_ALPHA: 2, RGBA: 4}
DEPTHS = {GRAY: (1, 2, 4, 8, 16), RGB: (8, 16), PALETTE: (1, 2, 4, 8), GRAY_ALPHA: (8, 16), RGBA: (8, 16)}
FORMS = [(color, depth) for color, depths in DEPTHS.items() for depth in depths]

#: Column and row of the first pixel and steps between pixels, for each of the seven passes (specification, section 8).
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))

OWN = ValueMap(("ground", "road"), colors={(0, 0, 0): 0, (128, 64, 128): 1, (255, 255, 255): 255})

#: Chunks that do not affect pixel values.
ANCILLARY: list[Chunk] = [
    (b"gAMA", struct.pack(">I", 45455)),
    (b"tEXt", b"Comment\0a mask"),
    (b"zTXt", b"Comment\0\0" + zlib.compress(b"a mask")),
    (b"pHYs", struct.pack(">IIB", 2835, 2835, 1)),
    (b"tIME", bytes(7)),
    (b"sRGB", b"\0"),
    (b"prVt", b"private"),
]


#: Every chunk that decoders read, and invalid chunk types.
KINDS = [
    *(b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"iCCP", b"gAMA", b"cHRM", b"sRGB", b"pHYs", b"tEXt", b"zTXt"),
    *(b"iTXt", b"eXIf", b"acTL", b"fcTL", b"fdAT", b"DDAT", b"ab\0!"),
]


def assembled(chunks: list[Chunk], tail: bytes = b"") -> bytes:
    whole = [
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    ]
    return b"".join((SIGNATURE, *whole, tail))


def header(width: int, height: int, depth: int, color: int, interlaced: bool = False) -> Chunk:
    return b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, interlaced)


@st.composite
def chunk_lists(draw: st.DrawFn) -> list[Chunk]:
    """Draw the chunks of a valid PNG: any bytes after any filter types are valid rows."""
    color, depth = draw(st.sampled_from(FORMS) | st.just((GRAY, 8)) | st.just((PALETTE, 8)))
    width, height, interlaced = draw(st.integers(1, 9)), draw(st.integers(1, 9)), draw(st.booleans())
    few = draw(st.booleans())  # values of classes, so that masks are accepted as well as refused
    rows = b""
    for row_bytes in _rows(width, height, depth * SAMPLES[color], interlaced):
        filter_type = 0 if few else draw(st.integers(0, 4))
        values = draw(st.binary(min_size=row_bytes, max_size=row_bytes))
        rows += bytes([filter_type, *(b"\0\0\1\x11"[value & 3] if few else value for value in values)])
    chunks = [header(width, height, depth, color, interlaced)]
    if color == PALETTE:
        count = 1 << depth if few else draw(st.integers(1, 1 << depth))
        chunks.append((b"PLTE", voc_palette()[:count].tobytes() if few else draw(_palettes(count))))
    if color in (GRAY, PALETTE) and draw(st.booleans()):
        chunks.append((b"tRNS", b"\0\0"))
    chunks += [(b"IDAT", part) for part in draw(_pieces(zlib.compress(rows, draw(st.integers(0, 9)))))]
    for extra in draw(st.lists(st.sampled_from(ANCILLARY), max_size=3)):
        front = 1 + draw(st.booleans()) * (len(chunks) - 1)
        chunks.insert(front, extra)
    return [*chunks, (b"IEND", b"")]


def _rows(width: int, height: int, bits: int, interlaced: bool) -> list[int]:
    """Return the bytes of each row without its filter type; with interlacing, the rows of all passes."""
    passes = ADAM7 if interlaced else ((0, 0, 1, 1),)
    sizes = [(-(-(width - x) // right), -(-(height - y) // down)) for x, y, right, down in passes]
    return [-(-columns * bits // 8) for columns, rows in sizes if columns > 0 for _ in range(rows)]


def _palettes(count: int) -> st.SearchStrategy[bytes]:
    colors = st.sampled_from([bytes(color) for color in (*OWN.colors, (128, 0, 0), (1, 2, 3))])
    return st.lists(colors, min_size=count, max_size=count).map(b"".join)


def _pieces(data: bytes) -> st.SearchStrategy[list[bytes]]:
    """Cut `data` into parts, some of which may be empty."""
    cuts = st.lists(st.integers(0, len(data)), max_size=4).map(sorted)
    return cuts.map(lambda at: [data[a:b] for a, b in zip([0, *at], [*at, len(data)], strict=True)])


_bodies = st.binary(max_size=40) | st.integers(0, 40).map(bytes)


@st.composite
def mutations(draw: st.DrawFn) -> bytes:
    """Draw a PNG with damage: to the bytes, or to the chunks, with valid checksums."""
    chunks = draw(chunk_lists())
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(chunks) - 1))
        kind, body = chunks[at]
        match draw(st.sampled_from(["drop", "double", "move", "insert", "rename", "body", "cut", "size"])):
            case "drop":
                del chunks[at]
            case "double":
                chunks.insert(draw(st.integers(0, len(chunks))), (kind, draw(damaged(body))))
            case "move":
                chunks.insert(draw(st.integers(0, len(chunks) - 1)), chunks.pop(at))
            case "insert":
                chunks.insert(draw(st.integers(0, len(chunks))), (draw(st.sampled_from(KINDS)), draw(_bodies)))
            case "rename":
                chunks[at] = draw(st.sampled_from(KINDS)), body
            case "body":
                chunks[at] = kind, draw(damaged(body))
            case "cut":
                chunks[at] = kind, body[: draw(st.integers(0, len(body)))]
            case "size":
                sides = st.sampled_from([0, 1, 7, 300, 100_000, 2**31 - 1, 2**32 - 1])
                chunks[0] = b"IHDR", struct.pack(">II", draw(sides), draw(sides)) + chunks[0][1][8:]
        if not chunks:
            break
    data = assembled(chunks, draw(st.sampled_from([b"", b"trailing", SIGNATURE])))
    return draw(damaged(data)) if draw(st.integers(0, 3)) == 0 else data


def by_pillow(data: bytes) -> np.ndarray[Any, Any] | None:
    """Return Pillow's pixels, indices where there is a palette; None when it finds damage in the picture data."""
    for whole in (data, critical(data)):
        try:
            with Image.open(io.BytesIO(whole), formats=["PNG"]) as image:
                return np.asarray(image)
        except Exception:
            continue
    return None


def critical(data: bytes) -> bytes:
    """Return the PNG without chunks that do not affect pixel values; Pillow rejects some faults in them."""
    at, kept = 8, [SIGNATURE]
    while at + 12 <= len(data):
        end = at + 12 + struct.unpack_from(">I", data, at)[0]
        kept += [data[at:end]] if data[at + 4 : at + 8] in (b"IHDR", b"PLTE", b"IDAT", b"IEND") else []
        at = end
    return b"".join(kept)


def outcome(decode: Callable[[bytes], Any], data: bytes) -> Any:
    """Return the result of `decode`; None for an error message. Every other exception is a failure."""
    try:
        return decode(data)
    except InvalidInputError as error:
        assert str(error)
        return None


def expected_ids(data: bytes, colormap: ValueMap) -> np.ndarray[Any, Any] | None:
    """Return the class ids of a mask by Pillow's colors or samples; None where it has others."""
    pixels = by_pillow(data)
    depth, color = data[24], data[25]
    if pixels is None or (depth == 16 and color != GRAY):
        return None
    if color == GRAY_ALPHA:
        if not ((pixels[..., 1] == 255) | ~pixels.any(axis=2)).all():
            return None
        pixels = pixels[..., 0]
    if color in (GRAY, GRAY_ALPHA):
        ids = pixels.astype(np.int64) // {1: 1, 2: 85, 4: 17, 8: 1, 16: 1}[depth]
        return ids if np.isin(ids, [*range(len(colormap.names)), 255]).all() else None
    colors = pixels
    if color == PALETTE:
        with Image.open(io.BytesIO(critical(data))) as image:
            palette = np.frombuffer(image.palette.palette, np.uint8).reshape(-1, 3)
        if pixels.max() >= len(palette):
            return None
        colors = palette[pixels]
        if (filled := filling_of(palette)) is not None and any(
            (index < len(colormap.names) or index == 255) and colormap.colors.get(filled[1]) != index
            for index in np.unique(pixels).tolist()
            if index >= filled[0]
        ):
            return None
    table: dict[tuple[int, ...], int] = {**colormap.colors}
    if color == RGBA:
        table = {(*rgb, 255): id_ for rgb, id_ in table.items()} | {(0, 0, 0, 0): table[0, 0, 0]}
    found = [table.get(tuple(pixel)) for pixel in colors.reshape(-1, colors.shape[-1]).tolist()]
    return None if None in found else np.array(found).reshape(colors.shape[:2])


def filling_of(palette: np.ndarray[Any, Any]) -> tuple[int, tuple[int, ...]] | None:
    """Return the first index that only repeats the palette's last color to its end, and this color; None without one.

    Programs that set the colors of some classes fill the palette this way, so these indices may be class ids.
    """
    colors = [tuple(color) for color in palette.tolist()]
    start = len(colors)
    while start and colors[start - 1] == colors[-1]:
        start -= 1
    start += colors[-1] not in colors[:start]
    return (start, colors[-1]) if start < len(colors) else None


@settings(max_examples=3 * settings.default.max_examples)
@given(chunk_lists(), st.sampled_from([b"", b"trailing"]))
def test_an_intact_index_png_is_pillows_pixels_and_another_form_a_sentence(chunks: list[Chunk], tail: bytes) -> None:
    data = assembled(chunks, tail)
    found = outcome(decode_index_png, data)
    if (data[25], data[24]) == (GRAY, 8):
        assert np.array_equal(found, by_pillow(data))
    else:
        assert found is None


@settings(max_examples=3 * settings.default.max_examples)
@given(chunk_lists(), st.sampled_from([voc_colormap(), OWN]))
def test_a_mask_becomes_the_classes_of_its_colors_or_a_sentence(chunks: list[Chunk], colormap: ValueMap) -> None:
    data = assembled(chunks)
    expected = expected_ids(data, colormap)
    found = outcome(lambda data: to_index_png(data, MaskMapping(colormap)), data)
    if expected is None:
        assert found is None
    else:
        assert np.array_equal(decode_index_png(found.data), expected)
        assert np.array_equal(by_pillow(found.data), expected)
        assert sum(found.counts.values()) == expected.size
    rewritten = outcome(lambda data: to_index_png(data, MaskMapping(colormap), count=False), data)
    if rewritten is not None and rewritten.method == "rewritten" and not rewritten.counts:
        # Not decoded: an index without a class stays unchanged.
        assert np.array_equal(by_pillow(rewritten.data), by_pillow(data))
    else:
        assert (rewritten and rewritten.data) == (found and found.data)


@settings(max_examples=5 * settings.default.max_examples)
@given(mutations())
def test_damage_is_a_sentence_or_changes_no_pixel(data: bytes) -> None:
    found = outcome(decode_index_png, data)
    if found is not None:
        assert np.array_equal(found, by_pillow(data))
    converted = outcome(lambda data: to_index_png(data, MaskMapping(OWN), count=False), data)
    if converted is not None:
        expected = by_pillow(data) if converted.method == "rewritten" else expected_ids(data, OWN)
        ids = outcome(decode_index_png, converted.data)
        assert (ids is None and expected is None) or np.array_equal(ids, expected)


MASK = [header(2, 1, 8, GRAY), (b"IDAT", zlib.compress(b"\0\0\1")), (b"IEND", b"")]
FILTERED = [header(2, 1, 8, GRAY), (b"IDAT", zlib.compress(b"\1\0\1")), (b"IEND", b"")]
COLORS = b"\0\0\0" + bytes([*OWN.colors][1])


@pytest.mark.parametrize(
    "chunks",
    [
        [MASK[0], header(1, 1, 8, GRAY), *MASK[1:]],
        [(b"IHDR", MASK[0][1][:11] + b"\1\0"), *MASK[1:]],
        [(b"IHDR", MASK[0][1][:10] + b"\1\0\0"), *MASK[1:]],
        [(b"IHDR", MASK[0][1][:12] + b"\2"), *MASK[1:]],
        [MASK[0], (b"ab\0!", b""), *MASK[1:]],
        [header(2, 1, 8, PALETTE), (b"PLTE", COLORS), MASK[1], (b"PLTE", COLORS[::-1]), MASK[2]],
        [header(2, 1, 8, PALETTE), (b"PLTE", COLORS), (b"PLTE", COLORS[::-1]), *MASK[1:]],
        [*FILTERED[:2], (b"iCCP", b""), FILTERED[2]],
    ],
    ids=[
        *("two headers", "filter method", "compression method", "interlace method", "no chunk type"),
        *("palette behind the pixels", "two palettes", "empty profile behind the pixels"),
    ],
)
def test_what_decoders_disagree_about_or_trip_over_is_refused(chunks: list[Chunk]) -> None:
    for decode in (decode_index_png, lambda data: to_index_png(data, OWN)):
        with pytest.raises(InvalidInputError):
            decode(assembled(chunks))


@pytest.fixture(scope="module")
def alone() -> Iterator[ProcessPoolExecutor]:
    """Use a separate process: the peak of this one is the peak of all tests."""
    with ProcessPoolExecutor(1, mp_context=get_context("forkserver")) as pool:
        yield pool


@pytest.mark.parametrize(
    ("head", "rows"),
    [
        (header(100_000, 100_000, 8, GRAY), bytes(100)),
        (header(16_000, 16_000, 8, GRAY), bytes(100)),
        (header(13_000, 13_000, 8, GRAY), b"\1" * 100),
        (header(13_000, 13_000, 8, RGBA), bytes(100)),
        (header(10, 10, 8, GRAY), bytes(1 << 27)),
        (header(10, 10, 8, RGB), bytes(1 << 27)),
    ],
    ids=["100000 gray", "16000 gray", "13000 filtered", "13000 RGBA", "128 MB behind 100 pixels", "the same in RGB"],
)
def test_memory_does_not_follow_what_a_file_claims_or_packs(
    alone: ProcessPoolExecutor, head: Chunk, rows: bytes
) -> None:
    data = assembled([head, (b"IDAT", zlib.compress(rows, 1)), (b"IEND", b"")])
    assert alone.submit(memory_to_decode, data).result() < 48 << 20
