"""Merge as a user types it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from segdata.records.verify import verify

Run = Callable[..., Result]


@pytest.fixture
def lists(tmp_path: Path) -> list[Path]:
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "lst.txt").write_text("x.jpg x.png\n")
    return [tmp_path / "a" / "lst.txt", tmp_path / "b" / "lst.txt"]


def test_lists(segdata: Run, lists: list[Path], tmp_path: Path) -> None:
    result = segdata("merge", *lists, "--dst_path", tmp_path / "out.txt")
    assert result.exit_code == 0, result.output
    assert "2 samples written to" in result.output
    assert f"--data_root {tmp_path}\n" in result.output
    assert (tmp_path / "out.txt").read_text() == "a/x.jpg a/x.png\nb/x.jpg b/x.png\n"
    roots = ("--data_root", tmp_path / "a", "--data_root", tmp_path / "b")
    result = segdata("merge", *lists, *roots, "--dst_path", tmp_path / "out.txt", "--overwrite", "--dry-run", "--json")
    assert json.loads(result.output)["written"] is False


def test_jsons(segdata: Run, coco: Path, tmp_path: Path) -> None:
    source = coco / "annotations" / "instances.json"
    (tmp_path / "names.txt").write_text("triangle\nellipse\n")
    command = ("merge", source, "--dst_path", tmp_path / "out.json", "--class_names", tmp_path / "names.txt")
    result = segdata(*command)
    assert (result.exit_code, "class 'rectangle' has" in result.output) == (1, True), result.output
    result = segdata(*command, "--unknown", "ignore", "--images", coco / "images")
    assert result.exit_code == 0, result.output
    assert re.search(r"^left out: \d+ annotations of class 'rectangle'$", result.output, re.MULTILINE), result.output
    categories = json.loads((tmp_path / "out.json").read_text())["categories"]
    assert [(each["id"], each["name"]) for each in categories] == [(1, "triangle"), (2, "ellipse")]


def test_sets(segdata: Run, voc_records: Path, coco_records: Path, tmp_path: Path) -> None:
    for records in (voc_records, coco_records):
        target = tmp_path / records.name
        command = ("merge", records, "--dst_path", target, "--num_shards", 4, "--no-shuffle", "--prefix")
        result = segdata(*command)
        assert result.exit_code == 0, result.output
        assert "rows in 4 shards written to" in result.output
        assert verify(target).ok
        result = segdata(*command)
        assert (result.exit_code, "--overwrite replaces it" in result.output) == (1, True), result.output
        result = segdata(*command, "--overwrite", "--json")
        assert json.loads(result.output)["written"] is True
        result = segdata(*command, "--resume")
        assert f"in {target} already: an earlier run finished this merge; nothing was written" in result.output


@pytest.mark.parametrize(
    ("options", "status", "sentence"),
    [
        (("none.txt", "--dst_path", "x.txt"), 2, "none.txt: does not exist"),
        (("ftp://host/set", "--dst_path", "x"), 2, "expected a path, s3://"),
        (("--dst_path", "x.txt"), 2, "Missing argument"),
        (("{root}/a/lst.txt", "--dst_path", "x.txt", "--num_shards", "2"), 1, "does not take --num_shards"),
        (("{root}/a/lst.txt", "{root}", "--dst_path", "x.txt"), 1, "Parts of several types"),
    ],
)
def test_bad_input_gets_a_sentence_and_a_status(
    segdata: Run, lists: list[Path], tmp_path: Path, options: tuple[str, ...], status: int, sentence: str
) -> None:
    result = segdata("merge", *(option.format(root=tmp_path) for option in options))
    assert (result.exit_code, sentence in result.output) == (status, True), result.output
    assert "Traceback" not in result.output
