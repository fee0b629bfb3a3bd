"""tif-slice: stacks to image files, index masks and lists."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import tifffile
from PIL import Image

from segdata.errors import FaultsError, InvalidInputError, OptionError, TargetExistsError
from segdata.images.reading import read_samples
from segdata.images.values import ValueRange, parse_value_range
from segdata.labels.map_file import load_map
from segdata.lists import Pair, read_list
from segdata.lists.folds import Fold, LastBlock
from segdata.miniature.tif import write_stacks
from segdata.sources.tif.meaning import UnmappedLabelsError
from segdata.sources.tif.slice import tif_slice

Pixels = npt.NDArray[Any]
BINARY = load_map("0:0,255:1")


def noise(shape: tuple[int, ...], dtype: str = "uint8", high: int = 256) -> Pixels:
    return np.random.default_rng(0).integers(0, high, shape).astype(dtype)


def write(path: Path, stack: Pixels | list[Pixels], **options: Any) -> Path:
    with tifffile.TiffWriter(path) as writer:
        for page in stack:
            color = "rgb" if page.ndim == 3 else "minisblack"
            writer.write(page, **{"metadata": None, "photometric": color, **options})
    return path


def read(path: Path) -> Pixels:
    """Read an image with its values as they are stored."""
    if path.suffix == ".tif":
        return tifffile.imread(path)
    pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert pixels is not None
    return pixels[..., ::-1] if pixels.ndim == 3 else pixels


def read_folder(folder: Path) -> list[Pixels]:
    return [read(path) for path in sorted(folder.iterdir())]


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


# What is written


def test_images_labels_and_list_of_the_miniature(tmp_path: Path) -> None:
    stacks = write_stacks(tmp_path / "stacks", pages=5, size=48)
    images, labels = Path(stacks.images), Path(stacks.labels)
    report = tif_slice(images, labels=labels, map=BINARY, dst_path=tmp_path / "out")
    assert (report.pages, report.stack_pages, report.form) == (5, 5, "48 x 48 uint8 gray")
    np.testing.assert_array_equal(read_folder(tmp_path / "out/images"), tifffile.imread(images))
    np.testing.assert_array_equal(read_folder(tmp_path / "out/labels"), tifffile.imread(labels) // 255)
    assert report.label_pixels == {0: (tifffile.imread(labels) == 0).sum(), 1: (tifffile.imread(labels) == 255).sum()}
    pairs = read_list(tmp_path / "out/all_lst.txt")
    assert pairs[3] == Pair("images/train-volume_0003.png", "labels/train-volume_0003.png")
    assert report.files == {"all": str(tmp_path / "out/all_lst.txt")}


def test_labels_are_index_masks(tmp_path: Path) -> None:
    images, labels = write(tmp_path / "a.tif", noise((2, 9, 9))), write(tmp_path / "b.tif", noise((2, 9, 9), high=5))
    tif_slice(images, labels=labels, dst_path=tmp_path / "out")
    with Image.open(tmp_path / "out/labels/a_0001.png") as label:
        assert label.mode == "L"
        np.testing.assert_array_equal(np.asarray(label), tifffile.imread(labels, key=1))


def test_without_labels_the_list_names_images_only(tmp_path: Path) -> None:
    tif_slice(write(tmp_path / "scan.tif", noise((2, 9, 9))), dst_path=tmp_path / "out")
    assert (tmp_path / "out/all_lst.txt").read_text() == "images/scan_0000.png\nimages/scan_0001.png\n"
    assert not (tmp_path / "out/labels").exists()


def test_an_ome_suffix_is_not_part_of_the_name(tmp_path: Path) -> None:
    tif_slice(write(tmp_path / "z series.ome.tif", noise((1, 9, 9))), dst_path=tmp_path / "out")
    assert (tmp_path / "out/images/z series_0000.png").is_file()


def test_a_name_with_a_space_is_read_back_from_the_list(tmp_path: Path) -> None:
    images, labels = (
        write(tmp_path / "my scan.tif", noise((1, 9, 9))),
        write(tmp_path / "b.tif", noise((1, 9, 9), high=3)),
    )
    tif_slice(images, labels=labels, dst_path=tmp_path / "out")
    assert read_list(tmp_path / "out/all_lst.txt") == [Pair("images/my scan_0000.png", "labels/my scan_0000.png")]


@pytest.mark.parametrize("image_format", ["png", "tif"])
@pytest.mark.parametrize(
    "pages",
    [
        noise((2, 20, 30)),
        noise((2, 20, 30), "uint16", 65536),
        noise((2, 20, 30, 3)),
        noise((2, 20, 30, 3), "uint16", 65536),
    ],
    ids=["gray", "gray 16", "rgb", "rgb 16"],
)
def test_values_are_kept(tmp_path: Path, pages: Pixels, image_format: Any) -> None:
    tif_slice(write(tmp_path / "a.tif", pages), dst_path=tmp_path / "out", image_format=image_format)
    found = read_folder(tmp_path / "out/images")
    assert found[0].dtype == pages.dtype
    np.testing.assert_array_equal(found, pages)


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "uint32", "float32", "float64"])
def test_what_a_png_cannot_hold_is_kept_in_tif_and_refused_in_png(tmp_path: Path, dtype: str) -> None:
    pages = noise((2, 20, 30), dtype) - noise((2, 20, 30), dtype)[:, ::-1]
    path = write(tmp_path / "a.tif", pages)
    with pytest.raises(InvalidInputError, match=f"a.tif, page 0: {dtype} samples; expected uint8 or uint16 for a PNG"):
        tif_slice(path, dst_path=tmp_path / "png")
    tif_slice(path, dst_path=tmp_path / "tif", image_format="tif")
    np.testing.assert_array_equal(read_folder(tmp_path / "tif/images"), pages)


@pytest.mark.parametrize("dtype", ["int64", "uint64"])
def test_integers_of_64_bits_are_refused(tmp_path: Path, dtype: str) -> None:
    path = write(tmp_path / "a.tif", noise((1, 4, 4), dtype))
    sentence = f"a.tif, page 0: {dtype} samples; expected integers of at most 32 bits. Scale them with --depth 8bit."
    with pytest.raises(InvalidInputError, match=sentence) as error:
        tif_slice(path, dst_path=tmp_path / "out", image_format="tif")
    assert error.value.code == "unsupported_image"


def test_images_are_read_as_images_and_labels_as_stored(tmp_path: Path) -> None:
    pages = noise((2, 8, 9), high=4)
    images = write(tmp_path / "a.tif", pages, photometric="miniswhite")
    labels = write(tmp_path / "b.tif", pages, photometric="miniswhite")
    tif_slice(images, labels=labels, dst_path=tmp_path / "out")
    np.testing.assert_array_equal(read_folder(tmp_path / "out/images"), 255 - pages)
    np.testing.assert_array_equal(read_folder(tmp_path / "out/labels"), pages)


@pytest.mark.parametrize("form", ["gray", "0 is white", "palette", "bits", "alpha", "deep"])
def test_a_slice_has_the_pixels_that_every_command_reads_in_a_page(tmp_path: Path, form: str) -> None:
    colors = np.random.default_rng(1).integers(0, 256, (3, 256)).astype(np.uint16) * 257
    pages, options = {
        "gray": (noise((1, 8, 9)), {}),
        "0 is white": (noise((1, 8, 9)), {"photometric": "miniswhite"}),
        "palette": (noise((1, 8, 9)), {"photometric": "palette", "colormap": colors}),
        "bits": (noise((1, 8, 9)) > 99, {}),
        "alpha": (noise((1, 8, 9, 4)), {"photometric": "rgb", "extrasamples": ["unassalpha"]}),
        "deep": (noise((1, 8, 9), "uint16", 65536), {"photometric": "miniswhite"}),
    }[form]
    path = write(tmp_path / "a.tif", pages, **options)
    for image_format in ("png", "tif"):
        tif_slice(path, dst_path=tmp_path / image_format, image_format=image_format)
        sliced = tmp_path / image_format / f"images/a_0000.{image_format}"
        np.testing.assert_array_equal(read_samples(sliced), read_samples(path))


def test_fax_pages_are_sliced_as_images_and_as_labels(tmp_path: Path) -> None:
    bits = noise((2, 40, 50)) > 99
    for name, photometric in (("a.tif", 0), ("b.tif", 1)):
        first, second = (Image.fromarray(page) for page in bits)
        options: dict[str, Any] = {"compression": "group4", "tiffinfo": {262: photometric}}
        first.save(tmp_path / name, save_all=True, append_images=[second], **options)
    tif_slice(tmp_path / "a.tif", labels=tmp_path / "b.tif", dst_path=tmp_path / "out")
    np.testing.assert_array_equal(read_folder(tmp_path / "out/images"), bits * 255)
    np.testing.assert_array_equal(read_folder(tmp_path / "out/labels"), bits)


def test_workers_do_not_change_a_byte(tmp_path: Path) -> None:
    stacks = write_stacks(tmp_path / "stacks", pages=9, size=40)
    for workers in (1, 4):
        tif_slice(
            Path(stacks.images),
            labels=Path(stacks.labels),
            map=BINARY,
            dst_path=tmp_path / str(workers),
            workers=workers,
            split=Fold(3, 1, "course"),
        )
    assert digests(tmp_path / "1") == digests(tmp_path / "4")


# 8 bits


@pytest.mark.parametrize(
    ("dtype", "values", "value_range", "expected"),
    [
        ("uint8", [0, 7, 255], None, [0, 7, 255]),
        ("uint8", [0, 50, 255], ValueRange(0, 100), [0, 128, 255]),
        ("uint16", [0, 257 * 100, 65535], ValueRange(0, 65535), [0, 100, 255]),
        ("int8", [-128, -1, 127], ValueRange(-128, 127), [0, 127, 255]),
        ("int16", [-32768, 0, 32767], ValueRange(-32768, 32767), [0, 128, 255]),
        ("int16", [-300, -100, 100], ValueRange(-200, 0), [0, 128, 255]),
        ("uint32", [0, 2**31, 2**32 - 1], ValueRange(0, 2**32 - 1), [0, 128, 255]),
        ("int64", [-(2**40), 0, 2**40], ValueRange(-(2**40), 2**40), [0, 128, 255]),
        ("float32", [-1.5, 0.25, 2], ValueRange(-1.5, 2), [0, 128, 255]),
    ],
)
def test_samples_are_scaled_by_a_value_range(
    tmp_path: Path, dtype: str, values: list[float], value_range: ValueRange | None, expected: list[int]
) -> None:
    path = write(tmp_path / "a.tif", np.array([[values]], dtype))
    tif_slice(path, dst_path=tmp_path / "out", depth="8bit", value_range=value_range)
    assert read(tmp_path / "out/images/a_0000.png").tolist() == [expected]


@pytest.mark.parametrize(
    ("dtype", "low", "high"), [("uint16", 100, 599), ("int8", -5, 90), ("uint32", 0, 2**32 - 1), ("float32", -1.5, 2)]
)
def test_deep_samples_without_a_range_are_refused_with_the_range_that_they_have(
    tmp_path: Path, dtype: str, low: float, high: float
) -> None:
    pages = np.array([[[low, low]], [[low, high]], [[high + 5 if dtype == "uint16" else high, high]]], dtype)
    with pytest.raises(
        InvalidInputError,
        match=rf"a.tif: {dtype} samples from {low} to {high}; expected a value range to scale them to 8 bits. "
        rf"Add --value_range {low}:{high}, or --value_range auto.",
    ) as error:
        tif_slice(write(tmp_path / "a.tif", pages), dst_path=tmp_path / "out", depth="8bit", pages=[0, 1])
    assert error.value.code == "no_value_range"
    assert not (tmp_path / "out").exists()


def test_a_range_is_found_over_the_chosen_pages(tmp_path: Path) -> None:
    pages = np.array([[[100, 300]], [[200, 600]], [[0, 9000]]], "uint16")
    options: dict[str, Any] = {"pages": [0, 1], "depth": "8bit", "value_range": parse_value_range("auto")}
    report = tif_slice(write(tmp_path / "a.tif", pages), dst_path=tmp_path / "out", **options)
    assert (report.scaled, report.clipped) == ((100, 600), 0)
    assert [page.tolist() for page in read_folder(tmp_path / "out/images")] == [[[0, 102]], [[51, 255]]]


def test_percentiles_leave_out_what_is_rare(tmp_path: Path) -> None:
    pages = np.arange(1000, 2000, dtype="uint16").reshape(2, 20, 25)
    pages[0, 0, 0], pages[1, -1, -1] = 0, 65535
    options: dict[str, Any] = {"depth": "8bit", "value_range": parse_value_range("1%:99%")}
    report = tif_slice(write(tmp_path / "a.tif", pages), dst_path=tmp_path / "out", **options)
    assert (report.scaled, report.clipped) == ((1010, 1989), 20)


def test_a_range_of_equal_samples_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", np.full((2, 4, 4), 7, "uint16"))
    with pytest.raises(InvalidInputError, match="all samples have the value 7; expected different values"):
        tif_slice(path, dst_path=tmp_path / "out", depth="8bit", value_range=parse_value_range("auto"))


def test_a_range_is_the_same_for_every_page_and_clips(tmp_path: Path) -> None:
    pages = np.array([[[0, 50, 100, 150]], [[100, 100, 100, np.inf]]], "float32")
    path = write(tmp_path / "a.tif", pages)
    report = tif_slice(path, dst_path=tmp_path / "out", depth="8bit", value_range=ValueRange(50, 100))
    assert [page.tolist() for page in read_folder(tmp_path / "out/images")] == [[[0, 0, 255, 255]], [[255] * 4]]
    assert (report.scaled, report.clipped) == ((50, 100), 3)


def test_a_large_page_is_scaled_as_a_small_one(tmp_path: Path) -> None:
    pages = noise((1, 300, 300), "uint16", 5000)
    tif_slice(
        write(tmp_path / "a.tif", pages), dst_path=tmp_path / "out", depth="8bit", value_range=ValueRange(100, 4195)
    )
    expected = np.rint((np.clip(pages[0], 100, 4195) - 100) * (255 / 4095))
    np.testing.assert_array_equal(read(tmp_path / "out/images/a_0000.png"), expected)


def test_a_pixel_that_is_not_a_number_is_named(tmp_path: Path) -> None:
    pages = np.zeros((3, 4, 5), "float32")
    pages[2, 1, 3] = np.nan
    path = write(tmp_path / "a.tif", pages)
    with pytest.raises(FaultsError, match=r"a.tif, page 2: pixel \(x=3, y=1\) is NaN"):
        tif_slice(path, dst_path=tmp_path / "out", depth="8bit", value_range=ValueRange(0, 1))


def test_a_range_without_scaling_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", noise((1, 4, 4)))
    with pytest.raises(
        InvalidInputError, match=r"a.tif, page 0: a value range requires scaling to 8 bits. Add --depth 8bit."
    ):
        tif_slice(path, dst_path=tmp_path / "out", value_range=ValueRange(0, 1))


# Labels


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int32", "float32"])
def test_label_values_become_class_ids(tmp_path: Path, dtype: str) -> None:
    images = write(tmp_path / "a.tif", noise((2, 3, 2)))
    labels = write(tmp_path / "b.tif", np.array([[[0, 3], [100, 3], [0, 0]]] * 2, dtype))
    report = tif_slice(images, labels=labels, map=load_map("0:255,3:0,100:1,99:7"), dst_path=tmp_path / "out")
    assert read(tmp_path / "out/labels/a_0001.png").tolist() == [[255, 0], [1, 0], [255, 255]]
    assert report.label_pixels == {0: 4, 1: 2, 255: 6}


def test_a_value_beyond_the_map_is_named_with_page_and_pixel(tmp_path: Path) -> None:
    values = np.zeros((3, 4, 5), np.uint8)
    values[1, 2, 3] = values[1, 3, 0] = 9
    images, labels = write(tmp_path / "a.tif", noise((3, 4, 5))), write(tmp_path / "b.tif", values)
    with pytest.raises(FaultsError) as error:
        tif_slice(images, labels=labels, map=BINARY, dst_path=tmp_path / "out")
    assert tuple(map(str, error.value.faults)) == (
        "b.tif, page 1: pixel (x=3, y=2) has value 9; expected 0 or 255 (2 such pixels)",
    )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("value", "dtype"), [(256, "uint16"), (-1, "int16"), (0.5, "float32"), (np.nan, "float32")])
def test_a_value_that_is_not_a_class_id_is_named(tmp_path: Path, value: float, dtype: str) -> None:
    images, labels = write(tmp_path / "a.tif", noise((1, 1, 2))), tmp_path / "b.tif"
    write(labels, np.array([[[1, value]]], dtype))
    found = "is NaN" if np.isnan(value) else rf"has value {value}; expected 0 to 255"
    with pytest.raises(FaultsError, match=rf"page 0: pixel \(x=1, y=0\) {found}"):
        tif_slice(images, labels=labels, dst_path=tmp_path / "out")


def test_black_and_white_labels_need_a_map_that_is_proposed(tmp_path: Path) -> None:
    stacks = write_stacks(tmp_path / "stacks", pages=2, size=32)
    for dry_run in (True, False):
        with pytest.raises(UnmappedLabelsError, match="contains only 0 and 255") as error:
            tif_slice(Path(stacks.images), labels=Path(stacks.labels), dst_path=tmp_path / "out", dry_run=dry_run)
        assert error.value.proposal == {0: 0, 255: 1}
        assert not (tmp_path / "out").exists()


def test_the_ignore_value_beside_classes_needs_no_map(tmp_path: Path) -> None:
    images = write(tmp_path / "a.tif", noise((1, 1, 3)))
    labels = write(tmp_path / "b.tif", np.array([[[0, 1, 255]]], np.uint8))
    assert tif_slice(images, labels=labels, dst_path=tmp_path / "out").label_pixels == {0: 1, 1: 1, 255: 1}


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        ((2, 8, 9), "has 2 pages; expected 3 pages, as in .*a.tif. Choose images with --pages or"),
        ((3, 9, 8), "has pages of 8 x 9 pixels; expected 9 x 8, as in .*a.tif"),
        ((3, 8, 9, 3), "9 x 8 uint8 RGB; expected labels with one sample per pixel"),
    ],
)
def test_labels_of_other_pages_are_refused(tmp_path: Path, shape: tuple[int, ...], reason: str) -> None:
    images, labels = write(tmp_path / "a.tif", noise((3, 8, 9))), write(tmp_path / "b.tif", noise(shape))
    with pytest.raises(InvalidInputError, match=f"b.tif: {reason}"):
        tif_slice(images, labels=labels, dst_path=tmp_path / "out")


def test_a_meaning_without_labels_is_refused(tmp_path: Path) -> None:
    images = write(tmp_path / "a.tif", noise((1, 8, 9)))
    for options in ({"map": BINARY}, {"instances": True}, {"border": 1}):
        with pytest.raises(OptionError, match="say what labels mean; expected --labels"):
            tif_slice(images, dst_path=tmp_path / "out", **options)


# Pages and splits


def test_chosen_pages_keep_their_numbers(tmp_path: Path) -> None:
    pages = noise((12, 4, 4))
    report = tif_slice(write(tmp_path / "a.tif", pages), dst_path=tmp_path / "out", pages=[7, 2, 3, 2])
    assert report.split_pages == {"all": [2, 3, 7]}
    assert sorted(path.name for path in (tmp_path / "out/images").iterdir()) == [
        "a_0002.png",
        "a_0003.png",
        "a_0007.png",
    ]
    np.testing.assert_array_equal(read(tmp_path / "out/images/a_0007.png"), pages[7])


@pytest.mark.parametrize(
    ("pages", "reason"), [([3], "has no page 3; expected 0 to 2"), ([-1], "no page -1"), ([], "no pages are selected")]
)
def test_pages_that_are_not_there_are_refused(tmp_path: Path, pages: list[int], reason: str) -> None:
    with pytest.raises(InvalidInputError, match=reason):
        tif_slice(write(tmp_path / "a.tif", noise((3, 4, 4))), dst_path=tmp_path / "out", pages=pages)


def test_a_page_of_another_form_that_is_not_chosen_is_ignored(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", [noise((4, 4)), noise((4, 4)), noise((2, 2))])
    assert tif_slice(path, dst_path=tmp_path / "out", pages=[0, 1]).pages == 2


def test_the_split_goes_by_the_chosen_pages(tmp_path: Path) -> None:
    images, labels = write(tmp_path / "a.tif", noise((9, 4, 4))), write(tmp_path / "b.tif", noise((9, 4, 4), high=2))
    report = tif_slice(images, labels=labels, dst_path=tmp_path / "out", pages=range(1, 7), split=Fold(3, 0), workers=1)
    assert report.split_pages == {"train": [3, 4, 5, 6], "val": [1, 2]}
    assert [pair.label for pair in read_list(tmp_path / "out/val_lst.txt")] == [
        "labels/a_0001.png",
        "labels/a_0002.png",
    ]
    assert len(read_list(tmp_path / "out/train_lst.txt")) == 4
    assert not (tmp_path / "out/all_lst.txt").exists()
    assert report.split == "fold 0 of 3, contiguous blocks"


def test_the_last_block_is_the_val_list(tmp_path: Path) -> None:
    report = tif_slice(write(tmp_path / "a.tif", noise((5, 4, 4))), dst_path=tmp_path / "out", split=LastBlock(1))
    assert report.split_pages == {"train": [0, 1, 2, 3], "val": [4]}
    assert (tmp_path / "out/val_lst.txt").read_text() == "images/a_0004.png\n"


# What goes wrong


def test_every_page_that_is_wrong_is_named_at_once(tmp_path: Path) -> None:
    pages = [noise((8, 9)), noise((8, 10)), noise((8, 9)), noise((8, 9), "uint16"), noise((8, 9, 3))]
    with pytest.raises(FaultsError) as error:
        tif_slice(write(tmp_path / "a.tif", pages), dst_path=tmp_path / "out")
    assert error.value.what == "3 of 5 pages cannot be sliced"
    assert tuple(map(str, error.value.faults)) == (
        "a.tif, page 1: 10 x 8 uint8 gray; expected all pages to be 9 x 8 uint8 gray",
        "a.tif, page 3: 9 x 8 uint16 gray; expected all pages to be 9 x 8 uint8 gray",
        "a.tif, page 4: 9 x 8 uint8 RGB; expected all pages to be 9 x 8 uint8 gray",
    )
    assert not (tmp_path / "out").exists()


def test_the_same_size_in_another_color_is_another_form(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for color in ("minisblack", "miniswhite"):
            writer.write(noise((8, 9)), photometric=color, metadata=None)
    with pytest.raises(
        FaultsError, match="page 1: 9 x 8 uint8 gray, 0 is white; expected all pages to be 9 x 8 uint8 gray"
    ):
        tif_slice(tmp_path / "a.tif", dst_path=tmp_path / "out")


def test_a_dry_run_finds_the_same_and_writes_nothing(tmp_path: Path) -> None:
    stacks = write_stacks(tmp_path / "stacks", pages=4, size=32)
    options: dict[str, Any] = {"labels": Path(stacks.labels), "map": BINARY, "dst_path": tmp_path / "out"}
    dry = tif_slice(Path(stacks.images), dry_run=True, **options)
    assert not (tmp_path / "out").exists()
    wet = tif_slice(Path(stacks.images), **options)
    assert (dry.written, wet.written) == (False, True)
    assert (dry.label_pixels, dry.split_pages, dry.form) == (wet.label_pixels, wet.split_pages, wet.form)


def test_an_earlier_slicing_of_the_same_stack_is_replaced_on_request_only(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", noise((3, 4, 4)))
    tif_slice(path, dst_path=tmp_path / "out")
    with pytest.raises(TargetExistsError, match="already exists"):
        tif_slice(path, dst_path=tmp_path / "out")
    tif_slice(path, dst_path=tmp_path / "out", split=LastBlock(1), pages=[0, 2], overwrite=True)
    assert sorted(digests(tmp_path / "out")) == [
        ".segdata-files.json",
        "images/a_0000.png",
        "images/a_0002.png",
        "train_lst.txt",
        "val_lst.txt",
    ]


def test_a_folder_with_other_images_is_never_replaced(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", noise((3, 4, 4)))
    tif_slice(path, dst_path=tmp_path / "out")
    (tmp_path / "out/images/holiday.png").write_bytes(b"mine")
    for dry_run in (True, False):
        with pytest.raises(TargetExistsError, match="files that this command did not write") as error:
            tif_slice(path, dst_path=tmp_path / "out", overwrite=True, dry_run=dry_run)
        assert not error.value.replaceable
    assert (tmp_path / "out/images/holiday.png").read_bytes() == b"mine"


# Real stacks


def test_isbi_is_sliced_pixel_by_pixel(tmp_path: Path, real_data: Path) -> None:
    images, labels = real_data / "isbi2012/train-volume.tif", real_data / "isbi2012/train-labels.tif"
    report = tif_slice(images, labels=labels, map=BINARY, dst_path=tmp_path / "out", split=Fold(5, 1, "course"))
    np.testing.assert_array_equal(read_folder(tmp_path / "out/images"), tifffile.imread(images))
    np.testing.assert_array_equal(read_folder(tmp_path / "out/labels"), tifffile.imread(labels) // 255)
    order = [25, 3, 0, 21, 15, 12, 2, 28, 13, 10, 26, 24, 27, 11, 17, 22, 5, 16, 8, 14, 23, 20, 1, 29]
    names = [pair.image for pair in read_list(tmp_path / "out/train_lst.txt")]
    assert names == [f"images/train-volume_{page:04}.png" for page in order]
    assert set(report.split_pages["val"]) == {4, 6, 7, 9, 18, 19}


@pytest.mark.parametrize(
    ("name", "pages"),
    [
        ("_blobs_3d_fiji_skeleton.tif", 30),
        ("calcium_imaging.tif", 1000),
        ("img3d.tif", 31),
        ("mask3d.tif", 31),
        ("mri.tif", 27),
        ("multipage.tif", 2),
        ("shapes_tiled_multi.tif", 3),
    ],
)
def test_real_stacks_keep_every_pixel(tmp_path: Path, real_data: Path, name: str, pages: int) -> None:
    path = real_data / "tif" / name
    assert tif_slice(path, dst_path=tmp_path / "out").pages == pages
    with tifffile.TiffFile(path) as tif:
        expected = [page.asarray() for page in tif.pages]
        if tif.pages.first.colormap is not None:
            expected = [(tif.pages.first.colormap.T >> 8).astype(np.uint8)[page] for page in expected]
    found = read_folder(tmp_path / "out/images")
    assert found[0].dtype == expected[0].dtype
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("name", ["multipage_rgb.tif", "z-series.ome.tif"])
def test_real_stacks_that_no_png_holds_are_kept_in_tif(tmp_path: Path, real_data: Path, name: str) -> None:
    path = real_data / "tif" / name
    with pytest.raises(InvalidInputError, match=r"page 0: (float64|int8) samples; expected uint8 or uint16 for a PNG"):
        tif_slice(path, dst_path=tmp_path / "out")
    tif_slice(path, dst_path=tmp_path / "out", image_format="tif")
    with tifffile.TiffFile(path) as tif:
        expected = [page.asarray() for page in tif.pages]
    found = read_folder(tmp_path / "out/images")
    if name == "multipage_rgb.tif":
        found = [np.moveaxis(page, -1, 0) for page in found]
    assert found[0].dtype == expected[0].dtype
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("shapes_multi_color.tif", "page 1: 128 x 72 uint8 palette; expected all pages to be 128 x 72 uint8 RGB"),
        ("shapes_multi_size.tif", "page 1: 64 x 36 uint8 RGB; expected all pages to be 128 x 72 uint8 RGB"),
    ],
)
def test_real_stacks_of_mixed_pages_are_refused(tmp_path: Path, real_data: Path, name: str, fault: str) -> None:
    with pytest.raises(FaultsError) as error:
        tif_slice(real_data / "tif" / name, dst_path=tmp_path / "out")
    assert str(error.value.faults[0]) == f"{name}, {fault}"


def test_every_real_stack_is_spoken_for(real_data: Path) -> None:
    kept = {"_blobs_3d_fiji_skeleton", "calcium_imaging", "img3d", "mask3d", "mri", "multipage", "shapes_tiled_multi"}
    others = {"multipage_rgb", "z-series.ome", "shapes_multi_color", "shapes_multi_size"}
    assert {path.stem for path in (real_data / "tif").glob("*.tif")} == kept | others
