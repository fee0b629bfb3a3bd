"""The manifest says what the set holds, and is checked before it is believed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from segdata.errors import InvalidInputError
from segdata.records.manifest import open_set


@pytest.mark.parametrize("name", ["", "manifest.json", "train.mindrecord0", "train.mindrecord2"])
def test_directory_manifest_and_any_shard_name_the_set(pristine: Path, name: str) -> None:
    found = open_set(pristine / name)
    assert found.directory == pristine
    assert found.manifest.rows == 10
    assert [path.name for path in found.shard_paths] == [f"train.mindrecord{index}" for index in range(3)]


def test_it_holds_no_time_and_no_absolute_path(pristine: Path) -> None:
    text = (pristine / "manifest.json").read_text()
    assert str(pristine.parent) not in text
    assert json.loads(text)["options"] == {"num_shards": 3, "seed": 0, "shuffle": True}


def test_a_place_without_a_set_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="no record set"):
        open_set(tmp_path)
    with pytest.raises(InvalidInputError, match=r"nowhere\.mindrecord0: no record set"):
        open_set(tmp_path / "nowhere.mindrecord0")


def test_a_file_that_is_no_part_of_the_set_does_not_name_it(record_set: Path) -> None:
    (record_set / "other.mindrecord").touch()
    with pytest.raises(InvalidInputError, match="not a file of the record set"):
        open_set(record_set / "other.mindrecord")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"format_version": 99}, "format version 99 is newer"),
        ({"rows": "ten"}, "not a manifest"),
        ({"format": "something else"}, "not a manifest"),
    ],
)
def test_a_changed_manifest_is_refused(record_set: Path, change: dict[str, object], reason: str) -> None:
    path = record_set / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(InvalidInputError, match=reason):
        open_set(record_set)


def test_a_manifest_cannot_name_files_elsewhere(record_set: Path) -> None:
    path = record_set / "manifest.json"
    path.write_text(path.read_text().replace("train.mindrecord0", "../train.mindrecord0"))
    with pytest.raises(InvalidInputError, match="outside its directory"):
        open_set(record_set)


def test_truncated_json_is_a_sentence(record_set: Path) -> None:
    path = record_set / "manifest.json"
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(InvalidInputError, match="not a manifest"):
        open_set(record_set)
