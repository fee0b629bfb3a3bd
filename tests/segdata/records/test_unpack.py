"""A record set taken apart gives the files that it was written from, and the same set again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from foreign_sets import MASK_RCNN, mask_rcnn_rows, write_foreign, zoo_rows
from PIL import Image

from segdata.coco.rle import to_rle
from segdata.errors import FaultsError, InvalidInputError, OptionError, TargetExistsError
from segdata.inspect.check import check
from segdata.labels.classes import Classes, read_class_names
from segdata.lists import read_list
from segdata.mindrecord.shards import SetReader
from segdata.opening import open_dataset
from segdata.records.convert import to_mindrecord
from segdata.records.manifest import MANIFEST
from segdata.records.reader import open_set
from segdata.records.schema import unpack_masks
from segdata.records.unpack import unpack
from segdata.records.unpack_rows import coco_box

DATA_LABEL = {"data": {"type": "bytes"}, "label": {"type": "bytes"}}


def content(folder: Path) -> dict[str, bytes]:
    """Return the files of a set."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_semantic_set_gives_its_files_and_itself_again(devkit: Path, voc_records: Path, tmp_path: Path) -> None:
    report = unpack(voc_records, tmp_path / "files")
    assert (report.task, report.rows) == ("semantic", 10)
    assert report.file == str(tmp_path / "files" / "voc_train_lst.txt")
    assert (report.ignore_label, report.renamed, report.odd) == (255, (), ())
    labels = {pair.image: pair.label for pair in read_list(devkit / "voc_train_lst.txt")}
    pairs = read_list(Path(report.file))
    assert {pair.image for pair in pairs} == set(labels)
    for pair in pairs:
        assert (tmp_path / "files" / pair.image).read_bytes() == (devkit / pair.image).read_bytes()
        assert (tmp_path / "files" / pair.label).read_bytes() == (devkit / labels[pair.image]).read_bytes()
    classes = Classes(read_class_names(tmp_path / "files" / "classes.txt"), report.ignore_label or 0)
    listed = open_dataset(Path(report.file), classes=classes)
    to_mindrecord(listed, tmp_path / "again" / voc_records.name, num_shards=3)
    assert content(tmp_path / "again" / voc_records.name) == content(voc_records)


def test_an_instance_set_gives_its_json_and_itself_again(coco: Path, coco_records: Path, tmp_path: Path) -> None:
    report = unpack(coco_records, tmp_path / "files", workers=1)
    assert (report.task, report.file) == ("instance", str(tmp_path / "files" / "annotations" / "instances.json"))
    found = json.loads(Path(report.file).read_text())
    source = json.loads((coco / "annotations" / "instances.json").read_text())
    assert report.instances == len(found["annotations"]) == len(source["annotations"])
    for key in ("categories", "images"):
        assert {each["id"]: each.get("name", each.get("file_name")) for each in found[key]} == {
            each["id"]: each.get("name", each.get("file_name")) for each in source[key]
        }
    sizes = {each["id"]: (each["height"], each["width"]) for each in source["images"]}
    assert sorted(map(facts(sizes), found["annotations"])) == sorted(map(facts(sizes), source["annotations"]))
    for image in source["images"]:
        name = Path("images") / image["file_name"]
        assert (tmp_path / "files" / name).read_bytes() == (coco / name).read_bytes()
    again = tmp_path / "again" / coco_records.name
    to_mindrecord(open_dataset(Path(report.file)), again, num_shards=2)
    assert content(again) == content(coco_records)


def facts(sizes: dict[int, tuple[int, int]]) -> Any:
    """Return a function that returns what pycocotools reads of an annotation."""
    return lambda each: (
        each["image_id"],
        each["category_id"],
        each["iscrowd"],
        each["bbox"],
        to_rle(each["segmentation"], *sizes[each["image_id"]])["counts"],
    )


