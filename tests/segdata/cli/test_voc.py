"""voc-decolor, voc-list and sample as a user types them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from PIL import Image

Run = Callable[..., Result]


@pytest.fixture
def root(segdata: Run, tmp_path: Path) -> Path:
    assert segdata("sample", tmp_path / "data", "--train", 3, "--val", 1).exit_code == 0
    return tmp_path / "data"


def test_from_devkit_to_lists(segdata: Run, root: Path) -> None:
    result = segdata("voc-decolor", "--data_root", root)
    assert result.exit_code == 0, result.output
    assert "4 index masks written to" in result.output
    result = segdata("voc-list", "--data_root", root, "--split", "train")
    assert result.exit_code == 0, result.output
    assert (root / "voc_train_lst.txt").read_text().count("\n") == 3


@pytest.mark.parametrize("spelling", ["--data_root", "--data-root"])
@pytest.mark.parametrize("dry", ["--dry-run", "--dry_run"])
def test_dashes_and_underscores_are_the_same(segdata: Run, root: Path, spelling: str, dry: str) -> None:
    result = segdata("voc-decolor", spelling, root, dry, "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.output)["rewritten"] == 4


def test_a_users_color_map_is_taken(segdata: Run, root: Path, tmp_path: Path) -> None:
    (tmp_path / "masks").mkdir()
    Image.new("RGB", (2, 2), (10, 20, 30)).save(tmp_path / "masks" / "a.png")
    (tmp_path / "map.txt").write_text("ground 0 0 0\nroad 10 20 30\n")
    result = segdata(
        "voc-decolor", "--data_root", tmp_path, "--src_path", tmp_path / "masks", "--dst_path", tmp_path / "ids",
        "--colormap", tmp_path / "map.txt",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert Image.open(tmp_path / "ids" / "a.png").getpixel((0, 0)) == 1


def test_an_existing_result_names_the_way_out(segdata: Run, root: Path) -> None:
    segdata("voc-decolor", "--data_root", root)
    result = segdata("voc-decolor", "--data_root", root)
    assert result.exit_code == 1
    assert "already exists (--overwrite replaces it)" in result.output
    assert segdata("voc-decolor", "--data_root", root, "--overwrite").exit_code == 0


@pytest.mark.parametrize("flag", [(), ("--overwrite",), ("--dry-run",)])
def test_masks_are_not_replaced_by_themselves_and_no_flag_is_recommended(
    segdata: Run, root: Path, flag: tuple[str, ...]
) -> None:
    masks = root / "VOCdevkit" / "VOC2012" / "SegmentationClass"
    before = {path.name: path.read_bytes() for path in masks.iterdir()}
    result = segdata("voc-decolor", "--data_root", root, "--dst_path", masks, *flag)
    assert (result.exit_code, "which would be replaced. Choose another target" in result.output) == (1, True)
    assert "--overwrite" not in result.output
    assert {path.name: path.read_bytes() for path in masks.iterdir()} == before


@pytest.mark.parametrize("flag", [(), ("--overwrite",)])
def test_a_folder_that_is_not_ours_is_refused_and_no_flag_is_recommended(
    segdata: Run, root: Path, flag: tuple[str, ...]
) -> None:
    photos = root / "VOCdevkit" / "VOC2012" / "JPEGImages"
    before = {path.name: path.read_bytes() for path in photos.iterdir()}
    result = segdata("voc-decolor", "--data_root", root, "--dst_path", photos, *flag)
    assert (result.exit_code, "JPEGImages: has no .segdata-files.json" in result.output) == (1, True), result.output
    assert "--overwrite" not in result.output
    assert {path.name: path.read_bytes() for path in photos.iterdir()} == before


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (("voc-decolor",), 2, "Missing option '--data_root'"),
        (("voc-decolor", "--data_root", "{root}", "--colormap", "{root}/none.txt"), 1, "none.txt: neither a file"),
        (("voc-decolor", "--data_root", "{root}/VOCdevkit/VOC2012/ImageSets"), 1, "no VOC devkit"),
        (("voc-list", "--data_root", "{root}"), 1, "Make it from SegmentationClass with voc-decolor"),
        (
            ("voc-list", "--data_root", "{root}", "--split", "test"),
            1,
            "test.txt: no such id list; expected one of train",
        ),
        (("sample", "{root}"), 1, "expected a missing or empty directory"),
        (("voc-decolorize",), 2, "No such command"),
    ],
)
def test_bad_input_gets_a_sentence_and_a_status(
    segdata: Run, root: Path, arguments: tuple[str, ...], status: int, sentence: str
) -> None:
    result = segdata(*(argument.format(root=root) for argument in arguments))
    assert (result.exit_code, sentence in result.output) == (status, True), result.output
    assert "Traceback" not in result.output
