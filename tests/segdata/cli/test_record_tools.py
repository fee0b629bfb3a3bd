"""unpack, adopt and info as a user types them."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from foreign_sets import write_foreign, zoo_rows
from PIL import Image

from segdata.records.manifest import MANIFEST

Run = Callable[..., Result]


@pytest.fixture
def shard(voc_records: Path, tmp_path: Path) -> Path:
    return write_foreign(tmp_path / "zoo", zoo_rows(voc_records))


def test_the_command_that_unpack_names_writes_the_same_rows(segdata: Run, voc_records: Path, tmp_path: Path) -> None:
    result = segdata("unpack", voc_records, "--dst_path", tmp_path / "my files")
    assert result.exit_code == 0, result.output
    assert "images and labels of 10 rows written to" in result.output
    command = shlex.split(result.output.partition("to write them again: segdata ")[2].strip())
    again = tmp_path / "again"
    result = segdata(*(str(again) if part == "SET" else part for part in command), "--num_shards", 3)
    assert result.exit_code == 0, result.output
    ours, theirs = (json.loads((path / MANIFEST).read_text()) for path in (again, voc_records))
    for key in ("classes", "ignore_label", "inputs", "payload_bytes", "images"):
        assert ours[key] == theirs[key], key


def test_the_command_that_unpack_names_also_writes_fewer_rows_than_its_default_of_shards(
    segdata: Run, devkit: Path, tmp_path: Path
) -> None:
    few = tmp_path / "few_lst.txt"
    few.write_text("".join((devkit / "voc_train_lst.txt").read_text().splitlines(keepends=True)[:3]))
    line = ("--data_root", devkit, "--num_shards", 1, "--no-shuffle", "--dst_path", tmp_path / "set")
    assert segdata("to-mindrecord", few, *line).exit_code == 0
    result = segdata("unpack", tmp_path / "set", "--dst_path", tmp_path / "files")
    command = shlex.split(result.output.partition("to write them again: segdata ")[2].strip())
    result = segdata(*(str(tmp_path / "again") if part == "SET" else part for part in command))
    assert result.exit_code == 0, result.output
    ours, theirs = (json.loads((tmp_path / name / MANIFEST).read_text()) for name in ("again", "set"))
    assert ours["inputs"] == theirs["inputs"]


def test_void_as_class_0_keeps_its_place_among_the_names_of_a_set_without_a_manifest(
    segdata: Run, tmp_path: Path
) -> None:
    names = tmp_path / "names.txt"
    names.write_text("void\nroad\ncar\n")
    classes = ("--class_names", names, "--ignore_label", 0)
    Image.new("RGB", (6, 4)).save(tmp_path / "a.jpg")
    Image.fromarray(np.array([[0, 1, 2]] * 4, np.uint8).repeat(2, axis=1)).save(tmp_path / "a.png")
    (tmp_path / "all_lst.txt").write_text("a.jpg a.png\n")
    result = segdata(
        "to-mindrecord", tmp_path / "all_lst.txt", *classes, "--num_shards", 1, "--dst_path", tmp_path / "set"
    )
    assert result.exit_code == 0, result.output
    (tmp_path / "set" / MANIFEST).unlink()
    result = segdata("unpack", tmp_path / "set", *classes, "--dst_path", tmp_path / "files")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "files" / "classes.txt").read_text() == "void\nroad\ncar\n"
    assert f"--class_names {tmp_path / 'files' / 'classes.txt'} --ignore_label 0 " in result.output


def test_unpack_tells_of_instances_and_repeated_names(
    segdata: Run, coco_records: Path, voc_records: Path, tmp_path: Path
) -> None:
    result = segdata("unpack", coco_records, "--dst_path", tmp_path / "coco")
    assert "images of 12 rows, 20 instances written to" in result.output
    rows = zoo_rows(voc_records)
    rows[1]["file_name"] = rows[0]["file_name"]
    rows[2]["label"] = b"?"
    shard = write_foreign(tmp_path / "zoo", rows)
    (tmp_path / "names.txt").write_text("a\nb\n")
    line = ("unpack", shard, "--class_names", tmp_path / "names.txt", "--workers", 1, "--dst_path", tmp_path / "files")
    result = segdata(*line)
    assert result.exit_code == 0, result.output
    renamed = "1 image renamed, because another row has the same name:\n  row 1: has the file name of row 0"
    assert renamed in result.output
    assert "1 label that to-mindrecord refuses:\n  labels/" in result.output
    assert segdata(*line).exit_code == 1
    report = json.loads(segdata(*line, "--overwrite", "--json").output)
    assert (report["rows"], report["class_names_file"], len(report["renamed"])) == (
        10,
        str(tmp_path / "files" / "classes.txt"),
        1,
    )


def test_adopted_sets_are_verified_and_described(segdata: Run, shard: Path) -> None:
    assert "can be adopted" in segdata("adopt", shard, "--dry-run").output
    result = segdata("adopt", shard)
    assert result.exit_code == 0, result.output
    assert "10 rows in 2 shards, adopted: its manifest is written\nclasses without pixels" in result.output
    result = segdata("verify", shard)
    assert (result.exit_code, "10 rows in 2 shards, intact" in result.output) == (0, True), result.output
    described = segdata("info", shard).output
    assert "voc: semantic record set, adopted by segdata" in described
    assert "order     of the program that wrote it" in described


@pytest.mark.parametrize(
    ("line", "status", "sentence"),
    [
        ("adopt {zoo} --num_classes 2", 1, "nothing was written. Take it apart with segdata unpack"),
        ("adopt {zoo} --value_range auto", 2, "expected LOW:HIGH"),
        ("adopt {zoo}/none", 2, "does not exist"),
        ("unpack {zoo}/none --dst_path {zoo}/out", 2, "does not exist"),
        ("unpack {zoo} --dst_path {zoo}", 1, "would be replaced"),
        ("unpack {zoo} --image_field x --dst_path {zoo}/out", 1, "no field 'x'"),
        ("unpack {zoo}", 2, "Missing option '--dst_path'"),
        ("info {zoo}/none", 2, "does not exist"),
        ("check {zoo} --num_classes 2", 1, "value_outside_classes"),
    ],
)
def test_bad_input_gets_a_sentence_and_a_status(
    segdata: Run, shard: Path, line: str, status: int, sentence: str
) -> None:
    result = segdata(*line.format(zoo=shard.parent).split())
    assert (result.exit_code, sentence in result.output) == (status, True), result.output
    assert "Traceback" not in result.output
    assert sorted(path.name for path in shard.parent.iterdir()) == [
        "voc.mindrecord0",
        "voc.mindrecord0.db",
        "voc.mindrecord1",
        "voc.mindrecord1.db",
    ]


def test_info_describes_every_data_set(segdata: Run, shard: Path, devkit: Path, coco: Path) -> None:
    text = segdata("info", shard).output
    assert text.startswith("voc: semantic record set without a manifest, MindRecord 3.0, schema 'foreign'\n")
    assert "rows       10 in 2 shards of 5" in text
    assert "not given  class names: classes are numbered. Give names with --class_names" in text
    found = json.loads(segdata("info", shard, "--json").output)
    assert (found["rows"], len(found["first"]), found["fields"][0]["role"]) == (10, 3, "image")
    assert "list file of 10 samples" in segdata("info", devkit / "voc_train_lst.txt").output
    text = segdata("info", coco / "annotations" / "instances.json").output
    assert "COCO JSON of 12 images, 1 of them without annotations\n20 annotations, 1 of them crowds\n" in text
    assert json.loads(segdata("info", coco / "annotations" / "instances.json", "--json").output)["samples"] == 12


def test_what_is_not_known_is_said_by_check_stats_and_preview(segdata: Run, shard: Path, tmp_path: Path) -> None:
    fact = "not given  class names"
    for line in (("check", shard), ("stats", shard), ("preview", shard, "--out", tmp_path / "sheet.png")):
        result = segdata(*line)
        assert (result.exit_code, fact in result.output) == (0, True), result.output
    (tmp_path / "names.txt").write_text("".join(f"name {id_}\n" for id_ in range(21)))
    result = segdata("stats", shard, "--class_names", tmp_path / "names.txt", "--image_field", "data")
    assert (fact in result.output, "name 20" in result.output) == (False, True), result.output


def test_a_set_that_lost_a_shard_is_a_sentence(segdata: Run, shard: Path, tmp_path: Path) -> None:
    shutil.copytree(shard.parent, tmp_path / "less")
    (tmp_path / "less" / "voc.mindrecord1").unlink()
    for command in ("info", "check", "adopt"):
        result = segdata(command, tmp_path / "less" / "voc.mindrecord0")
        assert (result.exit_code, "1 of 2 shards of its set are missing" in result.output) == (1, True), result.output
