"""Real cuts of the public data sets: written, taken apart and compared; and MindSpore's own sets."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from pycocotools.coco import COCO

from segdata.errors import InvalidInputError
from segdata.inspect.foreign_info import ForeignInfo
from segdata.inspect.info import info
from segdata.labels.classes import Classes
from segdata.labels.map_file import load_map
from segdata.lists import read_list
from segdata.opening import open_dataset
from segdata.records.adopt import adopt
from segdata.records.convert import to_mindrecord
from segdata.records.unpack import unpack
from segdata.sources.sbd.merge import sbd_merge
from segdata.sources.tif.slice import tif_slice
from segdata.sources.voc import voc_list
from segdata.sources.voc_decolor import voc_decolor

JSONS = {
    "coco/tiny_coco_dataset/annotations/instances_train2017.json": "coco/tiny_coco_dataset/train2017",
    "coco/tiny_coco_dataset/annotations/instances_val2017.json": "coco/tiny_coco_dataset/val2017",
    "coco/enginbozaba_tiny_coco/annotations/instances_train2017.json": "coco/enginbozaba_tiny_coco/images/train2017",
    "coco/enginbozaba_tiny_coco/annotations/instances_val2017.json": "coco/enginbozaba_tiny_coco/images/val2017",
}


def check_pairs(path: Path, tmp_path: Path, classes: Classes | None = None) -> None:
    """Check that a list and the files of its record set are equal, and that these give the same set."""
    to_mindrecord(open_dataset(path, classes=classes), tmp_path / "set", num_shards=3)
    files = tmp_path / "files"
    listed = Path(unpack(tmp_path / "set", files).file)
    labels = {pair.image: pair.label for pair in read_list(path)}
    assert {pair.image for pair in read_list(listed)} == set(labels)
    for pair in read_list(listed):
        assert (files / pair.image).read_bytes() == (path.parent / pair.image).read_bytes()
        assert (files / pair.label).read_bytes() == (path.parent / labels[pair.image]).read_bytes()
    check_again(listed, tmp_path, classes)


def check_again(samples: Path, tmp_path: Path, classes: Classes | None = None) -> None:
    to_mindrecord(open_dataset(samples, classes=classes), tmp_path / "again" / "set", num_shards=3)
    assert {path.name: path.read_bytes() for path in (tmp_path / "again" / "set").iterdir()} == {
        path.name: path.read_bytes() for path in (tmp_path / "set").iterdir()
    }


def test_voc_and_sbd(real_data: Path, tmp_path: Path) -> None:
    root = tmp_path / "data"
    for part in ("voc2012/VOCdevkit", "sbd/benchmark_RELEASE"):
        shutil.copytree(real_data / part, root / Path(part).name)
    voc_decolor(root)
    voc_list(root)
    sbd_merge(root)
    for name in ("voc_train_lst.txt", "voc_val_lst.txt", "vocaug_train_lst.txt"):
        check_pairs(root / name, tmp_path / name)


def test_isbi(real_data: Path, tmp_path: Path) -> None:
    stacks = real_data / "isbi2012"
    tif_slice(
        stacks / "train-volume.tif",
        labels=stacks / "train-labels.tif",
        dst_path=tmp_path / "slices",
        map=load_map("0:1,255:0"),
    )
    check_pairs(tmp_path / "slices" / "all_lst.txt", tmp_path, Classes(("cell", "membrane")))


@pytest.mark.parametrize("name", JSONS)
def test_coco(real_data: Path, tmp_path: Path, name: str) -> None:
    images, files = real_data / JSONS[name], tmp_path / "files"
    to_mindrecord(open_dataset(real_data / name, images=images), tmp_path / "set", num_shards=3)
    json = Path(unpack(tmp_path / "set", files).file)
    source, found = COCO(str(real_data / name)), COCO(str(json))
    assert {(each["id"], each["name"]) for each in source.dataset["categories"]} == {
        (each["id"], each["name"]) for each in found.dataset["categories"]
    }
    assert set(source.getImgIds()) == set(found.getImgIds())
    for image in found.dataset["images"]:
        assert (files / "images" / image["file_name"]).read_bytes() == (images / image["file_name"]).read_bytes()
        pairs = [each.loadAnns(each.getAnnIds(image["id"])) for each in (source, found)]
        for theirs, ours in zip(*pairs, strict=True):
            assert (ours["category_id"], ours["iscrowd"]) == (theirs["category_id"], theirs.get("iscrowd", 0))
            assert ours["bbox"] == pytest.approx(theirs["bbox"], abs=1e-3)
            assert np.array_equal(found.annToMask(ours), source.annToMask(theirs))
    check_again(json, tmp_path)


@pytest.mark.parametrize(
    ("name", "rows", "shards", "reason"),
    [
        ("imagenet.mindrecord2", 20, 4, "field 'label' is int64; expected bytes"),
        ("twobytes.mindrecord", 5, 1, "no field 'data' with an encoded image"),
    ],
)
def test_sets_of_mindspore_are_described_or_refused(
    real_data: Path, tmp_path: Path, name: str, rows: int, shards: int, reason: str
) -> None:
    path = real_data / "mindrecord" / name
    found = info(path)
    assert isinstance(found, ForeignInfo)
    assert (found.version, found.rows, len(found.shards), found.task) == ("2.0", rows, shards, None)
    assert reason in found.unknown[0]
    with pytest.raises(InvalidInputError, match="its fields are"):
        adopt(path)
    with pytest.raises(InvalidInputError, match=reason):
        unpack(path, tmp_path / "files")


def test_images_and_labels_of_a_set_of_mindspore(real_data: Path, tmp_path: Path) -> None:
    path = real_data / "mindrecord" / "twobytes.mindrecord"
    report = unpack(path, tmp_path / "files", image_field="img_data", label_field="label_data")
    assert (report.rows, len(report.odd)) == (5, 5)
    assert all("not a PNG file" in fault.what for fault in report.odd)
    for pair in read_list(Path(report.file)):
        assert (tmp_path / "files" / pair.image).read_bytes().startswith(b"\xff\xd8\xff")