def test_the_result_is_the_same_for_any_number_of_workers(coco_records: Path, tmp_path: Path) -> None:
    for workers in (1, 4):
        unpack(coco_records, tmp_path / str(workers), workers=workers)
    first, second = (tmp_path / name / "annotations" / "instances.json" for name in "14")
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize(
    "box", [(0.1, 0.2, 3.3, 4.4), (1 / 3, 0, 2 / 3, 1e-3), (16383.998, 0, 16384, 1e-20), (5, 6, 7, 8)]
)
def test_a_box_keeps_its_digits_and_its_float32(box: tuple[float, ...]) -> None:
    stored = np.array(box, np.float32)
    x, y, width, height = coco_box(stored)
    assert np.array_equal(np.array([x, y, x + width, y + height], np.float32), stored)
    assert coco_box(np.array([473.07, 395.93, 511.72, 424.6], np.float32)) == [473.07, 395.93, 38.65, 28.67]


def test_nothing_is_replaced_unasked(voc_records: Path, tmp_path: Path) -> None:
    unpack(voc_records, tmp_path / "files")
    with pytest.raises(TargetExistsError, match="already exists"):
        unpack(voc_records, tmp_path / "files")
    unpack(voc_records, tmp_path / "files", overwrite=True)
    (tmp_path / "files" / "mine.txt").write_text("x")
    with pytest.raises(TargetExistsError, match=r"mine\.txt"):
        unpack(voc_records, tmp_path / "files", overwrite=True)
    with pytest.raises(InvalidInputError, match="would be replaced"):
        unpack(voc_records, voc_records.parent, overwrite=True)


def test_a_dry_run_writes_nothing(voc_records: Path, tmp_path: Path) -> None:
    assert not unpack(voc_records, tmp_path / "files", dry_run=True).written
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_row_is_named_and_nothing_is_published(record_set: Path, tmp_path: Path) -> None:
    shard = record_set / "train.mindrecord1"
    data = bytearray(shard.read_bytes())
    at = data.index(b"\xff\xd8\xff") - 8
    data[at : at + 8] = b"\xff" * 8
    shard.write_bytes(data)
    with pytest.raises(FaultsError, match=r"1 row cannot be read; nothing was written.*\n.*row 0 in page"):
        unpack(record_set, tmp_path / "files")
    assert not (tmp_path / "files").exists()


def test_a_changed_byte_of_an_image_is_found(record_set: Path, tmp_path: Path) -> None:
    shard = record_set / "train.mindrecord1"
    data = bytearray(shard.read_bytes())
    data[data.index(b"\xff\xd8\xff") + 200] ^= 1
    shard.write_bytes(data)
    with pytest.raises(InvalidInputError, match="its rows are not those that were written"):
        unpack(record_set, tmp_path / "files")
    assert not (tmp_path / "files").exists()


