"""mask-map as a user types it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from PIL import Image

from segdata.cli.mask_map import mask_map_command
from segdata.labels.map_file import MAP_NAMES

Run = Callable[..., Result]

MASK = np.kron(np.array([[0, 1], [1, 0]], np.uint8), np.ones((6, 8), np.uint8))


@pytest.fixture
def masks(tmp_path: Path) -> Path:
    folder = tmp_path / "masks"
    (folder / "sub").mkdir(parents=True)
    Image.fromarray(MASK * 255).save(folder / "a.png")
    Image.fromarray(MASK * 255).save(folder / "sub" / "b.png")
    (folder / "a.json").write_text("{}")
    return folder


def test_the_report_says_what_became_what(segdata: Run, masks: Path, tmp_path: Path) -> None:
    result = segdata("mask-map", masks, "--map", "binary", "--dst_path", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert result.output.splitlines() == [
        f"2 index masks written to {tmp_path / 'out'} (2 mapped)",
        "value  class           pixels",
        "0      0 (background)     192",
        "255    1 (foreground)     192",
        f"class names, for --class_names: {tmp_path / 'out' / 'classes.txt'}",
        "left out, *.json: 1",
    ]
    assert np.array_equal(np.asarray(Image.open(tmp_path / "out" / "sub" / "b.png")), MASK)


def test_a_dry_run_in_json_writes_nothing(segdata: Run, masks: Path, tmp_path: Path) -> None:
    result = segdata("mask-map", masks, "--map", "0:3,255:4", "--dst_path", tmp_path / "out", "--dry-run", "--json")
    report = json.loads(result.output)
    assert (report["written"], report["class_names_file"]) == (False, None)
    assert report["values"] == [
        {"source": "0", "id": 3, "name": "class_3", "pixels": 192},
        {"source": "255", "id": 4, "name": "class_4", "pixels": 192},
    ]
    assert not (tmp_path / "out").exists()


def test_many_values_are_counted_but_not_all_shown(segdata: Run, tmp_path: Path) -> None:
    (tmp_path / "ids").mkdir()
    Image.fromarray(np.arange(100, dtype=np.uint16).reshape(10, 10)).save(tmp_path / "ids" / "a.png")
    result = segdata("mask-map", tmp_path / "ids", "--map", "0:0,*:1", "--dst_path", tmp_path / "out")
    assert result.output.splitlines()[-1] == "… and 60 more values; --json shows all"


@pytest.mark.parametrize(
    ("options", "status", "sentence"),
    [
        ((), 1, "--map or --threshold: expected one of them"),
        (("--map", "0:0,255"), 1, "'255': expected VALUE:CLASS"),
        (("--map", "cityscape"), 1, "expected VALUE:CLASS entries, a file, or one of voc, ade20k"),
        (("--map", "0:0"), 1, "pixel (x=8, y=0) has value 255; expected 0 (96 such pixels)"),
        (
            ("--map", "0:0"),
            1,
            "2 of 2 masks cannot be converted. Give unknown values a class in the map; ",
        ),
        (("--map", "voc"), 1, "--map binary --dst_path NEW"),
        (("--map", "voc", "--ignore_label", "5"), 1, "class 5 (bottle) has the ignore label 5"),
        (("--threshold", "0"), 2, "not in the range"),
        (("--map", "binary", "--mask_suffix", "_x"), 1, "contains no masks"),
    ],
)
def test_bad_input_gets_a_sentence_and_a_status(
    segdata: Run, masks: Path, tmp_path: Path, options: tuple[str, ...], status: int, sentence: str
) -> None:
    result = segdata("mask-map", masks, "--dst_path", tmp_path / "out", *options)
    assert (result.exit_code, sentence in " ".join(result.output.split())) == (status, True), result.output
    assert not (tmp_path / "out").exists()


def test_the_help_names_every_map() -> None:
    text = mask_map_command.help or ""
    assert all(name in text for name in MAP_NAMES)


def test_of_cityscapes_the_label_ids_are_taken_unless_others_are_named(segdata: Run, tmp_path: Path) -> None:
    city = tmp_path / "gtFine" / "city"
    city.mkdir(parents=True)
    Image.fromarray(np.array([[7, 26]], np.uint8)).save(city / "c_gtFine_labelIds.png")
    Image.fromarray(np.array([[0, 13]], np.uint8)).save(city / "c_gtFine_labelTrainIds.png")
    colors = np.array([[[128, 64, 128, 255], [0, 0, 142, 255]]], np.uint8)
    Image.fromarray(colors).save(city / "c_gtFine_color.png")
    for suffix, name in (((), "labelIds"), (("--mask_suffix", "_color"), "color")):
        target = tmp_path / name
        result = segdata("mask-map", tmp_path / "gtFine", "--map", "cityscapes", "--dst_path", target, *suffix)
        assert result.exit_code == 0, result.output
        assert result.output.endswith("left out, *.png: 2\n")
        assert np.asarray(Image.open(target / "city" / f"c_gtFine_{name}.png")).tolist() == [[0, 13]]
