"""sbd-merge as a user types it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from segdata.miniature.sbd import write_release
from segdata.miniature.voc import write_devkit

Run = Callable[..., Result]


@pytest.fixture
def root(segdata: Run, tmp_path: Path) -> Path:
    write_devkit(tmp_path / "data", train=6, val=3)
    write_release(tmp_path / "data", voc_train=6, voc_val=3)
    assert segdata("voc-decolor", "--data_root", tmp_path / "data").exit_code == 0
    return tmp_path / "data"


def test_the_number_is_explained_in_text(segdata: Run, root: Path) -> None:
    result = segdata("sbd-merge", "--data_root", root)
    assert result.exit_code == 0, result.output
    assert result.output.splitlines() == [
        f"12 samples written to {root}/vocaug_train_lst.txt",
        f"6 index masks written to {root}/benchmark_RELEASE/dataset/cls_png_gray",
        "                    ids",
        "VOC train             6  VOC's own masks",
        "SBD train           + 7",
        "SBD val             + 3",
        "in both SBD lists   - 1  counted once",
        "in VOC train        - 2  VOC's own masks win",
        "in VOC val          - 1  left out of training",
        "samples            = 12  the usual number is 10,582: 10,570 fewer",
    ]


def test_the_number_is_explained_in_json(segdata: Run, root: Path) -> None:
    result = segdata("sbd-merge", "--data_root", root, "--dry-run", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.output) == {
        "report": "sbd_merge",
        "path": f"{root}/benchmark_RELEASE/dataset/cls_png_gray",
        "list": f"{root}/vocaug_train_lst.txt",
        "root": str(root),
        "counts": {
            "voc_train": 6,
            "sbd_train": 7,
            "sbd_val": 3,
            "sbd_both": 1,
            "in_voc_train": 2,
            "in_voc_val": 1,
            "samples": 12,
        },
        "usual": 10582,
        "missing": {},
        "written": False,
    }


def test_a_dry_run_on_lists_alone_says_what_is_missing(segdata: Run, root: Path) -> None:
    for path in (root / "benchmark_RELEASE").rglob("*.mat"):
        path.unlink()
    result = segdata("sbd-merge", "--data_root", root, "--dry-run")
    assert result.exit_code == 0, result.output
    assert "12 samples would be written to" in result.output
    assert "missing in benchmark_RELEASE/dataset/cls: 6 files, needed to write" in result.output


def test_masks_and_list_go_where_they_are_told_to(segdata: Run, root: Path) -> None:
    result = segdata("sbd-merge", "--data_root", root, "--dst_path", root / "ids", "--list", "lists/aug.txt")
    assert result.exit_code == 0, result.output
    assert len(list((root / "ids").glob("*.png"))) == 6
    assert " ids/2012_000009.png\n" in (root / "lists" / "aug.txt").read_text()


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (["--expect-count", "10582"], 1, "12 samples, 10,570 fewer than the 10,582 expected: VOC train 6 + SBD"),
        (["--expect-count", "0"], 2, "Invalid value for '--expect-count'"),
        (["--field", "inst"], 2, "Invalid value for '--field': 'inst' is not 'cls'"),
        (["--dst_path", "/tmp"], 1, "is outside the data root"),
    ],
)
def test_bad_input_gets_a_sentence_and_a_status(
    segdata: Run, root: Path, arguments: list[str], status: int, sentence: str
) -> None:
    result = segdata("sbd-merge", "--data_root", root, *arguments)
    assert result.exit_code == status
    assert sentence in result.output
    assert not (root / "vocaug_train_lst.txt").exists()


def test_the_count_that_was_expected_is_accepted(segdata: Run, root: Path) -> None:
    assert segdata("sbd-merge", "--data_root", root, "--expect-count", 12, "--field", "cls").exit_code == 0


def test_a_second_run_names_the_option_that_replaces(segdata: Run, root: Path) -> None:
    assert segdata("sbd-merge", "--data_root", root).exit_code == 0
    result = segdata("sbd-merge", "--data_root", root)
    assert result.exit_code == 1
    assert "--overwrite replaces it" in result.output
    assert segdata("sbd-merge", "--data_root", root, "--overwrite").exit_code == 0
