"""Folders of masks of any kind become folders of index masks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from segdata.errors import FaultsError, InvalidInputError, OptionError, TargetExistsError
from segdata.labels.classes import CLASS_NAMES, read_class_names
from segdata.labels.colormap import voc_palette
from segdata.labels.map_file import load_map
from segdata.sources.mask_map import MappedValue, mask_map

MASK = np.kron(np.array([[0, 1], [1, 0]], np.uint8), np.ones((6, 8), np.uint8))
BINARY = load_map("0:0,255:1")


@pytest.fixture
def masks(tmp_path: Path) -> Path:
    """Return a folder of black-and-white masks of several kinds, two of them in sub-folders."""
    folder = tmp_path / "masks"
    (folder / "a" / "deep").mkdir(parents=True)
    Image.fromarray(MASK * 255).save(folder / "gray.png")
    Image.fromarray(np.dstack([MASK * 255] * 3)).save(folder / "a" / "rgb.PNG")
    Image.fromarray(MASK * 255).save(folder / "a" / "deep" / "b.bmp")
    tifffile.imwrite(folder / "c.tif", MASK.astype(np.uint16) * 255)
    (folder / "notes.txt").write_text("")
    (folder / ".hidden.png").write_text("")
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_masks_of_every_kind_are_mapped_and_sub_folders_kept(masks: Path, tmp_path: Path) -> None:
    report = mask_map(masks, tmp_path / "out", map=BINARY)
    assert (report.masks, report.mapped, report.rewritten, report.copied) == (4, 4, 0, 0)
    assert (report.left_out, report.class_names_file, report.written) == ({"*.txt": 1}, None, True)
    assert report.values == (MappedValue("0", 0, "class_0", 384), MappedValue("255", 1, "class_1", 384))
    for name in ("gray.png", "a/rgb.png", "a/deep/b.png", "c.png"):
        image = Image.open(tmp_path / "out" / name)
        assert (image.mode, np.array_equal(np.asarray(image), MASK)) == ("L", True)


def test_the_workers_do_not_change_a_byte(masks: Path, tmp_path: Path) -> None:
    for workers in (1, 4):
        mask_map(masks, tmp_path / str(workers), map=BINARY, workers=workers)
    assert contents(tmp_path / "1") == contents(tmp_path / "4")


def test_a_dry_run_says_what_would_become_what_and_writes_nothing(masks: Path, tmp_path: Path) -> None:
    report = mask_map(masks, tmp_path / "out", map=load_map("binary"), mask_suffix="ray", dry_run=True)
    assert [(value.source, value.id, value.name) for value in report.values] == [
        ("0", 0, "background"), ("255", 1, "foreground")
    ]  # fmt: skip
    assert (report.masks, report.written, report.left_out) == (
        1,
        False,
        {"*.txt": 1, "*.tif": 1, "*.bmp": 1, "*.png": 1},
    )
    assert not (tmp_path / "out").exists()


def test_class_names_are_written_beside_the_masks(masks: Path, tmp_path: Path) -> None:
    (masks / "c.tif").unlink()
    report = mask_map(masks, tmp_path / "out", map=load_map("binary"))
    assert report.class_names_file == str(tmp_path / "out" / CLASS_NAMES)
    assert read_class_names(tmp_path / "out" / CLASS_NAMES) == ("background", "foreground")


def test_every_unknown_value_is_named_with_its_file_and_nothing_is_written(masks: Path, tmp_path: Path) -> None:
    Image.fromarray(MASK).save(masks / "a" / "ids.png")
    with pytest.raises(FaultsError, match="2 of 5 masks cannot be converted") as error:
        mask_map(masks, tmp_path / "out", map=load_map("binary"))
    assert [(fault.code, fault.where) for fault in error.value.faults] == [
        ("value_outside_classes", "a/ids.png"), ("label_mode", "c.tif")
    ]  # fmt: skip
    assert error.value.faults[0].what == "pixel (x=8, y=0) has value 1; expected 0 or 255 (96 such pixels)"
    assert not (tmp_path / "out").exists()


def test_unknown_values_become_ignored_on_request_and_are_counted(masks: Path, tmp_path: Path) -> None:
    Image.fromarray(MASK * 9).save(masks / "a" / "ids.png")
    report = mask_map(masks, tmp_path / "out", map=load_map("0:0,255:1", ignore_label=7), unknown="ignore")
    assert MappedValue("9", 7, "void", 96) in report.values
    assert np.array_equal(np.asarray(Image.open(tmp_path / "out" / "a" / "ids.png")), MASK * 7)


def test_a_threshold_takes_the_place_of_a_map(masks: Path, tmp_path: Path) -> None:
    Image.fromarray(MASK * 255).save(masks / "j.jpg")
    report = mask_map(masks, tmp_path / "out", threshold=100)
    assert report.masks == 5
    for path in (tmp_path / "out").rglob("*.png"):
        assert np.array_equal(np.asarray(Image.open(path)), MASK)
    with pytest.raises(FaultsError, match="1 of 5 masks") as error:
        mask_map(masks, tmp_path / "other", map=BINARY)
    assert "Map it with mask-map --nearest (colors) or --threshold" in str(error.value)


@pytest.mark.parametrize(
    ("map", "ids", "entries"),
    [
        ("cityscapes", (0, 13, 255), "0-18:0-18,255:255"),
        ("ade20k", (0, 149, 255), "0-149:0-149,255:255"),
        ("binary", (0, 1, 1), "0-1:0-1,255:255"),
        ("0:0,255:1", (0, 1, 1), "0-1:0-1,255:255"),
    ],
)
def test_masks_of_class_ids_are_told_to_stay_as_they_are(
    tmp_path: Path, map: str, ids: tuple[int, ...], entries: str
) -> None:
    (tmp_path / "ids").mkdir()
    Image.fromarray(np.array([ids], np.uint8)).save(tmp_path / "ids" / "a.png")
    with pytest.raises(FaultsError, match="only class ids of this map") as error:
        mask_map(tmp_path / "ids", tmp_path / "out", map=load_map(map))
    assert f"use --map {entries} instead" in str(error.value) and "--unknown" not in str(error.value)
    mask_map(tmp_path / "ids", tmp_path / "out", map=load_map(entries))
    assert np.asarray(Image.open(tmp_path / "out" / "a.png")).tolist() == [list(ids)]


def test_a_mask_of_label_ids_with_another_value_is_not_taken_for_class_ids(tmp_path: Path) -> None:
    (tmp_path / "ids").mkdir()
    Image.fromarray(np.array([[7, 26, 255]], np.uint8)).save(tmp_path / "ids" / "a.png")
    with pytest.raises(FaultsError, match="--unknown ignore"):
        mask_map(tmp_path / "ids", tmp_path / "out", map=load_map("cityscapes"))


def test_images_among_the_masks_are_named(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    Image.fromarray(np.dstack([MASK * 99] * 3)).save(tmp_path / "set" / "a_sat.jpg")
    Image.fromarray(MASK * 255).save(tmp_path / "set" / "a_mask.png")
    with pytest.raises(FaultsError, match=r"If a_sat\.jpg is an image, .*--mask_suffix"):
        mask_map(tmp_path / "set", tmp_path / "out", map=BINARY)
    mask_map(tmp_path / "set", tmp_path / "out", map=BINARY, mask_suffix="_mask")
    assert np.array_equal(np.asarray(Image.open(tmp_path / "out" / "a_mask.png")), MASK)


def test_a_threshold_above_all_values_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ids").mkdir()
    Image.fromarray(MASK).save(tmp_path / "ids" / "a.png")
    with pytest.raises(InvalidInputError, match="highest gray value is 1, so no pixel would be foreground"):
        mask_map(tmp_path / "ids", tmp_path / "out", threshold=128)
    assert not (tmp_path / "out").exists()
    mask_map(tmp_path / "ids", tmp_path / "out", threshold=1)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "out" / "a.png")), MASK)
    Image.fromarray(MASK * 0).save(tmp_path / "ids" / "a.png")
    assert mask_map(tmp_path / "ids", tmp_path / "black", threshold=128).masks == 1


def test_options_that_contradict_each_other_are_refused(masks: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="--map or --threshold: expected one of them"):
        mask_map(masks, tmp_path / "out")
    with pytest.raises(OptionError, match="--map or --threshold: expected one of them"):
        mask_map(masks, tmp_path / "out", map=BINARY, threshold=3)
    with pytest.raises(OptionError, match="--nearest has no effect with --threshold"):
        mask_map(masks, tmp_path / "out", threshold=3, nearest=2)


def test_two_masks_of_one_name_are_refused(masks: Path, tmp_path: Path) -> None:
    Image.fromarray(MASK).save(masks / "c.png")
    with pytest.raises(FaultsError, match=r"c\.png: would be the index mask of c\.png and c\.tif; expected one mask"):
        mask_map(masks, tmp_path / "out", map=BINARY)


def test_a_folder_without_masks_is_refused(masks: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"contains no masks; expected files that end in _x\.png"):
        mask_map(masks, tmp_path / "out", map=BINARY, mask_suffix="_x")
    with pytest.raises(InvalidInputError, match="no such folder"):
        mask_map(tmp_path / "none", tmp_path / "out", map=BINARY)
    (tmp_path / "gifs").mkdir()
    Image.fromarray(MASK).save(tmp_path / "gifs/21_manual1.gif")
    with pytest.raises(InvalidInputError, match="Convert GIFs to PNG, for example with mogrify"):
        mask_map(tmp_path / "gifs", tmp_path / "out", map=BINARY)


def test_the_result_replaces_only_an_earlier_result_and_never_the_masks(masks: Path, tmp_path: Path) -> None:
    before = contents(masks)
    inside = masks / "out"
    mask_map(masks, inside, map=BINARY)
    with pytest.raises(TargetExistsError):
        mask_map(masks, inside, map=BINARY)
    assert mask_map(masks, inside, map=BINARY, overwrite=True).masks == 4
    for target in (masks, tmp_path):
        with pytest.raises(InvalidInputError, match="which would be replaced"):
            mask_map(masks, target, map=BINARY, overwrite=True)
    assert {name: data for name, data in contents(masks).items() if not name.startswith("out/")} == before


def test_colors_are_counted_each(tmp_path: Path) -> None:
    (tmp_path / "masks").mkdir()
    Image.fromarray(voc_palette()[MASK * 15]).save(tmp_path / "masks" / "a.png")
    palette = Image.fromarray(MASK)
    palette.putpalette(voc_palette().tobytes())
    palette.save(tmp_path / "masks" / "b.png")
    report = mask_map(tmp_path / "masks", tmp_path / "out", map=load_map("voc"))
    assert (report.mapped, report.rewritten) == (1, 1)
    assert report.values == (
        MappedValue("(0, 0, 0)", 0, "background", 192),
        MappedValue("(128, 0, 0)", 1, "aeroplane", 96),
        MappedValue("(192, 128, 128)", 15, "person", 96),
    )
