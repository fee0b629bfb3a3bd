"""Masks of VOC's layout that are not VOC's own: gray, in sub-folders, of other colors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from segdata.errors import FaultsError, InvalidInputError
from segdata.labels.map_file import read_map
from segdata.labels.value_map import ValueMap
from segdata.sources.voc_decolor import voc_decolor

MASK = np.kron(np.array([[0, 1], [1, 0]], np.uint8), np.ones((6, 8), np.uint8))


@pytest.fixture
def masks(tmp_path: Path) -> Path:
    folder = tmp_path / "masks"
    folder.mkdir()
    for name in ("0.png", "1.png"):
        Image.fromarray(MASK * 255).save(folder / name)
    return folder


def colormap(tmp_path: Path, text: str) -> ValueMap:
    (tmp_path / "map.txt").write_text(text)
    return read_map(tmp_path / "map.txt")


def result(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


def test_black_and_white_masks_get_the_classes_of_black_and_white(masks: Path, tmp_path: Path) -> None:
    colors = colormap(tmp_path, "background 0 0 0\nobject 255 255 255\n")
    report = voc_decolor(tmp_path, src_path=masks, dst_path=tmp_path / "out", colormap=colors)
    assert (report.by_color, report.copied) == (2, 0)
    assert np.array_equal(result(tmp_path / "out" / "0.png"), MASK)


@pytest.mark.parametrize("text", [None, "background 0 0 0\nobject 255 0 0\n"])
def test_black_and_white_masks_without_a_white_class_are_refused(masks: Path, tmp_path: Path, text: str | None) -> None:
    colors = colormap(tmp_path, text) if text else None
    with pytest.raises(InvalidInputError, match="gray masks contain only 0 and 255, which is the ignore") as error:
        voc_decolor(tmp_path, src_path=masks, dst_path=tmp_path / "out", colormap=colors)
    assert f"segdata mask-map {masks} --map binary --dst_path" in str(error.value)
    assert error.value.code == "binary_mask"
    assert not (tmp_path / "out").exists()
    # With any other class, 255 is the void border.
    Image.fromarray(MASK).save(masks / "2.png")
    assert voc_decolor(tmp_path, src_path=masks, dst_path=tmp_path / "out", colormap=colors).copied == 3


def test_masks_in_sub_folders_are_converted_too(masks: Path, tmp_path: Path) -> None:
    (masks / "train").mkdir()
    Image.fromarray(MASK).save(masks / "train" / "0.png")
    assert voc_decolor(tmp_path, src_path=masks, dst_path=tmp_path / "out").masks == 3
    assert np.array_equal(result(tmp_path / "out" / "train" / "0.png"), MASK)


def test_several_colors_and_labelmes_void_keep_the_class_ids(masks: Path, tmp_path: Path) -> None:
    colors = colormap(tmp_path, "__ignore__ 9 9 9\n_background_ 0 0 0\ncar 1 2 3\ncar 3 2 1\ncat 5 5 6\n")
    pixels = np.array([[[9, 9, 9], [0, 0, 0], [1, 2, 3], [3, 2, 1], [5, 5, 6]]], np.uint8)
    for path in masks.iterdir():
        Image.fromarray(pixels).save(path)
    voc_decolor(tmp_path, src_path=masks, dst_path=tmp_path / "out", colormap=colors)
    assert result(tmp_path / "out" / "1.png").tolist() == [[255, 0, 1, 1, 2]]


def test_gray_is_made_from_color_only_if_it_is_of_the_colors_in_use(masks: Path, tmp_path: Path) -> None:
    # 38 and 75 are luminances of VOC's colors; 76 is that of red.
    colors = colormap(tmp_path, "ground 0 0 0\nroad 255 0 0\n")
    Image.fromarray(MASK * 38).save(masks / "0.png")
    Image.fromarray(MASK * 76).save(masks / "1.png")
    with pytest.raises(FaultsError) as error:
        voc_decolor(tmp_path, src_path=masks, dst_path=tmp_path / "out", colormap=colors)
    assert [str(fault)[:55] for fault in error.value.faults] == [
        "0.png: pixel (x=8, y=0) has value 38; expected 0 to 1 o",
        "1.png: gray made from color: 76 is the luminance of roa",
    ]
