"""A record set is a sequence of its rows: by index, by slice, in other processes; or a damaged one is a sentence."""

from __future__ import annotations

import multiprocessing
import pickle
import shutil
import sqlite3
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from operator import getitem
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from mindspore_rows import mindspore_rows

from segdata.cli import main
from segdata.errors import InvalidInputError, SegDataError
from segdata.lists import read_list
from segdata.opening import open_dataset
from segdata.records.convert import to_mindrecord
from segdata.records.manifest import MANIFEST
from segdata.records.manifest_file import read_manifest, write_manifest
from segdata.records.reader import RecordSet, open_set, read_rows


@pytest.fixture
def records(pristine: Path) -> RecordSet:
    return open_set(pristine)


@pytest.fixture(scope="module")
def instances(coco: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("instances") / "set"
    to_mindrecord(open_dataset(coco / "annotations" / "instances.json"), target, num_shards=2)
    return target


def test_rows_are_the_files_that_were_listed(devkit: Path, records: RecordSet) -> None:
    labels = {pair.image: pair.label for pair in read_list(devkit / "voc_train_lst.txt")}
    assert len(records) == len(labels) == 10
    assert {row["file_name"] for row in records} == set(labels)
    for row in records:
        assert list(row) == ["file_name", "data", "label"]
        assert row["data"] == (devkit / row["file_name"]).read_bytes()
        assert row["label"] == (devkit / labels[row["file_name"]]).read_bytes()


def test_an_index_and_a_slice_are_those_of_a_list(records: RecordSet) -> None:
    rows = list(records)
    assert [records[number] for number in range(-10, 10)] == rows + rows
    for part in (slice(2, 5), slice(None), slice(None, None, -3), slice(8, 99), slice(4, 4)):
        assert records[part] == rows[part]
    for number in (10, -11):
        with pytest.raises(IndexError):
            records[number]


def test_some_rows_and_fields_are_read_in_the_given_order(records: RecordSet) -> None:
    names = [row["file_name"] for row in records]
    found = list(read_rows(records, rows=[7, 0, 7], fields=["file_name"]))
    assert found == [{"file_name": names[number]} for number in (7, 0, 7)]
    assert list(read_rows(records, rows=[])) == []
    with pytest.raises(IndexError):
        list(read_rows(records, rows=[10]))
    with pytest.raises(InvalidInputError, match="no field 'masks'; expected one of data, file_name, label"):
        list(read_rows(records, fields=["masks"]))


def test_instances_are_as_mindspore_reads_them(instances: Path) -> None:
    found = open_set(instances)
    for shard in found.shard_paths:
        for row, expected in zip(found, mindspore_rows(shard, shuffle=False), strict=True):
            assert row.keys() == expected.keys()
            for name, value in row.items():
                assert np.array_equal(value, expected[name]), name


def test_arrays_without_rows_have_their_shape_and_type(instances: Path) -> None:
    empty = [row for row in open_set(instances) if not len(row["labels"])]
    assert empty
    for row in empty:
        assert (row["boxes"].shape, row["boxes"].dtype) == ((0, 4), np.float32)
        assert (row["iscrowd"].shape, row["iscrowd"].dtype) == ((0,), np.int32)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_several_processes_read_one_set(records: RecordSet, method: str) -> None:
    rows = list(records)
    with ProcessPoolExecutor(3, mp_context=multiprocessing.get_context(method)) as pool:
        assert list(pool.map(partial(getitem, records), range(10))) == rows


def test_several_threads_read_one_set(records: RecordSet) -> None:
    rows = list(open_set(records.directory))
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(partial(getitem, records), [*range(10)] * 50)) == rows * 50


def test_a_copy_reads_the_same_rows(records: RecordSet) -> None:
    for copy in (pickle.loads(pickle.dumps(records)), pickle.loads(pickle.dumps((records[0], records)))[1]):
        assert copy == records
        assert list(copy) == list(records)


def test_a_set_that_was_replaced_is_a_sentence_by_index_too(record_set: Path) -> None:
    found = open_set(record_set)
    (record_set / "train.mindrecord1").unlink()
    with pytest.raises(SegDataError, match="was replaced or changed while it was in use"):
        found[0]


def test_a_missing_shard_is_named(record_set: Path) -> None:
    (record_set / "train.mindrecord0").unlink()
    with pytest.raises(InvalidInputError, match=r"train\.mindrecord0: cannot be read .* Run segdata verify"):
        open_set(record_set)[0]


def test_shards_of_another_set_are_refused(record_set: Path) -> None:
    manifest = read_manifest(record_set / MANIFEST)
    first, second, third = manifest.shards
    shards = (replace(first, rows=3), replace(second, rows=4), third)
    write_manifest(record_set, replace(manifest, shards=shards))
    with pytest.raises(InvalidInputError, match="its shards do not have the files, rows or fields of its manifest"):
        open_set(record_set)[0]


@pytest.mark.parametrize("command", ["verify {}", "stats {}", "preview {} --out {}/../sheet.png", "check {}"])
def test_an_index_that_lacks_a_row_is_a_sentence(record_set: Path, command: str) -> None:
    with sqlite3.connect(record_set / "train.mindrecord2.db") as connection:
        connection.execute("DELETE FROM INDEXES WHERE ROW_ID = 1")
    connection.close()
    result = CliRunner().invoke(main, command.format(record_set, record_set).split())
    assert result.exit_code == 1
    assert "train.mindrecord2.db" in result.output
    assert "Traceback" not in result.output
    assert not (record_set.parent / "sheet.png").exists()


def test_a_set_on_a_read_only_disk_is_read(record_set: Path) -> None:
    for path in (*record_set.iterdir(), record_set):
        path.chmod(0o555 if path.is_dir() else 0o444)
    before = sorted(record_set.iterdir())
    assert len(list(open_set(record_set))) == 10
    assert sorted(record_set.iterdir()) == before
    record_set.chmod(0o755)
    shutil.rmtree(record_set)
