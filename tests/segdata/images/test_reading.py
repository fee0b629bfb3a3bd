"""The one reading: pixels as stored, for every kind of image, or a refusal."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from segdata.errors import InvalidInputError
from segdata.images.jpeg import read_jpeg
from segdata.images.reading import inspect_image, read_image, read_image_header, read_samples
from segdata.images.values import ValueRange


def test_images_are_decoded_as_rgb() -> None:
    red = np.zeros((4, 5, 3), np.uint8)
    red[..., 2] = 255  # OpenCV writes BGR
    assert (read_image(cv2.imencode(".png", red)[1].tobytes()) == (255, 0, 0)).all()


def test_an_exif_orientation_does_not_turn_the_image_away_from_its_label() -> None:
    jpeg = cv2.imencode(".jpg", np.zeros((4, 8, 3), np.uint8))[1].tobytes()
    tiff = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"  # orientation 6: a quarter turn
    exif = b"Exif\0\0" + tiff
    turned = jpeg[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + jpeg[2:]
    assert cv2.imdecode(np.frombuffer(turned, np.uint8), cv2.IMREAD_COLOR).shape == (8, 4, 3)
    assert read_image(turned).shape == (4, 8, 3)


@pytest.mark.parametrize(("data", "words"), [(b"", "is empty"), (b"no image", "not a readable image")])
def test_bytes_that_are_not_an_image_are_refused(data: bytes, words: str) -> None:
    with pytest.raises(InvalidInputError, match=words):
        read_image(data)


def test_an_image_too_large_for_memory_is_refused_by_its_header() -> None:
    jpeg = bytearray(cv2.imencode(".jpg", np.zeros((4, 8, 3), np.uint8))[1].tobytes())
    start = jpeg.index(b"\xff\xc0") + 5
    jpeg[start : start + 4] = b"\xff\xdc\xff\xdc"  # SOF0 of ITU-T T.81: height and width
    with pytest.raises(InvalidInputError, match=r"not a readable image: .*pixels"):
        read_image(bytes(jpeg))


GRAY = np.arange(0, 240, 3, dtype=np.uint8).reshape(8, 10)
COLOR = np.stack([GRAY, GRAY[::-1], GRAY[:, ::-1]], axis=2)
DEEP = (np.arange(80, dtype=np.uint16) * 51).reshape(8, 10)


def pillow(pixels: np.ndarray | Image.Image, form: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    (pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)).save(buffer, form, **options)
    return buffer.getvalue()


def tiff(pixels: np.ndarray, **options: object) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, pixels, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("form", ["PNG", "BMP", "GIF", "TIFF", "TGA", "PCX", "PPM", "SGI"])
def test_gray_is_the_same_in_every_format(form: str) -> None:
    assert np.array_equal(read_image(pillow(GRAY, form)), np.stack([GRAY] * 3, axis=2))


@pytest.mark.parametrize("mode", ["LA", "RGBA", "PA"])
def test_alpha_is_dropped_and_colors_are_kept_under_it(mode: str) -> None:
    source = Image.fromarray(COLOR).convert("RGB" if mode == "RGBA" else "L")
    image = source.convert("LA" if mode == "PA" else mode)
    image.putalpha(Image.fromarray(GRAY))
    form = "TIFF" if mode == "PA" else "PNG"
    assert np.array_equal(read_image(pillow(image, form)), np.asarray(source.convert("RGB")))


def test_zero_is_white_is_inverted() -> None:
    assert np.array_equal(read_samples(tiff(GRAY, photometric="miniswhite")), 255 - GRAY)
    assert np.array_equal(read_samples(tiff(DEEP, photometric="miniswhite")), 65535 - DEEP)


def test_bits_are_stretched_to_black_and_white() -> None:
    assert np.array_equal(read_samples(tiff(GRAY > 99, photometric="minisblack")), np.where(GRAY > 99, 255, 0))
    assert np.array_equal(read_samples(pillow(Image.fromarray(GRAY > 99), "PNG")), np.where(GRAY > 99, 255, 0))


@pytest.mark.parametrize(("orientation", "form"), [(6, "JPEG"), (3, "TIFF"), (8, "PNG"), (5, "WEBP")])
def test_an_orientation_is_named_and_not_applied(orientation: int, form: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = pillow(COLOR, form, exif=exif)
    assert read_image_header(data).orientation == orientation
    assert read_image(data).shape == COLOR.shape


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_means_none_turns_no_image(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    tag = [(0x0112, 3, 1, orientation, True)]
    files = [*(pillow(COLOR, form, exif=exif) for form in ("JPEG", "PNG", "WEBP")), tiff(COLOR, extratags=tag)]
    assert [read_image_header(data).orientation for data in files] == [1, 1, 1, 1]


def test_an_orientation_is_found_in_the_text_of_a_png_too() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    body = b"Exif\0\0" + exif.tobytes().removeprefix(b"Exif\0\0")
    info = PngInfo()
    info.add_text("Raw profile type exif", f"\nexif\n{len(body):8}\n{body.hex()}\n", zip=True)
    assert read_image_header(pillow(COLOR, "PNG", pnginfo=info)).orientation == 6


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (pillow(Image.fromarray(COLOR).convert("CMYK"), "JPEG"), "CMYK pixels; expected gray or RGB"),
        (pillow(Image.fromarray(COLOR).convert("LAB"), "TIFF"), r"CIE L\*a\*b\* pixels with 3 bands"),
        (tiff(np.dstack([COLOR, GRAY]), photometric="separated"), "CMYK pixels with 4 bands"),
        (tiff(np.dstack([GRAY] * 5), photometric="minisblack", planarconfig="contig"), "gray pixels with 5 bands"),
        (
            tiff(np.dstack([COLOR, GRAY]), photometric="rgb", extrasamples=["assocalpha"]),
            "colors multiplied by alpha; expected colors as they are",
        ),
        (tiff(np.stack([GRAY] * 7), photometric="minisblack"), "contains 7 pages; expected one. Slice it with"),
        (tiff(GRAY.astype(np.float32), photometric="miniswhite"), "float32 samples with 0 as white; expected unsigned"),
        (tiff(GRAY.astype(np.int16), photometric="miniswhite"), "int16 samples with 0 as white; expected unsigned"),
        (
            pillow(Image.fromarray(GRAY), "GIF", save_all=True, append_images=[Image.fromarray(255 - GRAY)]),
            "contains 2 images; expected one",
        ),
    ],
)
def test_pixels_that_are_not_gray_or_rgb_are_refused_by_the_header(data: bytes, words: str) -> None:
    for read in (read_image_header, read_image, inspect_image):
        with pytest.raises(InvalidInputError, match=words) as error:
            read(data)
        assert error.value.code == "unsupported_image"


@pytest.mark.parametrize(
    ("pixels", "forms"),
    [
        (GRAY, ["PNG", "TIFF", "BMP"]),
        (GRAY > 99, ["PNG", "TIFF", "BMP"]),
        (DEEP, ["PNG", "TIFF", "JPEG2000"]),
        (COLOR, ["PNG", "TIFF", "BMP"]),
        (np.dstack([COLOR, GRAY]), ["PNG", "TIFF", "WEBP"]),
    ],
)
def test_a_kind_of_pixel_has_one_name_in_every_format(pixels: np.ndarray, forms: list[str]) -> None:
    headers = [read_image_header(pillow(pixels, form)) for form in forms]
    assert len({(header.mode, header.dtype, header.bands) for header in headers}) == 1


@pytest.mark.parametrize(
    "encode",
    [
        lambda pixels: cv2.imencode(".png", pixels)[1].tobytes(),
        tiff,
        lambda pixels: tiff(pixels, compression="zstd"),
        lambda pixels: tiff(pixels.astype(np.int32)),
        lambda pixels: tiff(pixels.astype(np.float32)),
    ],
)
def test_deep_samples_need_a_value_range_and_lose_no_level(encode: Callable[[np.ndarray], bytes]) -> None:
    data = encode(DEEP)
    with pytest.raises(InvalidInputError, match=r"samples from 0 to 4029; expected 8 bits.*--value_range") as error:
        inspect_image(data)
    assert error.value.code == "no_value_range"
    image = read_image(data, ValueRange(0, 4080))
    assert image.dtype == np.float32
    assert len(np.unique(image)) == DEEP.size
    assert np.allclose(image[..., 0], DEEP / 16, atol=1e-4)


def test_deep_color_keeps_its_channels() -> None:
    color = np.stack([DEEP, DEEP[::-1], DEEP[:, ::-1]], axis=2)
    for data in (cv2.imencode(".png", color[..., ::-1])[1].tobytes(), tiff(color, photometric="rgb")):
        assert np.array_equal(read_samples(data), color)
        assert read_image_header(data).bands == 3


def test_an_image_without_its_end_is_truncated() -> None:
    for data in (pillow(COLOR, "JPEG")[:-4], pillow(COLOR, "PNG")[:-40], tiff(GRAY)[:-20]):
        with pytest.raises(InvalidInputError) as error:
            read_image(data)
        assert error.value.code == "truncated"


@given(arrays.arrays(st.sampled_from([np.uint8, np.uint16, np.int16, np.int32]), (3, 4)), st.data())
def test_scaling_is_linear_and_never_wraps(samples: np.ndarray, data: st.DataObject) -> None:
    top = 255 if samples.dtype == np.uint8 else 70000
    low = data.draw(st.integers(-40000, min(60000, top - 1)))
    high = data.draw(st.integers(low + 1, top))
    scaled = ValueRange(low, high).scale(samples)
    exact = np.clip((samples.astype(np.float64) - low) * 255 / (high - low), 0, 255)
    assert scaled.dtype == np.float32
    assert np.allclose(scaled, exact, atol=1e-3)
    order = np.argsort(samples, axis=None, kind="stable")
    assert (np.diff(scaled.ravel()[order]) >= 0).all()


def test_a_missing_file_is_a_fault_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"^does not exist$") as error:
        read_image(tmp_path / "a.png")
    assert error.value.code == "missing_image"


@pytest.mark.parametrize("read", [read_image, read_image_header, read_samples, inspect_image])
@pytest.mark.parametrize("name", ["a.jpg", "a.tif", "a.png"])
def test_a_fifo_is_refused_and_not_waited_for(tmp_path: Path, read: Callable[[Path], object], name: str) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(InvalidInputError, match=r"^is a FIFO; expected a regular file$") as caught:
        read(tmp_path / name)
    assert caught.value.code == "unreadable"


def test_a_folder_named_like_an_image_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").mkdir()
    with pytest.raises(InvalidInputError, match=r"^is a directory; expected a regular file$"):
        read_image(tmp_path / "a.jpg")


def test_a_windows_path_is_named_for_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(
        InvalidInputError, match="does not exist; its name contains a backslash, expected / between folders"
    ):
        read_image(tmp_path / "images\\a.jpg")


def test_the_previews_behind_a_cameras_jpeg_do_not_count_as_images() -> None:
    data = pillow(Image.fromarray(COLOR), "MPO", save_all=True, append_images=[Image.fromarray(255 - COLOR)])
    assert Image.open(io.BytesIO(data)).format == "MPO"
    assert read_image_header(data).format == "JPEG"
    assert np.array_equal(read_image(data), np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))


@pytest.mark.parametrize("value_range", [ValueRange(0, 256), ValueRange(-100, 4095)])
def test_8_bits_among_more_are_refused_instead_of_almost_black(value_range: ValueRange) -> None:
    data = pillow(COLOR, "PNG")
    for read in (inspect_image, read_image, lambda _, found: found.scale(COLOR)):
        with pytest.raises(InvalidInputError, match="8-bit samples; expected more bits, as the value range") as error:
            read(data, value_range)
        assert error.value.code == "unsupported_image"
    assert np.array_equal(read_image(data, ValueRange(0, 255)), COLOR)


@pytest.mark.parametrize("high", [1, 0.5])
@pytest.mark.parametrize("data", [pillow(COLOR, "PNG"), pillow(GRAY, "JPEG"), tiff(DEEP), tiff(DEEP.astype(np.int32))])
def test_integers_among_fractions_are_refused_instead_of_white(data: bytes, high: float) -> None:
    for read in (inspect_image, read_image):
        with pytest.raises(InvalidInputError, match="; expected fractions, as the value range") as error:
            read(data, ValueRange(0, high))
        assert error.value.code == "unsupported_image"


def test_integers_up_to_1_are_scaled_with_fractions() -> None:
    pixels = (GRAY > 99).astype(np.uint8)
    assert np.array_equal(read_image(pillow(pixels, "PNG"), ValueRange(0, 1))[..., 0], pixels * 255)
    assert inspect_image(pillow(pixels, "PNG"), ValueRange(0, 1)).dtype == "uint8"


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 2}, {"comment": b"x" * 70_000}])
def test_the_quick_way_sees_what_pillow_sees(options: dict[str, object]) -> None:
    comment = options.pop("comment", b"")
    data = pillow(COLOR, "JPEG", **options)
    if comment:
        segment = b"\xff\xfe\x40\x02" + b"x" * 0x4000
        data = data[:2] + segment * 4 + data[2:]
    pixels = read_jpeg(data)
    assert pixels is not None
    assert np.array_equal(pixels, np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))


def test_an_unusual_jpeg_takes_the_long_way() -> None:
    assert read_jpeg(pillow(Image.fromarray(COLOR).convert("CMYK"), "JPEG")) is None
    assert read_jpeg(b"\xff\xd8\xff\xe0") is None


def test_a_format_that_would_run_another_program_is_not_opened() -> None:
    data = pillow(COLOR, "EPS")
    assert Image.open(io.BytesIO(data)).format == "EPS"
    for read in (read_image_header, read_image):
        with pytest.raises(InvalidInputError, match="not a readable image: unknown image format"):
            read(data)