def test_damaged_instances_are_found(coco_records: Path, tmp_path: Path) -> None:
    shutil.copytree(coco_records, tmp_path / "set")
    for shard in sorted((tmp_path / "set").glob("*.mindrecord?")):
        masks = next(row["masks"] for row in SetReader(shard) if len(row["labels"]))
        data = shard.read_bytes()
        shard.write_bytes(data.replace(masks, b"\xc1" + masks[1:]))
    with pytest.raises(FaultsError, match="field 'masks' cannot be read"):
        unpack(tmp_path / "set", tmp_path / "files")
    assert not (tmp_path / "files").exists()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"image_field": "data"}, "describes its fields"),
        ({"class_names": ["a"]}, "names its classes"),
        ({"ignore_label": 0}, "names its ignore label"),
    ],
)
def test_a_set_with_a_manifest_is_not_told_what_it_says(
    voc_records: Path, tmp_path: Path, options: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(OptionError, match=sentence):
        unpack(voc_records, tmp_path / "files", **options)


def test_instances_have_no_ignore_label(coco_records: Path, tmp_path: Path) -> None:
    shutil.copytree(coco_records, tmp_path / "set")
    (tmp_path / "set" / MANIFEST).unlink()
    with pytest.raises(OptionError, match="instances have no ignore label; omit --ignore_label"):
        unpack(tmp_path / "set", tmp_path / "files", ignore_label=0)


def test_rows_of_one_name_are_distinguished_and_named(voc_records: Path, tmp_path: Path) -> None:
    rows = zoo_rows(voc_records)
    rows[3]["file_name"] = rows[1]["file_name"]
    report = unpack(write_foreign(tmp_path / "zoo", rows), tmp_path / "files", class_names=["a", "b"])
    stem = Path(rows[1]["file_name"]).stem
    assert [fault.where for fault in report.renamed] == ["row 3"]
    assert (tmp_path / "files" / f"{stem}_2.jpg").read_bytes() == rows[3]["data"]
    assert (tmp_path / "files" / "labels" / f"{stem}_2.png").read_bytes() == rows[3]["label"]
    assert (tmp_path / "files" / "classes.txt").read_text() == "a\nb\n"
    assert report.file == str(tmp_path / "files" / "voc_lst.txt")


def test_a_name_outside_the_target_is_refused(voc_records: Path, tmp_path: Path) -> None:
    rows = zoo_rows(voc_records)
    rows[2]["file_name"] = "../../evil.jpg"
    with pytest.raises(FaultsError, match=r"1 row with names that cannot be written.*\n.*row 2"):
        unpack(write_foreign(tmp_path / "zoo", rows), tmp_path / "files")
    assert not (tmp_path / "files").exists()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("a\nb.jpg", "one that a list file can have"),
        ("#a.jpg", "one that a list file can have"),
        (" a.jpg", "one that a list file can have"),
        ("b/" + "x" * 252 + ".jpg", "file name of 256 bytes; expected at most 255"),
        ("é" * 126, "file name of 256 bytes; expected at most 255"),
    ],
)
def test_a_name_that_no_list_or_label_can_have_is_refused_before_the_work(
    voc_records: Path, tmp_path: Path, name: str, reason: str
) -> None:
    rows = zoo_rows(voc_records)
    rows[2]["file_name"] = name
    for dry_run in (True, False):
        with pytest.raises(FaultsError, match=rf"1 row with names that cannot be written.*\n  row 2: .*{reason}"):
            unpack(write_foreign(tmp_path / f"zoo{dry_run}", rows), tmp_path / "files", dry_run=dry_run)
        assert not (tmp_path / "files").exists()
    rows[2]["file_name"] = "é" * 125 + ".jpg"
    report = unpack(write_foreign(tmp_path / "zoo", rows), tmp_path / "files")
    assert (tmp_path / "files" / read_list(Path(report.file))[2].label).read_bytes() == rows[2]["label"]


def test_rows_without_names_are_numbered_with_the_suffix_of_their_bytes(voc_records: Path, tmp_path: Path) -> None:
    rows = [{"data": row["data"], "label": row["label"]} for row in open_set(voc_records)]
    Image.new("RGB", (4, 4)).save(tmp_path / "x.png")
    rows[1]["data"], rows[2]["data"] = (tmp_path / "x.png").read_bytes(), b"no image"
    report = unpack(write_foreign(tmp_path / "zoo", rows, DATA_LABEL), tmp_path / "files")
    names = [pair.image for pair in read_list(Path(report.file))]
    assert names[:4] == ["000000.jpg", "000001.png", "000002.bin", "000003.jpg"]
    assert [(tmp_path / "files" / name).read_bytes() for name in names] == [row["data"] for row in rows]


def test_fields_of_any_name_are_told(voc_records: Path, tmp_path: Path) -> None:
    schema = {"picture": {"type": "bytes"}, "truth": {"type": "bytes"}, "id": {"type": "int32"}}
    rows = [{"picture": row["data"], "truth": row["label"], "id": 1} for row in open_set(voc_records)]
    shard = write_foreign(tmp_path / "zoo", rows, schema)
    with pytest.raises(InvalidInputError, match=r"no field 'data'.*picture \(bytes\).*--image_field"):
        unpack(shard, tmp_path / "files")
    report = unpack(shard, tmp_path / "files", image_field="picture", label_field="truth")
    pair = read_list(Path(report.file))[9]
    assert (tmp_path / "files" / pair.label).read_bytes() == rows[9]["truth"]


