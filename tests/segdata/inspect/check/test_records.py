"""A record set is verified first; then its rows are checked like the files they were made from."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from segdata.inspect.check import CheckReport, check
from segdata.labels.masks import encode_index_png
from segdata.lists import read_list, write_list
from segdata.opening import open_dataset
from segdata.records.convert import to_mindrecord


def counts(report: CheckReport) -> dict[str, int]:
    return {finding.code: finding.count for finding in report.findings}


@pytest.fixture
def files(devkit: Path, tmp_path: Path) -> Path:
    """A copy of the devkit that a test may damage before it writes the set."""
    shutil.copytree(devkit, tmp_path / "data")
    return tmp_path / "data"


def written(root: Path) -> Path:
    to_mindrecord(open_dataset(root / "voc_train_lst.txt", data_root=root), root / "set", num_shards=2)
    return root / "set"


def test_nothing_is_found_in_a_clean_set(voc_records: Path, coco_records: Path) -> None:
    report = check(voc_records, hash=True, decode=True)
    assert (report.kind, report.task, report.samples, report.findings) == ("records", "semantic", 10, ())
    report = check(coco_records, hash=True, decode=True)
    # The miniature's last image has no instance.
    assert (report.task, report.samples, counts(report)) == ("instance", 12, {"no_annotation": 1})


def test_what_verify_finds_is_found_and_damaged_rows_are_not_read(files: Path) -> None:
    target = written(files)
    shard = target / "set.mindrecord1"
    data = bytearray(shard.read_bytes())
    data[-20] ^= 1
    shard.write_bytes(data)
    (target / "set.mindrecord0.db").unlink()
    (finding,) = check(target).findings
    assert (finding.code, finding.severity, finding.count) == ("record_damaged", "error", 2)
    assert str(finding.examples[0]) == f"{target}: set.mindrecord0.db: does not exist"
    assert "SHA-256" in str(finding.examples[1])


def test_a_directory_that_is_not_a_record_set_is_a_finding(tmp_path: Path) -> None:
    report = check(tmp_path)
    assert (report.kind, counts(report)) == ("records", {"not_a_dataset": 1})


def test_rows_are_checked_as_files_are(files: Path) -> None:
    images = [files / pair.image for pair in read_list(files / "voc_train_lst.txt")]
    labels = [files / pair.label for pair in read_list(files / "voc_train_lst.txt")]
    exif = Image.Exif()
    exif[0x0112] = 3
    Image.open(images[1]).save(images[1], exif=exif)
    Image.open(images[2]).convert("L").save(images[2])
    images[3].write_bytes(images[3].read_bytes()[:2000])
    shutil.copy(images[4], images[5])
    shutil.copy(labels[4], labels[5])
    labels[6].write_bytes(encode_index_png(np.full_like(np.asarray(Image.open(labels[6])), 255)))
    target = written(files)
    expected = {"rotated": 1, "mixed_modes": 1, "label_all_ignore": 1}
    assert counts(check(target)) == expected
    expected |= {"truncated": 1, "duplicate_content": 1}
    reports = [check(target, decode=True, hash=True, workers=workers) for workers in (1, 4)]
    assert counts(reports[0]) == expected
    assert reports[0] == reports[1]


def test_instances_are_checked_as_annotations_are(coco: Path, tmp_path: Path) -> None:
    shutil.copytree(coco, tmp_path / "data")
    path = tmp_path / "data" / "annotations" / "instances.json"
    members = json.loads(path.read_text())
    members["annotations"][5]["bbox"] = [0, 0, 70, 70]
    path.write_text(json.dumps(members))
    to_mindrecord(open_dataset(path, images=tmp_path / "data" / "images"), tmp_path / "set", num_shards=2)
    # One image has no annotations; sets keep it.
    assert counts(check(tmp_path / "set")) == {"box_mismatch": 1, "no_annotation": 1}


def test_a_list_is_compared_with_a_record_set(devkit: Path, voc_records: Path, tmp_path: Path) -> None:
    report = check(devkit / "voc_val_lst.txt", against=[open_dataset(voc_records)], hash=True)
    assert counts(report) == {}
    report = check(devkit / "voc_trainval_lst.txt", against=[open_dataset(voc_records)])
    assert counts(report) == {"overlap": 10}
    pairs = read_list(devkit / "voc_val_lst.txt")
    shutil.copy(devkit / read_list(devkit / "voc_train_lst.txt")[0].image, tmp_path / "other.jpg")
    shutil.copy(devkit / pairs[0].label, tmp_path / "other.png")
    write_list(tmp_path / "l.txt", [type(pairs[0])("other.jpg", "other.png")], overwrite=False)
    report = check(tmp_path / "l.txt", against=[open_dataset(voc_records)], hash=True)
    assert counts(report)["overlap_content"] == 1
