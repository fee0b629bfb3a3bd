"""pair-list as a user types it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from PIL import Image

Run = Callable[..., Result]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
    for name, mode in (("a", "L"), ("b", "P")):
        Image.new("RGB", (6, 4)).save(tmp_path / "images" / f"{name}.JPG")
        Image.new(mode, (6, 4)).save(tmp_path / "labels" / f"{name}_mask.png")
    (tmp_path / "images" / "a.json").touch()
    return tmp_path


def arguments(root: Path) -> list[str]:
    return [
        "pair-list", "--images", f"{root}/images", "--labels", f"{root}/labels", "--dst_path", f"{root}/list.txt",
    ]  # fmt: skip


def test_the_report_names_the_data_root_and_hints_at_color(segdata: Run, root: Path) -> None:
    result = segdata(*arguments(root), "--label_suffix", "_mask.png")
    assert result.exit_code == 0, result.output
    assert result.output.splitlines() == [
        f"2 samples written to {root}/list.txt",
        f"data root, to use with the list: --data_root {root}",
        "labels by format: 8-bit gray PNG: 1, 1-bit palette PNG: 1",
        "1 label is not an 8-bit gray PNG, which hold class ids. Convert masks of any kind with segdata mask-map",
        "left out, neither images nor labels: .json: 1",
    ]
    assert (root / "list.txt").read_text() == "images/a.JPG labels/a_mask.png\nimages/b.JPG labels/b_mask.png\n"


def test_index_masks_get_no_hint(segdata: Run, root: Path) -> None:
    (root / "images" / "b.JPG").unlink()
    (root / "labels" / "b_mask.png").unlink()
    result = segdata(*arguments(root), "--label-suffix", "_mask")
    assert result.exit_code == 0, result.output
    assert "hint:" not in result.output


def test_the_report_as_json(segdata: Run, root: Path) -> None:
    result = segdata(*arguments(root), "--label_suffix", "_mask", "--dry-run", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.output) == {
        "report": "folder",
        "path": f"{root}/list.txt",
        "root": str(root),
        "samples": 2,
        "labels": {"8-bit gray PNG": 1, "1-bit palette PNG": 1},
        "left_out": {".json": 1},
        "unpaired": {},
        "unlisted": 0,
        "left_out_folders": [],
        "written": False,
    }


def test_unpaired_files_end_with_status_one(segdata: Run, root: Path) -> None:
    (root / "labels" / "a_mask.png").unlink()
    result = segdata(*arguments(root), "--label_suffix", "_mask")
    assert result.exit_code == 1
    assert "1 valid pair, but also images without a label (1); nothing was written. Leave out " in result.output
    assert " with --unpaired skip:\n  images/a.JPG: no label" in result.output
    assert not (root / "list.txt").exists()


def test_names_that_never_meet_end_with_a_hint(segdata: Run, root: Path) -> None:
    result = segdata(*arguments(root))
    assert result.exit_code == 1
    assert "images are named like a, labels like a_mask" in result.output


def test_ids_and_files_without_a_counterpart_are_counted(segdata: Run, root: Path) -> None:
    (root / "labels" / "b_mask.png").unlink()
    Image.new("RGB", (6, 4)).save(root / "images" / "c.JPG")
    (root / "ids.txt").write_text("a\nb\n")
    result = segdata(*arguments(root), "--label_suffix", "_mask", "--ids", root / "ids.txt", "--unpaired", "skip")
    assert result.exit_code == 0, result.output
    assert result.output.splitlines()[-2:] == [
        "left out, images without a label: 1",
        "left out, names not in --ids: 1",
    ]
    assert (root / "list.txt").read_text() == "images/a.JPG labels/a_mask.png\n"
