"""tif-slice on labels whose values or colors are classes, by the maps of mask-map."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tifffile
from PIL import Image

from segdata.errors import FaultsError, InvalidInputError
from segdata.labels.classes import read_class_names
from segdata.labels.colormap import voc_palette
from segdata.labels.map_file import load_map
from segdata.sources.mask_map import mask_map
from segdata.sources.tif.meaning import UnmappedLabelsError
from segdata.sources.tif.report import SliceReport
from segdata.sources.tif.slice import tif_slice

Pixels = npt.NDArray[Any]
Slice = Callable[..., SliceReport]
SIZE = (6, 8)


@pytest.fixture
def cut(tmp_path: Path) -> Slice:
    """Return `tif_slice` of a stack whose labels are given, as written by tifffile with `kind`."""

    def run(pages: Pixels, kind: dict[str, Any] | None = None, **options: Any) -> SliceReport:
        tifffile.imwrite(tmp_path / "a.tif", np.zeros(pages.shape[:3], np.uint8), photometric="minisblack")
        with tifffile.TiffWriter(tmp_path / "b.tif") as writer:
            for page in pages:
                writer.write(page, **{"photometric": "minisblack", "metadata": None, **(kind or {})})
        return tif_slice(tmp_path / "a.tif", labels=tmp_path / "b.tif", dst_path=tmp_path / "out", **options)

    return run


def labels(folder: Path) -> Pixels:
    return np.stack([np.asarray(Image.open(path)) for path in sorted((folder / "out/labels").iterdir())])


def ids(high: int, dtype: str = "uint8") -> Pixels:
    return np.random.default_rng(0).integers(0, high, (2, *SIZE)).astype(dtype)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32", "float32"])
def test_every_other_value_may_be_one_class(cut: Slice, tmp_path: Path, dtype: str) -> None:
    pages = ids(4, dtype) * 60
    report = cut(pages, map=load_map("0:0,*:1"))
    np.testing.assert_array_equal(labels(tmp_path), pages > 0)
    assert report.label_pixels == {0: int((pages == 0).sum()), 1: int((pages > 0).sum())}
    assert report.class_names_file is None


def test_a_file_names_ranges_and_the_classes(cut: Slice, tmp_path: Path) -> None:
    (tmp_path / "map.txt").write_text("background 0\ncell 1-300\nvoid 301\n")
    pages = np.array([[[0, 1, 300, 301]]], np.uint16)
    report = cut(pages, map=load_map(str(tmp_path / "map.txt")))
    assert labels(tmp_path).tolist() == [[[0, 1, 1, 255]]]
    assert report.class_names_file == str(tmp_path / "out/classes.txt")
    assert read_class_names(tmp_path / "out/classes.txt") == ("background", "cell")


def test_values_that_the_map_does_not_name_become_void_on_request(cut: Slice, tmp_path: Path) -> None:
    pages = ids(4)
    with pytest.raises(FaultsError, match=r"has value 3; expected 0 to 2 \(\d+ such pixels\)"):
        cut(pages, map=load_map("0-2:0-2"))
    cut(pages, map=load_map("0-2:0-2"), unknown="ignore")
    np.testing.assert_array_equal(labels(tmp_path), np.where(pages == 3, 255, pages))


def test_labels_of_class_ids_are_told_to_leave_out_the_map(cut: Slice, tmp_path: Path) -> None:
    pages = ids(2)
    with pytest.raises(FaultsError, match="If the labels are class ids already, leave out --map"):
        cut(pages, map=load_map("binary"))
    cut(pages)
    np.testing.assert_array_equal(labels(tmp_path), pages)


@pytest.mark.parametrize("kind", ["palette", "palettes that differ", "rgb", "bits", "white is 0", "16 bits"])
def test_a_page_has_the_classes_that_mask_map_finds_in_it(cut: Slice, tmp_path: Path, kind: str) -> None:
    colors = voc_palette()
    table = colors.T.astype(np.uint16) * 257
    voc, binary, classes = load_map("voc"), load_map("binary"), ids(21)
    pages, write, value_map = {
        "palette": (classes, {"photometric": "palette", "colormap": table}, voc),
        "palettes that differ": (classes, {"photometric": "palette", "colormap": table}, voc),
        "rgb": (colors[classes], {"photometric": "rgb"}, voc),
        "bits": (classes > 9, {}, binary),
        "white is 0": ((classes > 9) * np.uint8(255), {"photometric": "miniswhite"}, binary),
        "16 bits": ((classes > 9) * np.uint16(65535), {}, binary),
    }[kind]
    cut(pages, write, map=value_map)
    if kind == "palettes that differ":
        rolled = {"photometric": "palette", "colormap": np.roll(table, 1, axis=1)}
        with tifffile.TiffWriter(tmp_path / "b.tif") as writer:
            writer.write(pages[0], **write, metadata=None)
            writer.write(pages[1] + 1, **rolled, metadata=None)
        (tmp_path / "out").rename(tmp_path / "first")
        tif_slice(tmp_path / "a.tif", labels=tmp_path / "b.tif", dst_path=tmp_path / "out", map=value_map)
        np.testing.assert_array_equal(labels(tmp_path), classes)
        return
    (tmp_path / "masks").mkdir()
    for number, page in enumerate(pages):
        tifffile.imwrite(tmp_path / f"masks/{number}.tif", page, **{"photometric": "minisblack", **write})
    mask_map(tmp_path / "masks", tmp_path / "mapped", map=value_map)
    expected = [np.asarray(Image.open(tmp_path / f"mapped/{number}.png")) for number in range(2)]
    np.testing.assert_array_equal(labels(tmp_path), expected)


def test_colors_without_a_map_are_refused(cut: Slice) -> None:
    with pytest.raises(InvalidInputError, match="expected labels with one sample per pixel, or a --map of colors"):
        cut(voc_palette()[ids(21)], {"photometric": "rgb"})


def test_black_and_white_labels_are_refused_with_a_map_of_colors_too(cut: Slice) -> None:
    with pytest.raises(UnmappedLabelsError, match="contains only 0 and 255"):
        cut(ids(2) * 255, map=load_map("voc"))


def test_ids_of_objects_are_refused_with_the_options_that_take_them(cut: Slice, tmp_path: Path) -> None:
    hint = "If the values are object ids, add --instances for a COCO JSON, or --border 1"
    many = np.arange(2 * 8 * 8).reshape(2, 8, 8)
    with pytest.raises(FaultsError, match=f"1 of 2 pages cannot be sliced. {hint}"):
        cut((many * 3).astype(np.uint16))
    with pytest.raises(InvalidInputError, match=f"contains 128 values up to 127, probably ids of objects.*{hint}"):
        cut(many.astype(np.uint8))
    assert not (tmp_path / "out").exists()
    # As the message says, a map confirms that they are classes.
    assert len(cut(many.astype(np.uint8), map=load_map("0-127:0-127")).label_pixels) == 128


def test_up_to_64_values_are_classes(cut: Slice) -> None:
    assert len(cut(np.arange(64, dtype=np.uint8).reshape(1, 8, 8)).label_pixels) == 64


@pytest.mark.parametrize("options", [{}, {"map": load_map("0:0,*:1")}, {"instances": True}, {"border": 1}])
def test_labels_changed_by_compression_are_refused(cut: Slice, options: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError, match=r"b.tif: values changed by compression.*Export them again") as error:
        cut(ids(4), {"compression": "jpeg"}, **options)
    assert error.value.code == "label_mode"
