"""The manifest says what the set holds, and is checked before it is believed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from segdata.errors import InvalidInputError
from segdata.records.reader import open_set


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
    with pytest.raises(InvalidInputError, match=r"nowhere\.mindrecord0: does not exist"):
        open_set(tmp_path / "nowhere.mindrecord0")


def test_a_manifest_that_cannot_be_read_is_not_called_missing(record_set: Path) -> None:
    (record_set / "manifest.json").unlink()
    (record_set / "manifest.json").symlink_to("manifest.json")
    with pytest.raises(InvalidInputError, match=r"manifest.json: cannot be read: Too many levels of symbolic links$"):
        open_set(record_set)


def test_a_file_that_is_not_part_of_the_set_does_not_name_it(record_set: Path) -> None:
    (record_set / "other.mindrecord").touch()
    with pytest.raises(InvalidInputError, match="not a file of the record set"):
        open_set(record_set / "other.mindrecord")


def edit(record_set: Path, place: str, value: object) -> Path:
    """Set the value at `place`, such as ``shards.0.rows``; return the manifest's path."""
    path = record_set / "manifest.json"
    manifest = json.loads(path.read_text())
    *above, last = [int(part) if part.isdecimal() else part for part in place.split(".")]
    parent = manifest
    for part in above:
        parent = parent[part]
    parent[last] = value
    path.write_text(json.dumps(manifest))
    return path


@pytest.mark.parametrize(
    ("place", "value", "reason"),
    [
        ("format", "something else", r"`\$\.format`"),
        ("format_version", 99, "format version 99 is newer"),
        ("format_version", "2", r"`\$\.format_version`"),
        ("rows", "ten", r"`\$\.rows`"),
        ("rows", -5, r"`\$\.rows`"),
        ("rows", 1e30, r"`\$\.rows`"),
        ("rows", 11, "rows: 11, but its shards have 10 together"),
        ("name", "", r"`\$\.name`"),
        ("ignore_label", 300, r"`\$\.ignore_label`"),
        ("ignore_label", None, "ignore_label: None in a set of the task semantic"),
        ("classes", [], r"`\$\.classes`"),
        ("classes.1.name", "background", "classes: two have the name 'background'"),
        ("classes.1.id", 7, "classes: the ids are .0, 7, 2"),
        ("classes.1.pixels", -1, r"`\$\.classes\[.+\]\.pixels`"),
        ("inputs", "0" * 63, r"`\$\.inputs`"),
        ("value_range", [5, 5], "value_range: .5.0, 5.0.; expected the lower value first"),
        ("schema.data.type", "string", "schema: differs"),
        ("options", {}, "missing required field `num_shards`"),
        ("options.num_shards", 4, "options: num_shards is 4, but it lists 3 shards"),
        ("shards", [], r"`\$\.shards`"),
        ("shards.0.file", "../train.mindrecord0", "names a file outside its directory: '../train.mindrecord0'"),
        ("shards.0.file", "train.mindrecord1", "shards: two have the file 'train.mindrecord1'"),
        ("shards.0.bytes", -1, r"`\$\.shards\[.+\]\.bytes`"),
        ("shards.0.sha256", "x", r"`\$\.shards\[.+\]\.sha256`"),
    ],
)
def test_a_changed_manifest_is_refused(record_set: Path, place: str, value: object, reason: str) -> None:
    path = edit(record_set, place, value)
    with pytest.raises(InvalidInputError, match=reason) as refused:
        open_set(record_set)
    assert str(refused.value).startswith(f"{path}: ")


def test_a_manifest_larger_than_any_is_refused_unread(record_set: Path) -> None:
    path = record_set / "manifest.json"
    with path.open("r+b") as file:
        file.truncate(2 << 30)
    with pytest.raises(InvalidInputError, match=r"manifest\.json: has 2147483648 bytes; expected at most"):
        open_set(record_set)


def test_a_fifo_instead_of_a_manifest_is_refused_unopened(record_set: Path) -> None:
    (record_set / "manifest.json").unlink()
    os.mkfifo(record_set / "manifest.json")
    with pytest.raises(InvalidInputError, match=r"manifest\.json: is a FIFO"):
        open_set(record_set)


def test_truncated_json_is_a_sentence(record_set: Path) -> None:
    path = record_set / "manifest.json"
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(InvalidInputError, match="not a manifest"):
        open_set(record_set)


def test_the_message_about_class_ids_names_the_first_ones_that_belong_there(record_set: Path) -> None:
    path = edit(record_set, "classes.1.id", 7)
    with pytest.raises(InvalidInputError) as refused:
        open_set(record_set)
    assert str(refused.value) == (
        f"{path}: not a manifest of a record set: classes: the ids are [0, 7, 2, 3, 4, 5, 6, 7, 8, 9]; "
        "expected 0, 1, … in this order"
    )
