"""A set of another program gets a manifest, with which verify and segtrain take it."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from foreign_sets import MASK_RCNN, Row, mask_rcnn_rows, write_foreign, zoo_rows
from mindspore_rows import mindspore_rows
from PIL import Image

from segdata.errors import Fault, FaultsError, InvalidInputError, OptionError, TargetExistsError
from segdata.inspect.check import check
from segdata.labels.classes import Classes
from segdata.opening import open_dataset
from segdata.records.adopt import adopt
from segdata.records.manifest import MANIFEST
from segdata.records.manifest_file import read_manifest
from segdata.records.reader import open_set
from segdata.records.schema import SEMANTIC
from segdata.records.unpack import unpack
from segdata.records.verify import verify


@pytest.fixture(scope="module")
def rows(voc_records: Path) -> list[Row]:
    return zoo_rows(voc_records)


def state(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.iterdir()}


@pytest.mark.parametrize("name", ["voc.mindrecord", "vocaug_mindrecord"])
def test_a_set_of_the_model_zoo_is_described_and_intact(
    rows: list[Row], voc_records: Path, tmp_path: Path, name: str
) -> None:
    shard = write_foreign(tmp_path / "zoo", rows, name=name)
    before = state(tmp_path / "zoo")
    report = adopt(shard)
    assert report.written and report.manifest == read_manifest(tmp_path / "zoo" / MANIFEST)
    after = state(tmp_path / "zoo")
    after.pop(MANIFEST)
    assert after == before
    manifest, known = report.manifest, read_manifest(voc_records / MANIFEST)
    for what in ("classes", "ignore_label", "ignore_pixels", "rows", "payload_bytes", "images", "schema", "task"):
        assert getattr(manifest, what) == getattr(known, what), what
    assert manifest.adopted and not known.adopted
    assert manifest.name == name.removesuffix(".mindrecord")
    assert verify(tmp_path / "zoo").problems == ()
    assert list(open_set(shard)) == rows
    assert check(open_dataset(tmp_path / "zoo")).errors == 0


def test_an_instance_set_without_its_manifest(coco_records: Path, tmp_path: Path) -> None:
    known = read_manifest(coco_records / MANIFEST)
    shutil.copytree(coco_records, tmp_path / "set")
    (tmp_path / "set" / MANIFEST).unlink()
    with pytest.raises(OptionError, match="--class_names"):
        adopt(tmp_path / "set")
    with pytest.raises(FaultsError, match="has label 3; expected 1 to 2"):
        adopt(tmp_path / "set", classes=Classes(known.class_names[:2]))
    manifest = adopt(tmp_path / "set", classes=Classes(known.class_names)).manifest
    assert [replace(each, original_id=0) for each in manifest.classes] == [
        replace(each, original_id=0) for each in known.classes
    ]
    assert (manifest.inputs, manifest.payload_bytes) == (known.inputs, known.payload_bytes)
    assert verify(tmp_path / "set").problems == ()


def test_a_dry_run_writes_nothing(rows: list[Row], tmp_path: Path) -> None:
    shard = write_foreign(tmp_path / "zoo", rows)
    assert not adopt(shard, dry_run=True).written
    assert not (tmp_path / "zoo" / MANIFEST).exists()


def test_classes_of_one_name_are_refused_before_the_manifest_is_written(rows: list[Row], tmp_path: Path) -> None:
    write_foreign(tmp_path / "zoo", rows)
    with pytest.raises(InvalidInputError, match="cannot describe this: classes: two have the name 'a'"):
        adopt(tmp_path / "zoo", classes=Classes(("a",) * 21))
    assert not (tmp_path / "zoo" / MANIFEST).exists()


def test_a_manifest_is_never_replaced(rows: list[Row], tmp_path: Path) -> None:
    shard = write_foreign(tmp_path / "zoo", rows)
    adopt(shard)
    with pytest.raises(TargetExistsError, match="remove this file first") as error:
        adopt(shard)
    assert not error.value.replaceable


def png(size: tuple[int, int], value: int) -> bytes:
    data = io.BytesIO()
    Image.new("L", size, value).save(data, "PNG")
    return data.getvalue()


def damage(what: str, rows: list[Row]) -> list[Row]:
    size = Image.open(io.BytesIO(rows[4]["data"])).size
    changed: dict[str, dict[str, Any]] = {
        "size": {"label": png((3, 3), 0)},
        "value": {"label": png(size, 77)},
        "palette": {"label": rows[4]["data"]},
        "image": {"data": b"no image"},
        "name": {"file_name": rows[3]["file_name"]},
    }
    return [*rows[:4], {**rows[4], **changed[what]}, *rows[5:]]


@pytest.mark.parametrize(
    ("what", "sentence"),
    [
        ("size", "its label has 3 x 3"),
        ("value", "has value 77; expected 0 to 20 or 255"),
        ("palette", "not a PNG file"),
        ("image", "not a readable image"),
        ("name", "is in 2 rows; expected a different one in each"),
    ],
)
def test_a_faulty_row_is_named_with_the_cure(rows: list[Row], tmp_path: Path, what: str, sentence: str) -> None:
    shard = write_foreign(tmp_path / "zoo", damage(what, rows))
    with pytest.raises(FaultsError, match=r"1 fault; nothing was written\. Take it apart with segdata unpack") as error:
        adopt(shard)
    assert sentence in str(error.value)
    assert not (tmp_path / "zoo" / MANIFEST).exists()


def test_black_and_white_labels_are_refused(rows: list[Row], tmp_path: Path) -> None:
    size = Image.open(io.BytesIO(rows[0]["data"])).size
    binary = [{**rows[0], "file_name": str(value), "label": png(size, value)} for value in (0, 255)]
    with pytest.raises(FaultsError, match="only class 0 would be left"):
        adopt(write_foreign(tmp_path / "zoo", binary))


def test_black_and_white_labels_among_labels_of_classes_are_warned_of_as_by_check(
    rows: list[Row], tmp_path: Path
) -> None:
    def label(*values: int) -> bytes:
        data = io.BytesIO()
        pixels = np.resize(np.array(values, np.uint8), size[::-1])
        Image.fromarray(pixels).save(data, "PNG")
        return data.getvalue()

    size = Image.open(io.BytesIO(rows[0]["data"])).size
    labels = {"classes": label(0, 1), "white": label(0, 255)}
    mixed = [{**row, "file_name": name, "label": labels[name]} for row, name in zip([rows[0]] * 2, labels, strict=True)]
    shard = write_foreign(tmp_path / "zoo", mixed)
    report = adopt(shard)
    assert [(fault.code, fault.where) for fault in report.warnings] == [("binary_among_classes", "white")]
    found: list[Fault] = []
    check(open_dataset(shard), every=found)
    assert set(report.warnings) <= set(found)


Make = Callable[[Path, Path], Path]


def without_names(voc_records: Path, folder: Path) -> Path:
    schema = {"data": {"type": "bytes"}, "label": {"type": "bytes"}}
    return write_foreign(folder, [{name: row[name] for name in schema} for row in zoo_rows(voc_records)], schema)


def raw_masks(coco_records: Path, folder: Path) -> Path:
    return write_foreign(folder, mask_rcnn_rows(coco_records), MASK_RCNN)


@pytest.mark.parametrize(("source", "make"), [("voc_records", without_names), ("coco_records", raw_masks)])
def test_other_fields_are_refused_with_the_cure(
    request: pytest.FixtureRequest, tmp_path: Path, source: str, make: Make
) -> None:
    shard = make(request.getfixturevalue(source), tmp_path / "zoo")
    with pytest.raises(InvalidInputError, match=r"expected file_name \(string\).*segdata unpack"):
        adopt(shard, classes=Classes(("a",)))


def test_the_files_of_two_sets_in_one_directory_are_refused(rows: list[Row], tmp_path: Path) -> None:
    write_foreign(tmp_path / "zoo", rows)
    shard = write_foreign(tmp_path / "zoo", rows, name="val.mindrecord", shards=1)
    with pytest.raises(FaultsError, match=r"contains record files of other sets.*\n.*voc\.mindrecord0"):
        adopt(shard)
    with pytest.raises(FaultsError, match=r"contains 2 record sets; expected one"):
        adopt(tmp_path / "zoo")


def test_a_missing_shard_is_named(rows: list[Row], tmp_path: Path) -> None:
    shard = write_foreign(tmp_path / "zoo", rows)
    shard.with_name("voc.mindrecord1").unlink()
    with pytest.raises(FaultsError, match=r"1 of 2 shards.*\n.*voc\.mindrecord1"):
        adopt(shard)


def test_mindspore_reads_the_adopted_rows(rows: list[Row], tmp_path: Path) -> None:
    shard = write_foreign(tmp_path / "zoo", rows, name="vocaug_mindrecord")
    adopt(shard)
    assert sorted(mindspore_rows(shard), key=by_name) == sorted(rows, key=by_name)


def test_what_file_writer_wrote_is_adopted_and_taken_apart(rows: list[Row], tmp_path: Path) -> None:
    mindrecord = pytest.importorskip("mindspore.mindrecord")
    # Rows are in random shards, and at least two are empty.
    shards = 12
    (tmp_path / "zoo").mkdir()
    writer = mindrecord.FileWriter(str(tmp_path / "zoo" / "voctrain_mindrecord"), shards)
    writer.add_schema(SEMANTIC, "seg_schema")
    writer.write_raw_data([dict(row) for row in rows])
    writer.commit()
    shard = next((tmp_path / "zoo").glob("*3"))
    report = unpack(shard, tmp_path / "files")
    assert (report.rows, report.file) == (10, str(tmp_path / "files" / "voctrain_mindrecord_lst.txt"))
    for row in rows:
        assert (tmp_path / "files" / row["file_name"]).read_bytes() == row["data"]
    manifest = adopt(shard).manifest
    assert (manifest.name, manifest.rows, len(manifest.shards)) == ("voctrain_mindrecord", 10, shards)
    assert verify(shard).problems == ()
    assert sorted(open_set(shard), key=by_name) == sorted(rows, key=by_name)


def by_name(row: Row) -> str:
    return row["file_name"]
