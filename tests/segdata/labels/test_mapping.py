"""A mask of any form becomes class ids, or an error that names the pixel."""

from __future__ import annotations

import io
import struct
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings, strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from segdata.errors import InvalidInputError, OptionError
from segdata.images.stored import read_stored
from segdata.labels.colormap import voc_palette
from segdata.labels.map_file import load_map
from segdata.labels.mapping import to_index_png
from segdata.labels.mask_mapping import MaskMapping
from segdata.labels.masks import decode_index_png
from segdata.labels.value_map import ValueMap, parse_value_map, threshold_map, voc_colormap

VOC = MaskMapping(voc_colormap())
OWN = MaskMapping(ValueMap(("ground", "road"), colors={(0, 0, 0): 0, (128, 64, 128): 1, (255, 255, 255): 255}))
WHITE_CLASS = MaskMapping(ValueMap(("background", "object"), colors={(0, 0, 0): 0, (255, 255, 255): 1}))
BINARY = MaskMapping(parse_value_map("0:0,255:1"))
BINARY_IDS = MaskMapping(parse_value_map("0:0,1:1"))
IDS = np.array([[0, 0, 1, 15], [20, 255, 255, 0]], np.uint8)
BLACK_AND_WHITE = np.array([[0, 255], [255, 0]], np.uint8)


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def encoded(image: Image.Image | np.ndarray, form: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(buffer, form, **options)
    return buffer.getvalue()


def tiff(samples: np.ndarray, **options: object) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, samples, **options)
    return buffer.getvalue()


def paletted(ids: np.ndarray, palette: bytes, form: str = "PNG", **options: object) -> bytes:
    image = Image.fromarray(ids)
    image.putpalette(palette)
    return encoded(image, form, **options)


def ids_of(data: bytes, mapping: MaskMapping = VOC) -> list[list[int]]:
    rows: list[list[int]] = decode_index_png(to_index_png(data, mapping).data).tolist()
    return rows


def refusal(data: bytes, mapping: MaskMapping = VOC) -> str:
    with pytest.raises(InvalidInputError) as error:
        to_index_png(data, mapping)
    return str(error.value)


def test_vocs_palette_is_rewritten_and_counted_only_on_request() -> None:
    data = paletted(IDS, voc_palette().tobytes())
    assert ids_of(data) == IDS.tolist()
    made = to_index_png(data, VOC)
    assert made.method == "rewritten"
    assert made.counts == {
        ((0, 0, 0), 0): 3, ((128, 0, 0), 1): 1, ((192, 128, 128), 15): 1, ((0, 64, 128), 20): 1,
        ((224, 224, 192), 255): 2,
    }  # fmt: skip
    quick = to_index_png(data, VOC, count=False)
    assert (quick.data, quick.counts) == (made.data, Counter())


def test_a_palette_in_another_order_is_mapped_by_color() -> None:
    order = np.arange(256)[::-1]
    data = paletted(order.argsort()[IDS].astype(np.uint8), voc_palette()[order].tobytes())
    assert to_index_png(data, VOC, count=False).method == "mapped"
    assert ids_of(data) == IDS.tolist()


def test_black_padding_behind_the_classes_means_background_not_its_index() -> None:
    data = paletted(np.array([[1, 40]], np.uint8), voc_palette()[:21].tobytes() + bytes(3 * 235))
    assert ids_of(data) == [[1, 0]]


@pytest.mark.parametrize(
    ("colors", "index", "rest"), [(21, 255, "255 (void)"), (3, 7, "7 (car)"), (1, 1, "1 (aeroplane)")]
)
def test_an_id_with_the_color_that_fills_the_palette_does_not_become_background(
    colors: int, index: int, rest: str
) -> None:
    data = paletted(np.array([[0, index]], np.uint8), voc_palette()[:colors].tobytes() + bytes(3 * (256 - colors)))
    assert f"index {index} is class id {rest}, but has the color (0, 0, 0), which fills" in refusal(data)
    with pytest.raises(InvalidInputError, match="--map 0-20:0-20,255:255"):
        to_index_png(data, VOC, count=False)
    assert ids_of(data, MaskMapping(parse_value_map("0-20:0-20,255:255"))) == [[0, index]]


