"""Fix as a user types it."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

from segdata.labels.masks import decode_index_png, encode_index_png

Run = Callable[..., Result]


@pytest.fixture
def copy(coco: Path, tmp_path: Path) -> Path:
    """A JSON with an annotation without iscrowd, and an image without annotations, which is a question."""
    shutil.copytree(coco, tmp_path / "data")
    path = tmp_path / "data" / "annotations" / "instances.json"
    members = json.loads(path.read_text())
    del members["annotations"][-1]["iscrowd"]
    path.write_text(json.dumps(members))
    return path


def test_the_report_says_what_was_cured_and_asks_about_the_rest(segdata: Run, copy: Path) -> None:
    result = segdata("fix", copy, "--dst_path", copy.with_name("fixed.json"), "--workers", 1)
    assert result.exit_code == 0, result.output
    assert "no_iscrowd     warning       1      1     0\n  ✓ iscrowd 0 added\n" in result.output
    assert "  ? Does the image show none of the classes, or are its annotations missing?\n" in result.output
    assert f"12 samples written to {copy.with_name('fixed.json')}: 1 fault cured, 1 left\n" in result.output
    assert f"--images {copy.parents[1] / 'images'}\n" in result.output
    again = segdata(
        "fix", copy.with_name("fixed.json"), "--dst_path", copy.with_name("b.json"), "--drop", "no_annotation"
    )
    assert "11 samples written to" in again.output
    both = segdata(
        "fix", copy.with_name("fixed.json"), "--dst_path", copy.with_name("both.json"), "--drop", "errors",
        "--drop", "no_annotation",
    )  # fmt: skip
    assert "11 samples written to" in both.output
    clean = segdata("fix", copy.with_name("b.json"), "--dst_path", copy.with_name("c.json"), "--dry-run")
    assert clean.output.startswith("no faults found; the result has the same bytes\n11 samples would be written to")


def test_a_report_as_json(segdata: Run, copy: Path) -> None:
    result = segdata(
        "fix", copy, "--dst_path", copy.with_name("fixed.json"), "--dry-run", "--json", "--only", "no_area"
    )
    report = json.loads(result.stdout)
    assert (report["written"], report["samples"]) == (False, 12)
    assert {code["code"]: code["left"] for code in report["codes"]} == {"no_annotation": 1, "no_iscrowd": 1}


def test_a_list_loses_what_another_one_has(segdata: Run, devkit: Path, tmp_path: Path) -> None:
    train, both, target = (devkit / f"voc_{name}_lst.txt" for name in ("train", "trainval", "fixed"))
    options = ("--data_root", devkit, "--against", train, "--drop-from", both, "--map", "voc")
    result = segdata("fix", both, "--dst_path", tmp_path / "fixed.txt", *options)
    assert result.exit_code == 0, result.output
    assert (tmp_path / "fixed.txt").read_bytes() == (devkit / "voc_val_lst.txt").read_bytes()
    assert not target.exists()
    refused = segdata("fix", both, "--dst_path", tmp_path / "x.txt", "--drop-from", train)
    assert (refused.exit_code, "Run segdata fix" in refused.output) == (1, True)
    command = refused.output.partition("Run segdata ")[2].strip().rstrip(".").replace("NEW", str(tmp_path / "x.txt"))
    # All of train is in trainval.
    assert "has no sample without a fault (overlap)" in segdata(*shlex.split(command)).output


def test_a_list_loses_all_samples_with_errors_and_can_then_be_written(
    segdata: Run, devkit: Path, tmp_path: Path
) -> None:
    shutil.copytree(devkit, root := tmp_path / "data")
    trainval, target = root / "voc_trainval_lst.txt", tmp_path / "fixed.txt"
    pairs = trainval.read_text().splitlines()
    wrong, small = (root / pair.split()[1] for pair in pairs[:2])
    wrong.write_bytes(encode_index_png(np.full_like(decode_index_png(wrong.read_bytes()), 77)))
    small.write_bytes(encode_index_png(decode_index_png(small.read_bytes())[1:]))
    options = ("--data_root", root)
    left = segdata("fix", trainval, "--dst_path", tmp_path / "left.txt", *options)
    assert "0 faults cured, 2 left" in left.output
    dropped = segdata("fix", trainval, "--dst_path", target, *options, "--drop", "errors")
    assert "2 faults cured, 0 left" in dropped.output
    assert target.read_text().splitlines() == pairs[2:]
    assert segdata("to-mindrecord", target, *options, "--dst_path", tmp_path / "set", "--num_shards", 1).exit_code == 0


def test_sets_with_folders_of_their_own_are_compared_by_content(segdata: Run, coco: Path, tmp_path: Path) -> None:
    shutil.copytree(coco, tmp_path / "data")
    source = tmp_path / "data" / "annotations" / "instances.json"
    members = json.loads(source.read_text())
    shared = members["images"][0]["file_name"]
    (tmp_path / "val").mkdir()
    shutil.copyfile(tmp_path / "data" / "images" / shared, tmp_path / "val" / "other.jpg")
    image = members["images"][0] | {"file_name": "other.jpg"}
    (tmp_path / "val.json").write_text(json.dumps(members | {"images": [image], "annotations": []}))
    against = ["--against", tmp_path / "val.json", "--against_images", tmp_path / "val", "--hash"]
    assert "overlap_content" in segdata("check", source, *against).output
    target = tmp_path / "fixed.json"
    result = segdata("fix", source, *against, "--drop-from", source, "--dst_path", target, "--workers", 1)
    assert result.exit_code == 0, result.output
    names = [each["file_name"] for each in json.loads(target.read_text())["images"]]
    assert names == [each["file_name"] for each in members["images"][1:]]


def test_only_faults_of_samples_are_offered_to_be_dropped(segdata: Run, devkit: Path, tmp_path: Path) -> None:
    names = tmp_path / "names.txt"
    names.write_text("".join(f"{number}\n" for number in range(200)))
    source = devkit / "voc_train_lst.txt"
    result = segdata("fix", source, "--dst_path", tmp_path / "fixed.txt", "--class_names", names, "--dry-run")
    assert ("class_unused" in result.output, "--drop class_unused" in result.output) == (True, False)


def test_the_folder_is_named_as_a_shell_reads_it(segdata: Run, devkit: Path, tmp_path: Path) -> None:
    shutil.copytree(devkit, root := tmp_path / "my data")
    result = segdata("fix", root / "voc_train_lst.txt", "--dst_path", tmp_path / "fixed.txt")
    line = next(line for line in result.output.splitlines() if line.startswith("data root"))
    options = shlex.split(line.partition(": ")[2])
    assert segdata("check", tmp_path / "fixed.txt", *options).exit_code == 0
