"""One file, the same pixels in every command; or a refusal by all of them."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from segdata.errors import InvalidInputError
from segdata.images.reading import as_picture
from segdata.images.values import ValueRange
from segdata.inspect.check import check
from segdata.inspect.preview.pictures import View, draw_samples
from segdata.inspect.stats import stats
from segdata.labels.classes import Classes
from segdata.labels.masks import encode_index_png
from segdata.opening import open_dataset
from segdata.parallel import silent
from segdata.records.convert import to_mindrecord
from segdata.records.reader import open_set
from segtrain.data.images import image_paths, read_images
from segtrain.data.semantic.crops import decode_sample, list_samples, record_samples

CLASSES = Classes(("ground", "cell"))
SHAPE = (40, 48)
RANDOM = np.random.default_rng(5)
GRAY = RANDOM.integers(0, 256, SHAPE).astype(np.uint8)
COLOR = RANDOM.integers(0, 256, (*SHAPE, 3)).astype(np.uint8)
#: 12 bits in 16, as cameras write them.
DEEP = RANDOM.integers(0, 4096, SHAPE).astype(np.uint16)
DEEP_COLOR = RANDOM.integers(0, 4096, (*SHAPE, 3)).astype(np.uint16)
PALETTE = RANDOM.integers(0, 256, (256, 3)).astype(np.uint8)
TWELVE_BITS = ValueRange(0, 4095)


def pillow(form: str, source: np.ndarray | Image.Image, **options: object) -> bytes:
    buffer = io.BytesIO()
    (source if isinstance(source, Image.Image) else Image.fromarray(source)).save(buffer, form, **options)
    return buffer.getvalue()


def tiff(source: np.ndarray, **options: object) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, source, **options)
    return buffer.getvalue()


def png(source: np.ndarray) -> bytes:
    return cv2.imencode(".png", source[..., ::-1] if source.ndim == 3 else source)[1].tobytes()


def palette_image() -> Image.Image:
    image = Image.fromarray(GRAY, "P")
    image.putpalette(PALETTE.tobytes())
    return image


def with_alpha(source: np.ndarray) -> Image.Image:
    image = Image.fromarray(source)
    image.putalpha(Image.fromarray(GRAY))
    return image


def turned(form: str) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return pillow(form, COLOR, exif=exif)


def jpeg(source: np.ndarray) -> tuple[bytes, np.ndarray]:
    data = pillow("JPEG", source, quality=92)
    return data, np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def gray(samples: np.ndarray) -> np.ndarray:
    return np.stack([samples] * 3, axis=2)


def scaled(samples: np.ndarray, value_range: ValueRange = TWELVE_BITS) -> np.ndarray:
    exact = (samples.astype(np.float64) - value_range.low) * 255 / (value_range.high - value_range.low)
    return np.clip(exact if samples.ndim == 3 else gray(exact), 0, 255)


@dataclass(frozen=True)
class Kind:
    """An encoded image, the pixels that it means (None: it cannot be read), and the value range it needs."""

    data: bytes
    pixels: np.ndarray | None
    value_range: ValueRange | None = None


SIGNED = DEEP.astype(np.int16) - 2000
FRACTIONS = (DEEP / 4095).astype(np.float32)
BITS = GRAY > 127
JPEG_GRAY, JPEG_COLOR = jpeg(GRAY), jpeg(COLOR)
STORED = {"photometric": "rgb", "planarconfig": "separate"}

KINDS = {
    "JPEG gray": Kind(*JPEG_GRAY),
    "JPEG color": Kind(*JPEG_COLOR),
    "JPEG turned by EXIF": Kind(turned("JPEG"), np.asarray(Image.open(io.BytesIO(turned("JPEG"))))),
    "JPEG CMYK": Kind(pillow("JPEG", Image.fromarray(COLOR).convert("CMYK")), None),
    "PNG gray": Kind(png(GRAY), gray(GRAY)),
    "PNG color": Kind(png(COLOR), COLOR),
    "PNG 1-bit": Kind(pillow("PNG", Image.fromarray(BITS)), gray(np.where(BITS, 255, 0))),
    "PNG palette": Kind(pillow("PNG", palette_image()), PALETTE[GRAY]),
    "PNG gray with alpha": Kind(pillow("PNG", with_alpha(GRAY)), gray(GRAY)),
    "PNG color with alpha": Kind(pillow("PNG", with_alpha(COLOR)), COLOR),
    "PNG 16-bit gray": Kind(png(DEEP), scaled(DEEP), TWELVE_BITS),
    "PNG 16-bit color": Kind(png(DEEP_COLOR), scaled(DEEP_COLOR), TWELVE_BITS),
    "PNG 16-bit gray without a range": Kind(png(DEEP), None),
    "PNG 16-bit color without a range": Kind(png(DEEP_COLOR), None),
    "BMP color": Kind(pillow("BMP", COLOR), COLOR),
    "BMP gray": Kind(pillow("BMP", GRAY), gray(GRAY)),
    "BMP palette": Kind(pillow("BMP", palette_image()), PALETTE[GRAY]),
    "WebP": Kind(pillow("WEBP", COLOR, lossless=True), COLOR),
    "WebP with alpha": Kind(pillow("WEBP", with_alpha(COLOR), lossless=True, exact=True), COLOR),
    "GIF": Kind(pillow("GIF", GRAY), gray(GRAY)),
    "GIF of two images": Kind(pillow("GIF", GRAY, save_all=True, append_images=[Image.fromarray(255 - GRAY)]), None),
    "TGA": Kind(pillow("TGA", COLOR), COLOR),
    "PCX": Kind(pillow("PCX", COLOR), COLOR),
    "SGI": Kind(pillow("SGI", COLOR), COLOR),
    "PPM": Kind(pillow("PPM", COLOR), COLOR),
    "JPEG 2000": Kind(pillow("JPEG2000", COLOR), COLOR),
    "TIFF gray": Kind(tiff(GRAY), gray(GRAY)),
    "TIFF color": Kind(tiff(COLOR, photometric="rgb"), COLOR),
    "TIFF color by planes": Kind(tiff(np.ascontiguousarray(COLOR.transpose(2, 0, 1)), **STORED), COLOR),
    "TIFF tiles": Kind(tiff(GRAY, tile=(16, 16)), gray(GRAY)),
    "TIFF 0 is white": Kind(tiff(GRAY, photometric="miniswhite"), gray(255 - GRAY)),
    "TIFF 1-bit": Kind(tiff(BITS, photometric="minisblack"), gray(np.where(BITS, 255, 0))),
    "TIFF 1-bit, 0 is white": Kind(tiff(BITS, photometric="miniswhite"), gray(np.where(BITS, 0, 255))),
    "TIFF fax": Kind(pillow("TIFF", Image.fromarray(BITS), compression="group4"), gray(np.where(BITS, 255, 0))),
    "TIFF palette": Kind(
        tiff(GRAY, photometric="palette", colormap=(PALETTE.T.astype(np.uint16) * 257)), PALETTE[GRAY]
    ),
    "TIFF zstd": Kind(tiff(GRAY, compression="zstd"), gray(GRAY)),
    "TIFF LZMA": Kind(tiff(GRAY, compression="lzma"), gray(GRAY)),
    "TIFF PNG inside": Kind(tiff(GRAY, compression="png"), gray(GRAY)),
    "TIFF JPEG 2000 inside": Kind(tiff(GRAY, compression="jpeg2000"), gray(GRAY)),
    "TIFF deflate and predictor": Kind(tiff(GRAY, compression="zlib", predictor=True), gray(GRAY)),
    "TIFF big-endian": Kind(tiff(DEEP, byteorder=">"), scaled(DEEP), TWELVE_BITS),
    "TIFF turned": Kind(turned("TIFF"), COLOR),
    "TIFF 16-bit gray": Kind(tiff(DEEP), scaled(DEEP), TWELVE_BITS),
    "TIFF 16-bit gray without a range": Kind(tiff(DEEP), None),
    "TIFF 16-bit, 0 is white": Kind(
        tiff(DEEP, photometric="miniswhite"), scaled(65535 - DEEP, ValueRange(61440, 65535)), ValueRange(61440, 65535)
    ),
    "TIFF 16-bit color": Kind(tiff(DEEP_COLOR, photometric="rgb"), scaled(DEEP_COLOR), TWELVE_BITS),
    "TIFF signed": Kind(tiff(SIGNED), scaled(SIGNED, ValueRange(-2000, 2095)), ValueRange(-2000, 2095)),
    "TIFF signed without a range": Kind(tiff(SIGNED), None),
    "TIFF 32-bit": Kind(tiff(DEEP.astype(np.uint32)), scaled(DEEP), TWELVE_BITS),
    "TIFF fractions": Kind(tiff(FRACTIONS), scaled(FRACTIONS, ValueRange(0, 1)), ValueRange(0, 1)),
    "TIFF fractions without a range": Kind(tiff(FRACTIONS), None),
    "TIFF with alpha": Kind(tiff(np.dstack([COLOR, GRAY]), photometric="rgb", extrasamples=["unassalpha"]), COLOR),
    "TIFF multiplied by alpha": Kind(
        tiff(np.dstack([COLOR, GRAY]), photometric="rgb", extrasamples=["assocalpha"]), None
    ),
    "TIFF CMYK": Kind(tiff(np.dstack([COLOR, GRAY]), photometric="separated"), None),
    "TIFF of five bands": Kind(tiff(np.dstack([GRAY] * 5), photometric="minisblack", planarconfig="contig"), None),
    "TIFF of three pages": Kind(tiff(np.stack([GRAY] * 3), photometric="minisblack"), None),
    "TIFF L*a*b*": Kind(pillow("TIFF", Image.fromarray(COLOR).convert("LAB")), None),
    "8 bits under a range": Kind(png(GRAY), scaled(GRAY, ValueRange(10, 200)), ValueRange(10, 200)),
}


@dataclass(frozen=True)
class Planted:
    """A list of one sample, and what is asked of it."""

    root: Path
    kind: Kind

    @property
    def lst(self) -> Path:
        return self.root / "list.txt"

    def dataset(self) -> object:
        return open_dataset(self.lst, classes=CLASSES, value_range=self.kind.value_range)

    def converted(self) -> Path:
        source = open_dataset(self.lst, data_root=self.root, classes=CLASSES, value_range=self.kind.value_range)
        to_mindrecord(source, self.root / "set", num_shards=1, decode=True, overwrite=True)
        return self.root / "set"


@pytest.fixture(params=KINDS, ids=lambda name: name)
def planted(request: pytest.FixtureRequest, tmp_path: Path) -> Planted:
    kind = KINDS[request.param]
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.tif").write_bytes(kind.data)
    height, width = SHAPE if kind.pixels is None else kind.pixels.shape[:2]
    label = np.zeros((height, width), np.uint8)
    label[:3] = 1
    (tmp_path / "a.png").write_bytes(encode_index_png(label))
    (tmp_path / "list.txt").write_text("images/a.tif a.png\n")
    return Planted(tmp_path, kind)


def seen_by_stats(planted: Planted) -> np.ndarray:
    report = stats(planted.dataset())  # type: ignore[arg-type]
    return np.array([report.mean, report.std])


def seen_by_preview(planted: Planted) -> np.ndarray:
    view = View(planted.dataset().labels, 255, width=SHAPE[1], height=SHAPE[0], enlarge=False)  # type: ignore[attr-defined]
    (tile,) = draw_samples(planted.dataset(), [0], view, workers=1, progress=silent)  # type: ignore[arg-type]
    if not tile.picture:
        raise InvalidInputError(tile.problem)
    return tile.picture.image


def seen_in_training(planted: Planted) -> np.ndarray:
    (sample,) = record_samples(open_set(planted.converted()))
    return decode_sample(sample, num_classes=2, ignore_label=255)[0]


def seen_in_evaluation(planted: Planted) -> np.ndarray:
    (sample,) = list_samples(planted.root, planted.lst, value_range=planted.kind.value_range)
    return decode_sample(sample, num_classes=2, ignore_label=255)[0]


def seen_in_prediction(planted: Planted) -> np.ndarray:
    faults: list[str] = []
    paths = image_paths(planted.root / "images" / "a.tif")
    images = [image for _, image in read_images(paths, faults, planted.kind.value_range)]
    if faults or len(images) != 1:
        raise InvalidInputError("; ".join(faults) or f"{len(images)} images")
    assert images[0] is not None
    return images[0]


def found_by_check(planted: Planted) -> set[str]:
    report = check(planted.dataset(), decode=True)  # type: ignore[arg-type]
    return {finding.code for finding in report.findings if finding.severity == "error"}


VIEWS: list[Callable[[Planted], np.ndarray]] = [seen_in_training, seen_in_evaluation, seen_in_prediction]


def test_all_see_the_same_pixels_or_refuse(planted: Planted) -> None:
    expected = planted.kind.pixels
    if expected is None:
        assert found_by_check(planted) <= {"unsupported_image", "no_value_range"} and found_by_check(planted)
        for see in (seen_by_stats, seen_by_preview, *VIEWS):
            with pytest.raises(InvalidInputError):
                see(planted)
        return
    assert found_by_check(planted) == set()
    for see in VIEWS:
        assert np.allclose(see(planted), expected, atol=1e-3), see.__name__
    assert np.array_equal(seen_by_preview(planted), as_picture(seen_in_training(planted)))
    pixels = expected.reshape(-1, 3)
    assert np.allclose(seen_by_stats(planted), [pixels.mean(0), pixels.std(0)], atol=1e-3)


def test_there_are_forty_kinds_and_more() -> None:
    assert len(KINDS) >= 40