@pytest.mark.parametrize("compression", ["jpeg", "jpeg2000", "webp", "lerc"])
def test_a_tiff_compressed_with_loss_is_as_inexact_as_a_jpeg(compression: str) -> None:
    buffer = io.BytesIO()
    pixels = np.kron(IDS > 0, np.ones((16, 16), bool))[..., None].repeat(3, axis=2) * np.uint8(255)
    tifffile.imwrite(buffer, pixels, photometric="rgb", compression=compression)
    data = buffer.getvalue()
    for mapping in (BINARY, MaskMapping(parse_value_map("0:0,*:1"))):
        assert "values changed by compression (as in JPEG or WebP)" in refusal(data, mapping)
    assert np.array_equal(ids_of(data, MaskMapping(WHITE_CLASS.map, nearest=200)), pixels[..., 0] > 0)


@pytest.mark.parametrize("dtype", [np.float32, np.int16])
def test_a_tiff_whose_0_is_white_has_unsigned_samples(dtype: type) -> None:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, (IDS > 0).astype(dtype), photometric="miniswhite")
    message = refusal(buffer.getvalue(), MaskMapping(threshold_map(1), shown=True))
    assert message.startswith(f"{np.dtype(dtype)} samples with 0 as white; expected unsigned samples")


def test_the_last_color_of_a_palette_may_fill_it() -> None:
    white_first = bytes([128, 0, 0]) + bytes(3 * 255)
    assert ids_of(paletted(np.array([[0, 1]], np.uint8), white_first)) == [[1, 0]]


def test_an_unknown_palette_color_is_named_with_its_pixel() -> None:
    data = paletted(np.array([[0, 0], [0, 1]], np.uint8), bytes([0, 0, 0, 1, 2, 3]), bits=8)
    assert refusal(data) == "pixel (x=1, y=1) has index 1, color (1, 2, 3); expected a class color (1 such pixel)"


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_colors_are_looked_up_exactly(mode: str) -> None:
    assert ids_of(encoded(Image.fromarray(voc_palette()[IDS]).convert(mode))) == IDS.tolist()


def test_anti_aliased_edges_are_an_error_with_pixel_and_color() -> None:
    pixels = voc_palette()[IDS].copy()
    pixels[1, 2] = (64, 1, 0)
    pixels[1, 3] = (65, 1, 0)
    assert refusal(encoded(pixels)) == (
        "pixel (x=2, y=1) has color (64, 1, 0); expected a class color (1 such pixel, 1 other value without a class)"
    )


def test_unknown_colors_take_the_nearest_class_within_a_euclidean_distance() -> None:
    # Distances to road (128, 64, 128): 5 and sqrt(50); to ground (0, 0, 0): 5.
    pixels = np.array([[[131, 64, 132], [133, 69, 128], [0, 3, 4]]], np.uint8)
    assert ids_of(encoded(pixels), MaskMapping(OWN.map, nearest=7.08)) == [[1, 1, 0]]
    assert "has color (133, 69, 128)" in refusal(encoded(pixels), MaskMapping(OWN.map, nearest=7.07))
    assert ids_of(encoded(pixels), MaskMapping(OWN.map, nearest=5, unknown="ignore")) == [[1, 255, 0]]


def test_only_the_transparency_of_pixels_of_zeros_is_accepted() -> None:
    pixels = np.zeros((1, 2, 4), np.uint8)
    pixels[0, 1] = (128, 0, 0, 255)
    assert ids_of(encoded(pixels)) == [[0, 1]]
    pixels[0, 1, 3] = 128
    assert refusal(encoded(pixels)).startswith("pixel (x=1, y=0) has color (128, 0, 0, 128), which is not opaque (1 su")
    gray = np.array([[[255, 255], [0, 0], [255, 9]]], np.uint8)
    assert ids_of(encoded(gray[:, :2]), BINARY) == [[1, 0]]
    assert "has color (255, 9), which is not opaque" in refusal(encoded(gray), BINARY)


def test_a_transparent_color_of_rgb_is_a_color(tmp_path: Path) -> None:
    data = encoded(voc_palette()[IDS], transparency=(128, 0, 0))
    assert b"tRNS" in data
    assert ids_of(data) == IDS.tolist()
    (tmp_path / "a.png").write_bytes(data)
    assert np.array_equal(read_stored(tmp_path / "a.png").samples, voc_palette()[IDS])