def test_labels_that_are_not_index_pngs_are_written_and_named(voc_records: Path, tmp_path: Path) -> None:
    rows = zoo_rows(voc_records)
    palette = Image.new("P", (4, 4))
    palette.putpalette([0, 0, 0, 128, 0, 0])
    palette.save(tmp_path / "p.png")
    rows[0]["label"], rows[1]["label"] = (tmp_path / "p.png").read_bytes(), rows[0]["data"]
    rows[2]["label"] = b"?"
    report = unpack(write_foreign(tmp_path / "zoo", rows), tmp_path / "files")
    assert [fault.what.split(";")[0] for fault in report.odd] == [
        "1-bit palette PNG",
        "not a PNG file",
        "not an image",
    ]
    labels = [pair.label for pair in read_list(Path(report.file))[:3]]
    assert [Path(label).suffix for label in labels] == [".png", ".jpg", ".bin"]
    assert [(tmp_path / "files" / label).read_bytes() for label in labels] == [row["label"] for row in rows[:3]]


def test_raw_masks_of_the_model_zoo_become_a_json(coco_records: Path, tmp_path: Path) -> None:
    shard = write_foreign(tmp_path / "zoo", mask_rcnn_rows(coco_records), MASK_RCNN, name="MaskRcnn.mindrecord")
    report = unpack(shard, tmp_path / "files", class_names=["ellipse", "rectangle", "triangle", "unused"])
    found = json.loads(Path(report.file).read_text())
    assert [each["name"] for each in found["categories"]] == ["ellipse", "rectangle", "triangle", "unused"]
    assert [each["id"] for each in found["images"]] == list(range(1, 13))
    masks = [each["segmentation"]["counts"].encode() for each in found["annotations"]]
    assert masks == [counts for row in open_set(coco_records) for counts in unpack_masks(row["masks"])]
    dataset = open_dataset(Path(report.file))
    assert not [finding for finding in check(dataset).findings if finding.severity == "error"]
    unnamed = unpack(shard, tmp_path / "numbered")
    assert unnamed.rows == 12
    found = json.loads(Path(unnamed.file).read_text())
    assert [each["name"] for each in found["categories"]] == ["class_1", "class_2", "class_3"]


def test_raw_masks_that_contradict_their_shape_are_refused(coco_records: Path, tmp_path: Path) -> None:
    rows = mask_rcnn_rows(coco_records)
    rows[1]["mask"] += b"\0"
    rows[2]["mask_shape"] = rows[2]["mask_shape"][:2]
    with pytest.raises(FaultsError) as error:
        unpack(write_foreign(tmp_path / "zoo", rows, MASK_RCNN), tmp_path / "files")
    assert [str(fault).partition(": ")[0] for fault in error.value.faults] == ["row 1", "row 2"]
    assert "field 'mask' has" in str(error.value) and "field 'mask_shape' is" in str(error.value)


def test_a_set_that_lost_its_manifest_is_taken_apart(coco_records: Path, tmp_path: Path) -> None:
    shutil.copytree(coco_records, tmp_path / "set")
    (tmp_path / "set" / MANIFEST).unlink()
    report = unpack(tmp_path / "set", tmp_path / "files")
    whole = unpack(coco_records, tmp_path / "known")
    assert (report.rows, report.instances) == (whole.rows, whole.instances)


@pytest.mark.parametrize("first", ["void", " cat", "#1", "road 1 2 3"])
def test_names_that_a_file_of_names_would_change_are_not_written(voc_records: Path, tmp_path: Path, first: str) -> None:
    shard = write_foreign(tmp_path / "zoo", zoo_rows(voc_records))
    report = unpack(shard, tmp_path / "files", class_names=[first, "dog"])
    assert (report.class_names_file, [fault.where for fault in report.odd]) == (None, ["classes.txt"])
    assert not (tmp_path / "files" / "classes.txt").exists()
