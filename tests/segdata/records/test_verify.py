"""`verify` finds every way in which a set can differ from what was written."""

from __future__ import annotations

import hashlib
import random
import re
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from segdata.coco.file import read_coco
from segdata.errors import InvalidInputError
from segdata.labels.classes import Classes
from segdata.mindrecord.header import encode_header, read_shard_header
from segdata.opening import open_dataset
from segdata.records.convert import to_mindrecord
from segdata.records.manifest import MANIFEST
from segdata.records.manifest_file import read_manifest, write_manifest
from segdata.records.verify import verify


def change_byte(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def edit_manifest(folder: Path, **changes: Any) -> None:
    """Write the manifest with other values, and with the digest that belongs to them."""
    write_manifest(folder, replace(read_manifest(folder / MANIFEST), **changes))


def edit_class(folder: Path, number: int, **changes: Any) -> None:
    classes = [*read_manifest(folder / MANIFEST).classes]
    classes[number] = replace(classes[number], **changes)
    edit_manifest(folder, classes=tuple(classes))


def accept_files(folder: Path) -> None:
    """Give the manifest the sizes and digests that its files have now."""
    shards = []
    for shard in read_manifest(folder / MANIFEST).shards:
        data, index = (folder / shard.file).read_bytes(), (folder / f"{shard.file}.db").read_bytes()
        digests = {"sha256": hashlib.sha256(data).hexdigest(), "index_sha256": hashlib.sha256(index).hexdigest()}
        shards.append(replace(shard, bytes=len(data), index_bytes=len(index), **digests))
    edit_manifest(folder, shards=tuple(shards))


def as_version(folder: Path, version: int) -> None:
    """Write the manifest as segdata did in an earlier format version."""
    manifest = msgspec.to_builtins(read_manifest(folder / MANIFEST)) | {"format_version": version}
    del manifest["sha256"]
    if version == 1:
        del manifest["images"], manifest["value_range"]
    (folder / MANIFEST).write_bytes(msgspec.json.encode(manifest))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def name_itself_only(folder: Path) -> None:
    path = folder / "train.mindrecord1"
    header = read_shard_header(path)
    text = encode_header(msgspec.structs.replace(header, shard_addresses=[path.name], shard_id=0))
    path.write_bytes(text.ljust(header.header_size, b"\0") + path.read_bytes()[header.header_size :])


def swap(folder: Path) -> None:
    (folder / "train.mindrecord1").rename(folder / "x")
    (folder / "train.mindrecord2").rename(folder / "train.mindrecord1")
    (folder / "x").rename(folder / "train.mindrecord2")


def change_label(folder: Path) -> None:
    """Change the last byte of a label, the end of its PNG; and accept the new files."""
    path = folder / "train.mindrecord1"
    data = path.read_bytes()
    change_byte(path, data.rindex(b"IEND") + 7)
    accept_files(folder)


def drop_index_row(folder: Path) -> None:
    with sqlite3.connect(folder / "train.mindrecord1.db") as connection:
        connection.execute("DELETE FROM INDEXES WHERE ROW_ID = 1")
    connection.close()


def test_a_set_as_written_has_no_problems(pristine: Path) -> None:
    for quick in (False, True):
        report = verify(pristine, quick=quick)
        assert (report.ok, report.problems, report.rows, report.shards) == (True, (), 10, 3)


@pytest.mark.parametrize(
    ("damage", "problem", "quick"),
    [
        (lambda d: (d / "train.mindrecord1").unlink(), "train.mindrecord1: does not exist", True),
        (lambda d: (d / "train.mindrecord1.db").unlink(), "train.mindrecord1.db: does not exist", True),
        (lambda d: cut(d / "train.mindrecord2"), "train.mindrecord2: ", True),
        (lambda d: change_byte(d / "train.mindrecord0", 20000), "train.mindrecord0: its SHA-256", False),
        (lambda d: change_byte(d / "train.mindrecord0.db", 5000), "train.mindrecord0.db: its SHA-256", False),
        (drop_index_row, "train.mindrecord1.db: its SHA-256", False),
        (name_itself_only, "train.mindrecord1: its header does not list the shards", True),
        (swap, "train.mindrecord1: ", True),
        (lambda d: shutil.copy(d / "train.mindrecord0", d / "old.mindrecord7"), "old.mindrecord7: is not in", True),
        (lambda d: edit_manifest(d, inputs="0" * 64), "the rows differ from those that were written", False),
    ],
)
def test_every_damage_is_named(record_set: Path, damage: Callable[[Path], object], problem: str, quick: bool) -> None:
    damage(record_set)
    assert any(found.startswith(problem) for found in verify(record_set).problems), verify(record_set).problems
    assert verify(record_set, quick=True).ok is not quick


def test_an_index_that_lacks_a_row_is_named_although_its_digest_is_right(record_set: Path) -> None:
    drop_index_row(record_set)
    accept_files(record_set)
    (problem,) = verify(record_set).problems
    assert problem == (
        f"{record_set / 'train.mindrecord1.db'}: the index has row 2 in place of row 1; expected the 3 "
        "rows of its shard. Convert or download the set again."
    )


def test_a_label_that_cannot_be_decoded_is_named_although_its_digest_is_right(record_set: Path) -> None:
    change_label(record_set)
    (problem,) = verify(record_set).problems
    assert re.match(r"row .+/JPEGImages/.+\.jpg: damaged", problem)


def edit_text(folder: Path, old: str, new: str) -> None:
    text = (folder / MANIFEST).read_text()
    assert old in text
    (folder / MANIFEST).write_text(text.replace(old, new, 1))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"background"', '"backgrount"'),
        ('"pixels": ', '"pixels": 1'),
        ('"ignore_label": 255', '"ignore_label": 254'),
        ('"ignore_pixels": ', '"ignore_pixels": 1'),
        ('"seed": 0', '"seed": 1'),
        ('"segdata": "', '"segdata": "9'),
        ('"payload_bytes": ', '"payload_bytes": 1'),
        ('"color": ', '"color": 1'),
        ('"value_range"', '"value_rangé"'),
        ('"sha256": null', '"sha256": null'),
    ],
)
def test_a_manifest_that_was_edited_is_refused(record_set: Path, old: str, new: str) -> None:
    if old == new:
        # The digest itself is taken out.
        text = re.sub(r',\s*"sha256": "\w{64}"\s*}\s*$', "}", (record_set / MANIFEST).read_text())
        (record_set / MANIFEST).write_text(text)
    else:
        edit_text(record_set, old, new)
    for quick in (False, True):
        with pytest.raises(InvalidInputError) as refused:
            verify(record_set, quick=quick)
        assert str(refused.value) == (
            f"{record_set / MANIFEST}: was changed after segdata wrote it; expected the text that its sha256 belongs "
            "to. Restore the file, or write the set again."
        )