def test_class_ids_in_gray_are_copied_byte_for_byte() -> None:
    data = encoded(IDS)
    made = to_index_png(data, VOC)
    assert (made.data, made.method, made.ids_found) == (data, "copied", {0, 1, 15, 20, 255})


def test_a_gray_map_that_changes_no_value_of_the_mask_copies_it() -> None:
    data = encoded(BLACK_AND_WHITE // 255, compress_level=0)
    assert to_index_png(data, MaskMapping(parse_value_map("0:0,1:1,255:2"))).data == data
    palette = paletted(BLACK_AND_WHITE // 255, voc_palette().tobytes())
    made = to_index_png(palette, MaskMapping(parse_value_map("0:0,1:1,255:2")))
    assert (made.method, made.counts) == ("rewritten", {(0, 0): 2, (1, 1): 2})


def test_a_gray_value_of_no_class_is_named_with_its_pixel() -> None:
    data = encoded(np.array([[0, 21], [21, 22]], np.uint8))
    assert refusal(data) == (
        "pixel (x=1, y=0) has value 21; expected 0 to 20 or 255 (2 such pixels, 1 other value without a class)"
    )
    assert ids_of(data, MaskMapping(VOC.map, unknown="ignore")) == [[0, 255], [255, 255]]


def test_color_that_was_read_as_gray_is_recognized_by_the_map_in_use() -> None:
    gray = encoded(Image.fromarray(voc_palette()[IDS]).convert("L"))
    assert refusal(gray).startswith("gray made from color: 220 is the luminance of void; expected class ids.")
    # Luminances of VOC's colors, but not of those of this map: 38 is simply no class.
    assert refusal(encoded(np.array([[0, 38]], np.uint8)), OWN).startswith("pixel (x=1, y=0) has value 38; expected 0 ")


def test_a_white_class_makes_gray_masks_colors() -> None:
    assert ids_of(encoded(BLACK_AND_WHITE), WHITE_CLASS) == [[0, 1], [1, 0]]
    assert ids_of(encoded(np.dstack([BLACK_AND_WHITE] * 3)), WHITE_CLASS) == [[0, 1], [1, 0]]
    assert ids_of(encoded(Image.fromarray(BLACK_AND_WHITE > 0)), WHITE_CLASS) == [[0, 1], [1, 0]]
    assert ids_of(encoded(BLACK_AND_WHITE.astype(np.uint16) * 257), WHITE_CLASS) == [[0, 1], [1, 0]]
    assert "value 1; expected 0 or 255" in refusal(encoded(np.array([[0, 1, 255]], np.uint8)), WHITE_CLASS)
    assert "and a map of colors; expected 8 bits, or 16 with" in refusal(
        encoded(BLACK_AND_WHITE.astype(np.uint16)), WHITE_CLASS
    )


@pytest.mark.parametrize("color", [(224, 224, 224), (255, 255, 255)])
def test_a_void_that_is_white_or_gray_leaves_class_ids_as_they_are(color: tuple[int, int, int]) -> None:
    mapping = MaskMapping(ValueMap(("a", "b"), colors={(0, 0, 0): 0, (255, 0, 0): 1, color: 255}))
    assert ids_of(encoded(np.array([[0, 1, 255]], np.uint8)), mapping) == [[0, 1, 255]]


@pytest.mark.parametrize(("bits", "largest"), [(1, 1), (2, 3), (4, 15)])
def test_gray_of_few_bits_keeps_its_sample_values(bits: int, largest: int) -> None:
    row = int("".join(f"{value:0{bits}b}" for value in (0, largest, 1, 0, 0, 0, 0, 0)), 2).to_bytes(bits, "big")
    header = struct.pack(">IIBBBBB", 8, 1, bits, 0, 0, 0, 0)
    data = (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" + row)) + chunk(b"IEND", b"")
    )
    assert ids_of(data) == [[0, largest, 1, 0, 0, 0, 0, 0]]
    assert ids_of(data, MaskMapping(parse_value_map("0:7,*:3"))) == [[7, 3, 3, 7, 7, 7, 7, 7]]
    assert ids_of(data, MaskMapping(threshold_map(128), shown=True)) == [[0, 1, bits == 1, 0, 0, 0, 0, 0]]


KINDS = {
    "PNG, 1 bit": encoded(Image.fromarray(BLACK_AND_WHITE > 0)),
    "PNG, gray": encoded(BLACK_AND_WHITE),
    "PNG, 16 bits": encoded(BLACK_AND_WHITE.astype(np.uint16)),
    "PNG, gray as RGB": encoded(np.dstack([BLACK_AND_WHITE] * 3)),
    "PNG, RGBA": encoded(np.dstack([*[BLACK_AND_WHITE] * 3, BLACK_AND_WHITE | 255])),
    "PNG, palette": paletted(BLACK_AND_WHITE // 255, bytes([7, 7, 7, 9, 9, 9]), bits=1),
    "BMP": encoded(BLACK_AND_WHITE, "BMP"),
    "BMP, 1 bit": encoded(Image.fromarray(BLACK_AND_WHITE > 0), "BMP"),
    "BMP, RGB": encoded(np.dstack([BLACK_AND_WHITE] * 3), "BMP"),
    "BMP, palette": paletted(BLACK_AND_WHITE // 255, bytes([7, 7, 7, 9, 0, 9]), "BMP"),
    "TIFF": tiff(BLACK_AND_WHITE),
    "TIFF, 1 bit": encoded(Image.fromarray(BLACK_AND_WHITE > 0), "TIFF", compression="group4"),
    "TIFF, 16 bits": tiff(BLACK_AND_WHITE.astype(np.uint16) * 200),
    "TIFF, signed": tiff(BLACK_AND_WHITE.astype(np.int16) * -1),
    "TIFF, 32 bits": tiff(BLACK_AND_WHITE.astype(np.uint32) * 70_000),
    "TIFF, float32": tiff(BLACK_AND_WHITE.astype(np.float32)),
    "TIFF, RGB": tiff(np.dstack([BLACK_AND_WHITE] * 3), photometric="rgb"),
    "TIFF, palette": paletted(BLACK_AND_WHITE // 255, bytes([7, 7, 7, 9, 0, 9]), "TIFF"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_file_is_mapped(kind: str) -> None:
    assert ids_of(KINDS[kind], MaskMapping(parse_value_map("0:2,*:1"))) == [[2, 1], [1, 2]]


def test_colors_of_every_kind_of_palette_are_applied() -> None:
    mapping = MaskMapping(ValueMap(("a", "b"), colors={(9, 0, 9): 0, (7, 7, 7): 1}))
    for kind in ("BMP, palette", "TIFF, palette"):
        assert ids_of(KINDS[kind], mapping) == [[1, 0], [0, 1]]


def test_a_tiff_whose_0_is_white_has_one_meaning_only_where_the_map_is_of_what_it_shows() -> None:
    data = tiff(BLACK_AND_WHITE, photometric="miniswhite")
    assert refusal(data, BINARY).startswith("is a TIFF in which 0 is white")
    assert ids_of(data, WHITE_CLASS) == [[1, 0], [0, 1]]
    assert ids_of(data, MaskMapping(threshold_map(128), shown=True)) == [[1, 0], [0, 1]]


def test_a_jpeg_needs_a_map_that_allows_for_inexact_values() -> None:
    gray = np.kron(BLACK_AND_WHITE, np.ones((8, 8), np.uint8))
    data = encoded(gray, "JPEG", quality=60)
    assert "values changed by compression (as in JPEG or WebP); expected PNG, BMP" in refusal(data, BINARY)
    expected = (gray // 255).tolist()
    assert ids_of(data, MaskMapping(BINARY.map, nearest=60)) == expected
    assert ids_of(data, MaskMapping(WHITE_CLASS.map, nearest=100)) == expected
    assert ids_of(data, MaskMapping(threshold_map(128), shown=True)) == expected
    assert "class ids changed by compression" in refusal(data, MaskMapping(VOC.map, nearest=60))
    color = encoded(voc_palette()[gray // 17], "JPEG", quality=95, subsampling=0)
    assert ids_of(color, MaskMapping(VOC.map, nearest=20)) == (gray // 17).tolist()


@pytest.mark.parametrize("threshold", [1, 128, 255])
@pytest.mark.parametrize("kind", ["gray", "1 bit", "RGB", "palette", "inverse palette", "palette TIFF", "palette BMP"])
def test_a_threshold_is_of_what_the_mask_shows_in_any_form(kind: str, threshold: int) -> None:
    white = BLACK_AND_WHITE > 0
    order = np.stack([np.arange(3, dtype=np.uint16) * 0, np.full(3, 65535, np.uint16)], axis=1)
    colors = np.pad(order, ((0, 0), (0, 254)))
    data = {
        "gray": lambda: encoded(BLACK_AND_WHITE),
        "1 bit": lambda: encoded(white),
        "RGB": lambda: encoded(BLACK_AND_WHITE[..., None].repeat(3, axis=2)),
        "palette": lambda: paletted(white.astype(np.uint8), b"\0\0\0\xff\xff\xff"),
        "inverse palette": lambda: paletted((~white).astype(np.uint8), b"\xff\xff\xff\0\0\0", bits=8),
        "palette TIFF": lambda: tiff(white.astype(np.uint8), photometric="palette", colormap=colors),
        "palette BMP": lambda: paletted(white.astype(np.uint8), b"\0\0\0\xff\xff\xff", "BMP"),
    }[kind]()
    made = to_index_png(data, MaskMapping(threshold_map(threshold), shown=True))
    assert decode_index_png(made.data).tolist() == white.tolist()
    assert made.counts == {(0, 0): 2, (255, 1): 2}


@pytest.mark.parametrize("nearest", [float("nan"), -1])
def test_a_difference_is_a_number_of_0_or_more(nearest: float) -> None:
    with pytest.raises(OptionError, match=f"--nearest {nearest:g}: expected a number of 0 or more"):
        MaskMapping(BINARY.map, nearest=nearest)


def test_a_threshold_is_not_of_colors() -> None:
    data = paletted(np.array([[0, 1]], np.uint8), b"\0\0\0\xc8\0\0", bits=8)
    message = "pixel (x=1, y=0) has index 1, color (200, 0, 0); expected a gray value that the map names"
    assert refusal(data, MaskMapping(threshold_map(128), shown=True)).startswith(message)


@pytest.mark.parametrize(
    "data",
    [
        paletted(np.array([[0, 1]], np.uint8), b"\0\0\0\xff\xff\xff", bits=8),
        paletted(np.array([[0, 1]], np.uint8), b"\0\0\0\xff\xff\xff", bits=1),
        encoded(np.array([[False, True]])),
        tiff(np.array([[False, True]]), photometric="minisblack"),
    ],
    ids=["palette", "palette of 1 bit", "1 bit", "TIFF of 1 bit"],
)
def test_an_index_or_a_value_of_few_bits_is_never_near_to_another(data: bytes) -> None:
    message = "pixel (x=1, y=0) has value 1; expected 0 or 255"
    assert refusal(data, MaskMapping(parse_value_map("0:0,255:1"), nearest=127)).startswith(message)
    assert ids_of(data, MaskMapping(parse_value_map("0:0,1:1,255:1"), nearest=127)) == [[0, 1]]


def test_a_threshold_is_of_gray_only() -> None:
    mapping = MaskMapping(threshold_map(100), shown=True)
    assert ids_of(tiff(np.array([[0, 99.5, 100, 4e9]], np.float32)), mapping) == [[0, 0, 1, 1]]
    assert "has color (0, 0, 200); expected a gray value" in refusal(
        encoded(np.array([[[0, 0, 200]]], np.uint8)), mapping
    )


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (encoded(np.full((2, 2), 300, np.uint16)), "has value 300; expected 0 to 20 or 255 (4 such pixels)"),
        (tiff(np.zeros((3, 4, 4), np.uint8), photometric="minisblack"), "contains 3 pages; expected one."),
        (tiff(np.array([[0.5]], np.float32)), "has value 0.5; expected 0 to 20 or 255 (1 such pixel)"),
        (tiff(np.array([[np.nan]], np.float32)), "pixel (x=0, y=0) is NaN or infinite"),
        (b"", "is empty (0 bytes)"),
        (b"not an image", "not a readable image"),
        (encoded(Image.new("CMYK", (2, 2)), "TIFF"), "CMYK"),
        (encoded(BLACK_AND_WHITE)[:-20], "truncated"),
    ],
)
def test_forms_without_a_meaning_are_refused(data: bytes, message: str) -> None:
    assert message in refusal(data)


def test_small_16_bit_values_are_class_ids() -> None:
    assert ids_of(encoded(IDS.astype(np.uint16))) == IDS.tolist()


@settings(max_examples=60)
@given(
    arrays.arrays(np.uint8, arrays.array_shapes(min_dims=2, max_dims=2, max_side=12), elements=st.integers(0, 5)),
    st.lists(st.integers(0, 255), min_size=6, max_size=6),
    st.sampled_from(["gray", "16 bits", "palette", "RGB", "BMP", "TIFF"]),
)
def test_the_map_of_a_file_is_the_map_of_its_array(values: np.ndarray, classes: list[int], form: str) -> None:
    value_map = parse_value_map(",".join(f"{value}:{id_}" for value, id_ in enumerate(classes)))
    data = {
        "gray": lambda: encoded(values),
        "16 bits": lambda: encoded(values.astype(np.uint16)),
        "palette": lambda: paletted(values, voc_palette().tobytes()),
        "RGB": lambda: encoded(np.dstack([values] * 3)),
        "BMP": lambda: encoded(values, "BMP"),
        "TIFF": lambda: tiff(values),
    }[form]()
    made = to_index_png(data, MaskMapping(value_map))
    expected = np.array(classes, np.uint8)[values]
    assert np.array_equal(decode_index_png(made.data), expected)
    assert np.array_equal(value_map.ids(values.ravel()), expected.ravel())
    assert made.counts == Counter(zip(values.ravel().tolist(), expected.ravel().tolist(), strict=True))


def test_stored_samples_have_their_bits() -> None:
    assert {kind: read_stored(KINDS[kind]).bits for kind in ("PNG, 1 bit", "BMP", "TIFF, 16 bits", "TIFF, 1 bit")} == {
        "PNG, 1 bit": 1, "BMP": 8, "TIFF, 16 bits": 16, "TIFF, 1 bit": 1
    }  # fmt: skip


def test_the_maps_by_name_map_their_own_files() -> None:
    label_ids = np.arange(34, dtype=np.uint8)[None]
    mapping = MaskMapping(load_map("cityscapes"))
    assert ids_of(encoded(label_ids), mapping)[0][7:14] == [0, 1, 255, 255, 2, 3, 4]
    assert ids_of(encoded(np.array([[0, 255]], np.uint8)), MaskMapping(load_map("binary"))) == [[0, 1]]


@pytest.mark.parametrize(
    ("data", "mapping", "code"),
    [
        (encoded(BLACK_AND_WHITE, "JPEG"), BINARY, "label_mode"),
        (encoded(IDS, "JPEG"), MaskMapping(VOC.map, nearest=1), "label_mode"),
        (encoded(np.array([[[9, 9, 9, 8]]], np.uint8)), VOC, "label_mode"),
        (tiff(BLACK_AND_WHITE, photometric="miniswhite"), BINARY, "label_mode"),
        (encoded(np.full((2, 2), 300, np.uint16)), WHITE_CLASS, "label_mode"),
        (tiff(np.array([[np.nan]], np.float32)), BINARY, "label_mode"),
        (encoded(np.array([[38, 75]], np.uint8)), VOC, "gray_from_color"),
        (encoded(np.array([[1, 200]], np.uint8)), BINARY, "value_outside_classes"),
    ],
)
def test_a_refused_mask_has_the_code_of_its_fault(data: bytes, mapping: MaskMapping, code: str) -> None:
    with pytest.raises(InvalidInputError) as error:
        to_index_png(data, mapping)
    assert error.value.code == code


def test_the_report_says_how_a_mask_became_an_index_mask() -> None:
    methods = [to_index_png(data, mapping).method for data, mapping in (
        (encoded(IDS), VOC),
        (paletted(IDS, voc_palette().tobytes()), VOC),
        (encoded(voc_palette()[IDS]), VOC),
        (encoded(BLACK_AND_WHITE), BINARY),
    )]  # fmt: skip
    assert methods == ["copied", "rewritten", "mapped", "mapped"]


def test_values_that_were_taken_as_class_ids_are_in_the_report() -> None:
    assert to_index_png(encoded(IDS), VOC).ids_found == {0, 1, 15, 20, 255}
    assert to_index_png(encoded(np.array([[0, 1]], np.uint8)), BINARY_IDS).ids_found == frozenset()
    assert to_index_png(paletted(IDS, voc_palette().tobytes()), VOC).ids_found == frozenset()
