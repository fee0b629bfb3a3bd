"""From a list to a record set: complete, reproducible, all or nothing."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, strategies as st
from mindspore_rows import mindspore_rows
from PIL import Image

from segdata import parallel
from segdata.dataset import CocoDataset, ListDataset
from segdata.errors import FaultsError, InvalidInputError, TargetExistsError
from segdata.images.values import ValueRange
from segdata.labels.classes import Classes
from segdata.lists import read_list
from segdata.mindrecord.header import PAGE_SIZES
from segdata.opening import open_dataset
from segdata.recorded import RecordDataset
from segdata.records import semantic
from segdata.records.convert import UnfinishedError, to_mindrecord
from segdata.records.manifest import ImageInfo
from segdata.records.plan import make_plan
from segdata.records.reader import open_set
from segdata.records.rows import Rows
from segdata.records.schema import SEMANTIC
from segdata.records.verify import verify
from segdata.worker import Advance


def train(devkit: Path) -> ListDataset | CocoDataset | RecordDataset:
    return open_dataset(devkit / "voc_train_lst.txt", data_root=devkit)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def read(shard: Path, **options: object) -> dict[str, tuple[bytes, bytes]]:
    return {row["file_name"]: (row["data"], row["label"]) for row in mindspore_rows(shard, **options)}


def test_any_single_shard_gives_every_row_byte_for_byte(devkit: Path, pristine: Path) -> None:
    expected = {
        pair.image: ((devkit / pair.image).read_bytes(), (devkit / pair.label).read_bytes())
        for pair in read_list(devkit / "voc_train_lst.txt")
    }
    for shard in open_set(pristine).shard_paths:
        assert read(shard, shuffle=False) == expected
        assert read(shard, shuffle=True) == expected


def test_shards_differ_by_one_row_at_most(pristine: Path) -> None:
    assert [shard.rows for shard in open_set(pristine).manifest.shards] == [4, 3, 3]


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("decode", [False, True], ids=["headers", "decoded, by processes"])
def test_the_bytes_do_not_depend_on_the_workers(
    devkit: Path, pristine: Path, tmp_path: Path, workers: int, decode: bool
) -> None:
    target = tmp_path / "train"
    to_mindrecord(train(devkit), target, num_shards=3, workers=workers, decode=decode)
    assert contents(target) == contents(pristine)


def test_where_every_sample_would_be_left_out_the_faults_are_named(devkit: Path, tmp_path: Path) -> None:
    shutil.copytree(devkit, tmp_path / "data")
    for image in (tmp_path / "data").rglob("*.jpg"):
        image.write_bytes(b"")
    with pytest.raises(FaultsError, match=r"10 faults; nothing was written\. Correct the samples") as said:
        to_mindrecord(train(tmp_path / "data"), tmp_path / "set", num_shards=1, on_error="skip")
    assert len(said.value.faults) == 10
    assert "--on-error" not in said.value.what


def test_processes_write_the_same_bytes_and_tell_how_far_they_are(
    devkit: Path, pristine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (semantic, parallel):
        monkeypatch.setattr(module, "PROCESSES_FROM", 0)
    done = Counter[str]()

    @contextmanager
    def counting(*, total: int, label: str) -> Iterator[Advance]:
        yield lambda count: done.update({f"{label} {total}": count})

    to_mindrecord(train(devkit), tmp_path / "train", num_shards=3, workers=2, progress=counting)
    assert contents(tmp_path / "train") == contents(pristine)
    assert verify(tmp_path / "train", progress=counting).ok
    assert done == {"check 10": 10, "write 10": 10, "files 3": 3, "rows 10": 10}


def test_a_process_that_cannot_write_leaves_nothing(
    devkit: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(devkit, tmp_path / "data")
    monkeypatch.setattr(parallel, "PROCESSES_FROM", 0)

    @contextmanager
    def removing(*, total: int, label: str) -> Iterator[Advance]:
        if label == "write":
            for image in (tmp_path / "data").rglob("*.jpg"):
                image.unlink()
        yield lambda _count: None

    with pytest.raises(
        UnfinishedError, match=r"jpg: does not exist\. It changed after it was checked.* 0 of 3 shards finished"
    ):
        to_mindrecord(train(tmp_path / "data"), tmp_path / "out" / "set", num_shards=3, workers=2, progress=removing)
    assert [path.name for path in (tmp_path / "out" / ".set.staging").rglob("unfinished*")] == []


def test_shuffled_order_depends_on_the_seed_alone(devkit: Path, tmp_path: Path) -> None:
    lines = (devkit / "voc_train_lst.txt").read_text().splitlines()
    (tmp_path / "reversed.txt").write_text("\n".join(reversed(lines)))
    orders: list[list[str]] = []
    for list_file, seed in (("voc_train_lst.txt", 1), ("reversed.txt", 1), ("voc_train_lst.txt", 2)):
        path = devkit / list_file if (devkit / list_file).exists() else tmp_path / list_file
        target = tmp_path / f"{len(orders)}" / "set"
        to_mindrecord(open_dataset(path, data_root=devkit), target, num_shards=1, seed=seed)
        orders.append([row["file_name"] for row in open_set(target)])
    assert orders[0] == orders[1]
    assert orders[0] != orders[2]
    assert sorted(orders[0]) == sorted(orders[2])


def test_without_shuffling_rows_have_the_order_of_the_list(devkit: Path, tmp_path: Path) -> None:
    to_mindrecord(train(devkit), tmp_path / "set", num_shards=3, shuffle=False)
    listed = [pair.image for pair in read_list(devkit / "voc_train_lst.txt")]
    assert [row["file_name"] for row in open_set(tmp_path / "set")] == listed


@given(st.integers(1, 300), st.integers(1, 60), st.none() | st.integers())
def test_a_plan_uses_every_row_once_in_balanced_shards(rows: int, shards: int, seed: int | None) -> None:
    made = Rows(
        task="semantic", schema=SEMANTIC, items=tuple(range(rows)), keys=tuple(map(str, range(rows))),
        read=lambda _: ({}, 0), sizes=np.full((rows, 3), 1000), payload_bytes=0, classes=(), ignore_label=255,
        ignore_pixels=0, change_marks=np.zeros(rows, np.uint64), samples=rows, empty=0, fatal=(), faults=(),
        warnings=(), images=ImageInfo(samples={}, color=0),
    )  # fmt: skip
    if rows < shards:
        with pytest.raises(InvalidInputError, match=f"Set --num_shards to {rows} or less"):
            make_plan(made, "x", num_shards=shards, seed=seed)
        return
    plan = make_plan(made, "x", num_shards=shards, seed=seed)
    assert sorted(item for shard in plan.shards for item in shard) == list(range(rows))
    assert {len(shard) for shard in plan.shards} <= {rows // shards, -(-rows // shards)}


def test_faults_are_collected_and_nothing_is_written(devkit: Path, tmp_path: Path) -> None:
    list_file = tmp_path / "list.txt"
    list_file.write_text((devkit / "voc_train_lst.txt").read_text() + "x.jpg x.png\ny.jpg y.png\n")
    with pytest.raises(FaultsError, match="4 faults"):
        to_mindrecord(open_dataset(list_file, data_root=devkit), tmp_path / "set", num_shards=2)
    assert os.listdir(tmp_path) == ["list.txt"]


def test_what_is_left_out_is_counted_and_named(devkit: Path, tmp_path: Path) -> None:
    list_file = tmp_path / "list.txt"
    list_file.write_text((devkit / "voc_train_lst.txt").read_text() + "x.jpg x.png\n")
    report = to_mindrecord(open_dataset(list_file, data_root=devkit), tmp_path / "set", num_shards=2, on_error="skip")
    assert (report.samples, report.rows) == (11, 10)
    assert tuple(map(str, report.faults)) == ("x.jpg: does not exist", "x.png: does not exist")
    assert verify(tmp_path / "set").ok


def test_a_row_beyond_the_limit_is_named_and_can_be_skipped(devkit: Path, tmp_path: Path) -> None:
    shutil.copytree(devkit, tmp_path / "data")
    pairs = read_list(tmp_path / "data" / "voc_train_lst.txt")
    for pair in pairs[2:4]:
        os.truncate(tmp_path / "data" / pair.image, PAGE_SIZES[1])
    source = open_dataset(tmp_path / "data" / "voc_train_lst.txt")
    with pytest.raises(FaultsError, match="2 faults; nothing was written") as caught:
        to_mindrecord(source, tmp_path / "set", num_shards=2)
    assert [fault.split(" 268,")[0] for fault in tuple(map(str, caught.value.faults))] == [
        f"{pair.image}: its row would have" for pair in pairs[2:4]
    ]
    assert os.listdir(tmp_path) == ["data"]
    report = to_mindrecord(source, tmp_path / "set", num_shards=2, on_error="skip")
    assert (report.samples, report.rows, tuple(map(str, report.faults))) == (
        10,
        8,
        tuple(map(str, caught.value.faults)),
    )
    assert verify(tmp_path / "set").ok


def test_a_dry_run_writes_nothing(devkit: Path, tmp_path: Path) -> None:
    report = to_mindrecord(train(devkit), tmp_path / "set", num_shards=3, dry_run=True)
    assert (report.rows, report.shard_rows, report.written) == (10, (4, 3, 3), False)
    assert os.listdir(tmp_path) == []


def test_a_set_is_replaced_completely_and_only_when_asked(devkit: Path, record_set: Path) -> None:
    with pytest.raises(TargetExistsError):
        to_mindrecord(train(devkit), record_set, num_shards=2)
    to_mindrecord(train(devkit), record_set, num_shards=2, overwrite=True)
    assert sorted(contents(record_set)) == [
        "manifest.json", "train.mindrecord0", "train.mindrecord0.db", "train.mindrecord1", "train.mindrecord1.db",
    ]  # fmt: skip
    assert verify(record_set).ok


def test_a_directory_that_is_not_a_record_set_is_never_replaced(devkit: Path, tmp_path: Path) -> None:
    (tmp_path / "desktop").mkdir()
    (tmp_path / "desktop" / "thesis.txt").write_text("years")
    with pytest.raises(TargetExistsError, match=r"thesis\.txt"):
        to_mindrecord(train(devkit), tmp_path / "desktop", num_shards=2, overwrite=True)


def test_the_name_of_the_set_is_that_of_its_directory(devkit: Path, tmp_path: Path) -> None:
    target = tmp_path / "voc train ü.mindrecord"
    to_mindrecord(open_dataset(devkit / "voc_val_lst.txt", data_root=devkit), target, num_shards=1)
    assert sorted(contents(target)) == ["manifest.json", "voc train ü.mindrecord", "voc train ü.mindrecord.db"]
    assert verify(target).ok
    with pytest.raises(InvalidInputError, match="is not a file name that MindRecord accepts"):
        to_mindrecord(open_dataset(devkit / "voc_val_lst.txt", data_root=devkit), tmp_path / "a&b", num_shards=1)


def test_a_target_that_is_too_long_is_found_before_the_work_and_the_longest_other_one_is_written(
    devkit: Path, tmp_path: Path
) -> None:
    source = open_dataset(devkit / "voc_val_lst.txt", data_root=devkit)
    with pytest.raises(InvalidInputError, match=r"its name is too long .* 255\. Choose one that is 1 byte shorter"):
        to_mindrecord(source, tmp_path / ("n" * 238), num_shards=1, dry_run=True)
    folder = tmp_path / ("d" * 200) / ("e" * 200)
    with pytest.raises(
        InvalidInputError, match=r"its path is too long .* 504\. Choose one that is (\d+) bytes? shorter"
    ) as said:
        to_mindrecord(source, folder / "set", num_shards=1, dry_run=True)
    less = int(re.findall(r"(\d+) bytes? shorter", str(said.value))[0])
    with pytest.raises(InvalidInputError, match="is 1 byte shorter"):
        to_mindrecord(source, folder.with_name("e" * (201 - less)) / "set", num_shards=1)
    assert list(tmp_path.iterdir()) == []
    target = folder.with_name("e" * (200 - less)) / "set"
    to_mindrecord(source, target, num_shards=3)
    assert verify(target).ok


def test_twelve_shards_are_numbered_with_two_digits(devkit: Path, tmp_path: Path) -> None:
    to_mindrecord(open_dataset(devkit / "voc_trainval_lst.txt", data_root=devkit), tmp_path / "set", num_shards=12)
    assert {"set.mindrecord00", "set.mindrecord11"} < set(contents(tmp_path / "set"))
    assert verify(tmp_path / "set").ok


def test_files_may_be_read_by_whom_the_umask_lets(pristine: Path) -> None:
    umask = os.umask(0)
    os.umask(umask)
    assert {path.stat().st_mode & 0o777 for path in pristine.iterdir()} == {0o666 & ~umask}


def test_another_class_set_is_held_against_the_labels(devkit: Path, tmp_path: Path) -> None:
    with pytest.raises(FaultsError, match="expected 0 to 1 or 255"):
        classes = Classes(("background", "aeroplane"))
        to_mindrecord(
            open_dataset(devkit / "voc_train_lst.txt", data_root=devkit, classes=classes),
            tmp_path / "set",
            num_shards=2,
        )


@pytest.mark.parametrize("name", ["", "background"])
@pytest.mark.parametrize("dry_run", [False, True])
def test_classes_that_no_manifest_can_name_are_refused_before_anything_is_written(
    devkit: Path, tmp_path: Path, name: str, dry_run: bool
) -> None:
    names = ("background", name, *Classes().names[2:])
    listed = open_dataset(devkit / "voc_train_lst.txt", data_root=devkit, classes=Classes(names))
    with pytest.raises(InvalidInputError, match=r"voc_train_lst.txt: manifest.json cannot describe this: .*classes"):
        to_mindrecord(listed, tmp_path / "set", num_shards=1, dry_run=dry_run)
    assert list(tmp_path.iterdir()) == []


def test_a_seed_that_no_manifest_can_have_is_refused_before_anything_is_written(devkit: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"manifest.json cannot describe this: Expected `int \| null`.*seed"):
        to_mindrecord(train(devkit), tmp_path / "set", num_shards=1, seed=1.5)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_a_json_with_a_category_without_a_name_is_never_a_set_that_cannot_be_read(coco: Path, tmp_path: Path) -> None:
    members = json.loads((coco / "annotations" / "instances.json").read_text())
    members["categories"][1]["name"] = ""
    (tmp_path / "instances.json").write_text(json.dumps(members))
    with pytest.raises(InvalidInputError):
        to_mindrecord(open_dataset(tmp_path / "instances.json", images=coco / "images"), tmp_path / "set", num_shards=1)
    assert [path.name for path in tmp_path.iterdir()] == ["instances.json"]


def test_a_value_range_of_integers_gives_the_bytes_of_one_of_floats(tmp_path: Path) -> None:
    Image.fromarray(np.full((4, 4), 900, np.uint16)).save(tmp_path / "a.png")
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / "b.png")
    (tmp_path / "lst.txt").write_text("a.png b.png\n")
    for folder, values in (("integers", ValueRange(0, 1000)), ("floats", ValueRange(0.0, 1000.0))):
        listed = open_dataset(tmp_path / "lst.txt", value_range=values)
        to_mindrecord(listed, tmp_path / folder / "set", num_shards=1)
    assert contents(tmp_path / "integers" / "set") == contents(tmp_path / "floats" / "set")