def test_no_bit_of_a_manifest_can_change_unnoticed(record_set: Path) -> None:
    path = record_set / MANIFEST
    before = path.read_bytes()
    draw = random.Random(0)
    for at in [*draw.sample(range(len(before)), 400), *range(len(before) - 90, len(before))]:
        after = bytearray(before)
        after[at] ^= 1 << draw.randrange(8)
        path.write_bytes(after)
        with pytest.raises(InvalidInputError):
            verify(record_set, quick=True)


@pytest.mark.parametrize(
    ("edit", "problem"),
    [
        (lambda d: edit_manifest(d, payload_bytes=1), "payload_bytes: the rows have {}; the manifest says 1"),
        (lambda d: edit_manifest(d, ignore_pixels=1), "ignore_pixels: the rows have {}; the manifest says 1"),
        (lambda d: edit_class(d, 0, pixels=1), "class 'background': pixels: the rows have {}; the manifest says 1"),
        (lambda d: edit_class(d, 0, images=1), "class 'background': images: the rows have 10; the manifest says 1"),
    ],
)
def test_what_can_be_counted_is_counted(record_set: Path, edit: Callable[[Path], None], problem: str) -> None:
    edit(record_set)
    (found,) = verify(record_set).problems
    pattern = re.escape(problem).replace(r"\{\}", r"\d+")
    assert re.fullmatch(pattern, found)


def test_labels_of_no_class_are_named(record_set: Path) -> None:
    edit_manifest(record_set, classes=read_manifest(record_set / MANIFEST).classes[:2])
    assert any("in the rows, but not among the classes" in problem for problem in verify(record_set).problems)


def test_a_row_that_is_there_twice_is_named(devkit: Path, tmp_path: Path) -> None:
    to_mindrecord(open_dataset(devkit / "voc_train_lst.txt", data_root=devkit), tmp_path / "set", num_shards=2)
    first, second = (tmp_path / "set" / f"set.mindrecord{number}" for number in (0, 1))
    header = read_shard_header(first)
    text = encode_header(
        msgspec.structs.replace(
            header, shard_id=1, page=[msgspec.structs.replace(page, shard_id=1) for page in header.pages]
        )
    )
    second.write_bytes(text.ljust(header.header_size, b"\0") + first.read_bytes()[header.header_size :])
    shutil.copy(f"{first}.db", f"{second}.db")
    with sqlite3.connect(f"{second}.db") as connection:
        connection.execute("UPDATE SHARD_NAME SET NAME = ?", [second.name])
    connection.close()
    accept_files(tmp_path / "set")
    assert any("in more than one row" in problem for problem in verify(tmp_path / "set").problems)


def test_the_counts_of_instances_are_counted(coco: Path, tmp_path: Path) -> None:
    to_mindrecord(open_dataset(coco / "annotations" / "instances.json"), tmp_path / "set", num_shards=2)
    assert verify(tmp_path / "set").ok
    assert read_coco(coco / "annotations" / "instances.json").images
    edit_class(tmp_path / "set", 0, instances=99)
    (problem,) = verify(tmp_path / "set").problems
    assert re.search(r"instances: the rows have \d+; the manifest says 99", problem)


def test_pixels_of_an_ignore_label_that_is_a_class_count_once(devkit: Path, tmp_path: Path) -> None:
    classes = Classes(tuple(f"class_{id_}" for id_ in range(256)), 0)
    source = open_dataset(devkit / "voc_train_lst.txt", data_root=devkit, classes=classes)
    to_mindrecord(source, tmp_path / "set", num_shards=1)
    assert verify(tmp_path / "set").ok


@pytest.mark.parametrize("version", [1, 2])
def test_sets_of_earlier_format_versions_are_verified(record_set: Path, version: int) -> None:
    as_version(record_set, version)
    assert verify(record_set).problems == ()
    edit_text(record_set, '"payload_bytes":', '"payload_bytes":1')
    assert len(verify(record_set).problems) == version - 1


def test_a_set_may_be_moved_with_all_its_files(record_set: Path) -> None:
    record_set.rename(record_set.parent / "elsewhere")
    assert verify(record_set.parent / "elsewhere" / "train.mindrecord2").ok
