"""Rows are read from the set that was opened, with as many open files as it needs."""

from __future__ import annotations

import gc
import pickle
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from segdata.errors import SegDataError
from segdata.labels.classes import Classes
from segdata.opening import open_dataset
from segdata.records.convert import to_mindrecord
from segdata.records.manifest import MANIFEST
from segdata.records.reader import open_set, read_rows


@pytest.fixture
def records(voc_records: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(voc_records, tmp_path / "voc_train"))


def touch(records: Path, name: str) -> None:
    (records / name).write_bytes((records / name).read_bytes())


def exchange(records: Path) -> None:
    other = records.with_name("other")
    shutil.copytree(records, other)
    records.rename(records.with_name("old"))
    other.rename(records)


@pytest.mark.parametrize("name", [MANIFEST, "voc_train.mindrecord1", "voc_train.mindrecord2.db", None])
@pytest.mark.parametrize("rows", [0, 4])
def test_a_set_that_changes_is_a_sentence_before_the_first_or_after_the_last_row(
    records: Path, name: str | None, rows: int
) -> None:
    found = open_set(records)
    reading = read_rows(found)
    for _ in range(rows):
        next(reading)
    exchange(records) if name is None else touch(records, name)
    with pytest.raises(SegDataError) as refused:
        list(reading)
    assert str(refused.value) == (
        f"{records}: the record set was replaced or changed while it was in use. Wait until the other program has "
        "finished, and run the command again."
    )
    assert len(list(read_rows(open_set(records)))) == 10


def test_a_set_that_is_replaced_by_a_smaller_one_is_not_called_damaged(records: Path) -> None:
    found = open_set(records)
    reading = read_rows(found)
    next(reading)
    shutil.rmtree(records)
    with pytest.raises(SegDataError, match="was replaced or changed while it was in use"):
        list(reading)


def write_equal(folder: Path, seed: int) -> Path:
    """Write a set whose rows all have the same length: with another seed, only their order changes."""
    lines = []
    for number in range(8):
        Image.fromarray(np.full((8, 8), number, np.uint8)).save(folder / f"{number}.bmp")
        Image.fromarray(np.full((8, 8), number, np.uint8)).save(folder / f"{number}.png")
        lines.append(f"{number}.bmp {number}.png\n")
    (folder / "lst.txt").write_text("".join(lines))
    listed = open_dataset(folder / "lst.txt", classes=Classes(tuple("abcdefgh")))
    to_mindrecord(listed, folder / "set", num_shards=2, seed=seed, overwrite=True)
    return folder / "set"


@pytest.mark.parametrize("read", [(), (0,), range(8)])
@pytest.mark.parametrize("pickled", [False, True])
def test_no_row_is_read_from_a_set_of_the_same_form_that_took_the_place(
    tmp_path: Path, read: tuple[int, ...], pickled: bool
) -> None:
    found = open_set(write_equal(tmp_path, 0))
    names = list(open_set(found.directory).names())
    for number in read:
        assert found[number]["file_name"] == names[number]
    kept = pickle.dumps(found)
    write_equal(tmp_path, 5)
    found = pickle.loads(kept) if pickled else found
    for number, name in enumerate(names):
        # Only files that were opened before are still those of the set.
        if not pickled and read and (number < 4 or len(read) == 8):
            assert found[number]["file_name"] == name
            continue
        with pytest.raises(SegDataError, match="was replaced or changed while it was in use"):
            found[number]


def test_a_set_that_is_no_longer_used_leaves_no_open_file(records: Path) -> None:
    found = open_set(records)
    assert found[0]["data"]
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        del found
        gc.collect()
    assert [each for each in seen if each.category is ResourceWarning] == []


PROGRAM = """
import resource, sys
from pathlib import Path
from segdata.errors import SegDataError
from segdata.mindrecord.shards import allow_open_files
resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[1]), int(sys.argv[2])))
try:
    allow_open_files(Path("set"), 400)
    print(*resource.getrlimit(resource.RLIMIT_NOFILE))
except SegDataError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("soft", "hard", "answer"),
    [
        (1000, 2000, "1000 2000"),
        (256, 2000, "464 2000"),
        (
            256,
            256,
            "set: has 400 files, and this process may open 256 at once; expected a limit of 464 or more. Raise it with "
            "ulimit -n, or write the set again with fewer shards (--num_shards).",
        ),
    ],
)
def test_the_limit_of_open_files_is_raised_or_named(soft: int, hard: int, answer: str) -> None:
    command = [sys.executable, "-c", PROGRAM, str(soft), str(hard)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == answer
