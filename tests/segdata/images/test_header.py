"""Image headers, read without decoding the pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from segdata.errors import InvalidInputError
from segdata.images.header import ImageHeader
from segdata.images.reading import read_image_header


def test_size_format_and_kind_of_pixel_are_read(tmp_path: Path) -> None:
    Image.new("RGB", (5, 3)).save(tmp_path / "a.jpg")
    Image.new("L", (4, 2)).save(tmp_path / "b.png")
    assert read_image_header(tmp_path / "a.jpg") == ImageHeader(5, 3, "JPEG", "RGB", 1)
    assert read_image_header(tmp_path / "b.png") == ImageHeader(4, 2, "PNG", "L", 1, bands=1)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_orientation_is_said_and_not_applied(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", (5, 3)).save(tmp_path / "a.jpg", exif=exif)
    header = read_image_header(tmp_path / "a.jpg")
    assert (header.size, header.orientation) == ("5 x 3", orientation)


def test_damaged_exif_says_nothing_about_the_pixels(tmp_path: Path) -> None:
    Image.new("RGB", (5, 3)).save(tmp_path / "a.jpg", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")
    assert read_image_header(tmp_path / "a.jpg").orientation == 1


def test_truncation_shows_when_every_pixel_is_decoded(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.jpg")
    (tmp_path / "a.jpg").write_bytes((tmp_path / "a.jpg").read_bytes()[:5000])
    assert read_image_header(tmp_path / "a.jpg").size == "200 x 200"
    with pytest.raises(InvalidInputError, match="truncated"):
        read_image_header(tmp_path / "a.jpg", decode=True)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "^does not exist$"),
        (b"", r"^is empty \(0 bytes\); expected an image$"),
        (b"<html>", "not a readable image"),
    ],
)
def test_what_is_not_an_image_is_a_sentence_without_the_path(
    tmp_path: Path, content: bytes | None, reason: str
) -> None:
    path = tmp_path / "a.jpg"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InvalidInputError, match=reason) as error:
        read_image_header(path)
    assert str(tmp_path) not in str(error.value)
