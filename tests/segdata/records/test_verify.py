"""`verify` finds every way in which a set can differ from what was written."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from segdata.records.stitch import stitch
from segdata.records.verify import verify


def change_byte(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def edit_manifest(folder: Path, **changes: object) -> None:
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def unstitch(folder: Path) -> None:
    stitch(folder / "train.mindrecord1", ["train.mindrecord1"], 0)


def swap(folder: Path) -> None:
    (folder / "train.mindrecord1").rename(folder / "x")
    (folder / "train.mindrecord2").rename(folder / "train.mindrecord1")
    (folder / "x").rename(folder / "train.mindrecord2")


def test_a_whole_set_has_no_problems(pristine: Path) -> None:
    for quick in (False, True):
        report = verify(pristine, quick=quick)
        assert (report.ok, report.problems, report.rows, report.shards) == (True, (), 10, 3)


@pytest.mark.parametrize(
    ("damage", "problem", "quick"),
    [
        (lambda d: (d / "train.mindrecord1").unlink(), "train.mindrecord1: missing", True),
        (lambda d: (d / "train.mindrecord1.db").unlink(), "train.mindrecord1.db: missing", True),
        (lambda d: cut(d / "train.mindrecord2"), "train.mindrecord2: ", True),
        (lambda d: change_byte(d / "train.mindrecord0", 20000), "train.mindrecord0: its SHA-256", False),
        (lambda d: change_byte(d / "train.mindrecord0.db", 5000), "train.mindrecord0.db: its SHA-256", False),
        (unstitch, "train.mindrecord1: its header does not list the shards", True),
        (swap, "train.mindrecord1: ", True),
        (lambda d: shutil.copy(d / "train.mindrecord0", d / "old.mindrecord7"), "old.mindrecord7: not in", True),
        (lambda d: edit_manifest(d, rows=11), "the manifest's shards do not add up", True),
        (lambda d: edit_manifest(d, inputs="0" * 64), "the rows differ from those that were written", False),
    ],
)
def test_every_damage_is_named(record_set: Path, damage: Callable[[Path], object], problem: str, quick: bool) -> None:
    damage(record_set)
    assert any(found.startswith(problem) for found in verify(record_set).problems), verify(record_set).problems
    assert verify(record_set, quick=True).ok is not quick


def test_a_set_may_be_moved_as_a_whole(record_set: Path) -> None:
    record_set.rename(record_set.parent / "elsewhere")
    assert verify(record_set.parent / "elsewhere" / "train.mindrecord2").ok
