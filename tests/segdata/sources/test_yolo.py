"""YOLO: layouts and lines, compared with what Ultralytics draws by OpenCV."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from segdata.coco.rle import decode_rle, to_rle
from segdata.errors import Fault, FaultsError, InvalidInputError, TargetExistsError
from segdata.inspect.check import check
from segdata.opening import open_dataset
from segdata.records.convert import to_mindrecord
from segdata.sources.yolo.convert import yolo_seg
from segdata.sources.yolo.layout import label_path

WIDTH, HEIGHT = 80, 50
TRIANGLE = "0 0.1 0.2 0.9 0.3 0.4 0.8"
SQUARE = "1 0.25 0.2 0.5 0.2 0.5 0.6 0.25 0.6"
YAML = "train: images/train\nval: images/val\nnames:\n  0: cat\n  1: dog\n"

Add = Callable[..., Path]


@pytest.fixture
def add(tmp_path: Path) -> Add:
    """Return a function that adds an image, and its label file unless there are no lines."""

    def add(*lines: str, name: str = "a", split: str = "train", **options: Any) -> Path:
        path = tmp_path / "set" / "images" / split / f"{name}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (WIDTH, HEIGHT), (60, 90, 120)).save(path, **options)
        if lines:
            label_path(path).parent.mkdir(parents=True, exist_ok=True)
            label_path(path).write_text("\n".join(lines) + "\n")
        return path

    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "data.yaml").write_text(YAML)
    return add


@pytest.fixture
def usual(add: Add, tmp_path: Path) -> Path:
    """A data set with two training images and one for validation."""
    add(TRIANGLE, SQUARE)
    add(name="b")
    add(SQUARE, name="c", split="val")
    return tmp_path / "set"


def faults_of(source: Path, target: Path) -> list[Fault]:
    with pytest.raises(FaultsError) as caught:
        yolo_seg(source, target)
    assert not target.exists()
    return list(caught.value.faults)


def read(target: Path, split: str = "train") -> dict[str, Any]:
    found: dict[str, Any] = json.loads((target / f"instances_{split}.json").read_text())
    return found


def test_each_split_becomes_a_json(usual: Path, tmp_path: Path) -> None:
    report = yolo_seg(usual, tmp_path / "out")
    train, val = read(tmp_path / "out"), read(tmp_path / "out", "val")
    assert [image["file_name"] for image in train["images"]] == ["train/a.jpg", "train/b.jpg"]
    assert [image["file_name"] for image in val["images"]] == ["val/c.jpg"]
    assert [(item["id"], item["name"]) for item in val["categories"]] == [(1, "cat"), (2, "dog")]
    assert [item["category_id"] for item in train["annotations"]] == [1, 2]
    assert train["annotations"][1]["segmentation"] == [[20, 10, 40, 10, 40, 30, 20, 30]]
    assert (train["annotations"][1]["bbox"], train["annotations"][1]["area"]) == ([20, 10, 20, 20], 400)
    assert report.root == str(usual / "images")
    assert report.samples_by_file == {
        str(tmp_path / "out/instances_train.json"): 2,
        str(tmp_path / "out/instances_val.json"): 1,
    }
    assert (report.objects, report.found) == ({"cat": 1, "dog": 2}, {"images without a label file": 1})


def test_masks_are_those_of_ultralytics_up_to_the_outline(usual: Path, tmp_path: Path) -> None:
    yolo_seg(usual, tmp_path / "out")
    for line, annotation in zip((TRIANGLE, SQUARE), read(tmp_path / "out")["annotations"], strict=True):
        points = np.array(line.split()[1:], float).reshape(-1, 2) * (WIDTH, HEIGHT)
        # polygon2mask of Ultralytics: coordinates are cut to integers, and the outline is filled too.
        theirs = cv2.fillPoly(np.zeros((HEIGHT, WIDTH), np.uint8), [points.astype(np.int32)], 1)
        ours = decode_rle(to_rle(annotation["segmentation"], HEIGHT, WIDTH))
        outline = cv2.polylines(np.zeros((HEIGHT, WIDTH), np.uint8), [points.astype(np.int32)], True, 1)
        near = cv2.dilate(outline, np.ones((3, 3), np.uint8))
        assert np.array_equal(ours[near == 0], theirs[near == 0])
        assert ours.sum() > 300


def test_the_result_is_clean_and_becomes_records(usual: Path, tmp_path: Path) -> None:
    report = yolo_seg(usual / "data.yaml", tmp_path / "out")
    for file in report.samples_by_file:
        dataset = open_dataset(Path(file), images=Path(report.root))
        assert {finding.code for finding in check(dataset).findings} <= {"no_annotation", "class_unused"}
    dataset = open_dataset(tmp_path / "out/instances_train.json", images=Path(report.root))
    assert to_mindrecord(dataset, tmp_path / "records", num_shards=1).rows == 2


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("0 0.5 0.5 0.2 0.4", "has only a box"),
        ("0 0.1 0.2 0.9 0.3", "has only a box"),
        ("0 0.1 0.2 0.9", "has 3 coordinates"),
        ("0 0.1 0.2 0.9 0.3 0.4 0.8 0.97", "has 7 coordinates"),
        ("2 0.1 0.2 0.9 0.3 0.4 0.8", "class 2; expected 0 to 1"),
        ("0.5 0.1 0.2 0.9 0.3 0.4 0.8", "class 0.5; expected 0 to 1"),
        ("-1 0.1 0.2 0.9 0.3 0.4 0.8", "class -1"),
        ("0 10 20 90 30 40 80", "coordinates from 10 to 90; expected fractions"),
        ("0 0.1 0.2 nan 0.3 0.4 0.8", "expected a class index and numbers"),
        ("cat 0.1 0.2 0.9 0.3 0.4 0.8", "expected a class index and numbers"),
        ("0 0.1 0.1 0.1 0.1 0.1 0.1", "covers no pixel"),
    ],
)
def test_a_line_that_is_not_a_polygon_is_refused(add: Add, tmp_path: Path, line: str, words: str) -> None:
    add(TRIANGLE, line)
    add(SQUARE, split="val", name="b")
    (fault,) = faults_of(tmp_path / "set", tmp_path / "out")
    assert fault.where.endswith("labels/train/a.txt: line 2") and words in fault.what


def test_a_bad_line_becomes_a_crowd_over_its_box(add: Add, tmp_path: Path) -> None:
    add("0 0.5 0.5 0.25 0.4", "1 0.1 0.2 0.5")
    add(SQUARE, split="val", name="b")
    report = yolo_seg(tmp_path / "set", tmp_path / "out", on_error="skip")
    box, point = read(tmp_path / "out")["annotations"]
    assert (box["bbox"], box["iscrowd"], box["category_id"], box["area"]) == ([30, 15, 20, 20], 1, 1, 400)
    assert (point["bbox"], point["iscrowd"], point["category_id"]) == ([8, 10, 1, 1], 1, 2)
    assert (report.crowds, report.samples, len(report.faults)) == (2, 2, 2)


def test_an_image_whose_bad_line_has_no_place_is_left_out(add: Add, tmp_path: Path) -> None:
    add("7 0.5 0.5 0.25 0.4", TRIANGLE)
    add(SQUARE, name="b")
    add(SQUARE, split="val", name="c")
    report = yolo_seg(tmp_path / "set", tmp_path / "out", on_error="skip")
    assert (report.samples, report.images_left_out) == (2, 1)
    assert [image["file_name"] for image in read(tmp_path / "out")["images"]] == ["train/b.jpg"]


def test_repeated_and_blank_lines_and_unpaired_labels_are_counted(add: Add, usual: Path, tmp_path: Path) -> None:
    add(TRIANGLE, "", TRIANGLE, SQUARE)
    (usual / "labels/train/gone.txt").write_text(TRIANGLE)
    (usual / "labels/train/classes.txt").write_text("cat\ndog\n")
    report = yolo_seg(usual, tmp_path / "out")
    assert report.left_out == {"label files without an image": 1, "repeated lines": 1}
    assert len(read(tmp_path / "out")["annotations"]) == 2


@pytest.mark.parametrize(
    ("yaml", "words"),
    [
        ("train: images/train\nval: images/val\nnames: [cat, dog]\nnc: 2\n", ""),
        ("path: ../gone\ntrain: ../images/train\nvalidation: [images/val]\nnames: ['cat', 'dog']\n", ""),
        ("train: images/train\nvalid: images/val\nnames: [cat, dog]\n", ""),
        ("train: ./train.txt\nval: images/val\nnc: 2\n", ""),
        ("train: images/train\nval: images/val\nnames: [cat, dog]\nnc: 3\n", "nc is 3, but names lists 2"),
        ("train: images/train\nval: images/val\nnames: {0: cat, 2: dog}\n", "names has the ids [0, 2]"),
        ("train: images/train\nval: images/val\nnames: [cat, cat]\n", "duplicate classes"),
        ("train: images/train\nval: images/val\n", "defines no classes"),
        ("train: images/train\nnames: [yes, no]\n", "Quote names"),
        ("train: images/train\nnames: {'0': cat, '1': dog}\n", "but not the indices"),
        ("train: images/train\nnames: [cat, dog]\nkpt_shape: [17, 3]\n", "describes keypoints"),
        ("names: [cat, dog]\n", "names no images"),
        ("train: images/gone\nval: ../valid/images\nnames: [cat, dog]\n", "val: ../valid/images: no such folder"),
        ("train: [images\n", "damaged YAML"),
        ("- 1\n", "not a YOLO data set; expected YAML with names, train and val"),
        ("names: 3\n", "not a YOLO data set: Expected"),
        ("train: images/train\nnames: !!python/object/apply:os.getcwd []\n", "damaged YAML"),
        ("#" + "x" * (1 << 20), "expected at most 1048576"),
    ],
)
def test_the_yaml(usual: Path, tmp_path: Path, yaml: str, words: str) -> None:
    (usual / "data.yaml").write_text(yaml)
    (usual / "train.txt").write_text("./images/train/a.jpg\nimages/train/b.jpg\n")
    if not words:
        assert list(yolo_seg(usual, tmp_path / "out").samples_by_file.values()) == [2, 1]
        return
    with pytest.raises(InvalidInputError) as caught:
        yolo_seg(usual, tmp_path / "out")
    assert words in str(caught.value) and str(caught.value).startswith(str(usual / "data.yaml"))


def test_several_yaml_files_and_none(usual: Path, tmp_path: Path) -> None:
    (usual / "other.yaml").write_text(YAML)
    assert yolo_seg(usual, tmp_path / "a").samples == 3
    (usual / "data.yaml").rename(usual / "more.yaml")
    with pytest.raises(InvalidInputError, match=r"several YAML files \(more.yaml, other.yaml\)"):
        yolo_seg(usual, tmp_path / "b")
    for file in usual.glob("*.yaml"):
        file.unlink()
    with pytest.raises(InvalidInputError, match=r"expected data\.yaml or classes\.txt"):
        yolo_seg(usual, tmp_path / "b")
    (usual / "classes.txt").write_text("cat\ndog\n")
    report = yolo_seg(usual, tmp_path / "b")
    assert report.samples_by_file == {str(tmp_path / "b/instances_all.json"): 3}


def test_images_and_labels_beside_each_other(tmp_path: Path) -> None:
    assert label_path(Path("/d/images/x/images/a.b.jpg")) == Path("/d/images/x/labels/a.b.txt")
    assert label_path(Path("/d/train/a.jpg")) == Path("/d/train/a.txt")


def test_a_folder_may_have_the_labels_beside_its_images(usual: Path, tmp_path: Path) -> None:
    yolo_seg(usual, tmp_path / "a")
    flat = tmp_path / "flat"
    flat.mkdir()
    for path in [*(usual / "images/train").iterdir(), *(usual / "labels/train").iterdir()]:
        path.rename(flat / path.name)
    (flat / "classes.txt").write_text("cat\ndog\n")
    yolo_seg(flat, tmp_path / "b")
    split, all_ = (
        json.loads((tmp_path / name).read_text()) for name in ("a/instances_train.json", "b/instances_all.json")
    )
    assert split["annotations"] and all_["annotations"] == split["annotations"]
    assert [image["file_name"] for image in all_["images"]] == [
        Path(image["file_name"]).name for image in split["images"]
    ]


def test_no_label_files_at_all_is_a_wrong_layout(add: Add, tmp_path: Path) -> None:
    add()
    add(split="val", name="b")
    with pytest.raises(InvalidInputError, match="no image has a label file"):
        yolo_seg(tmp_path / "set", tmp_path / "out")


def test_a_split_without_label_files_is_not_taken_for_background(add: Add, usual: Path, tmp_path: Path) -> None:
    label_path(usual / "images/val/c.jpg").unlink()
    with pytest.raises(
        InvalidInputError, match=r"set: val: no image has a label file, such as .*c.txt; expected"
    ) as caught:
        yolo_seg(usual, tmp_path / "out")
    assert "leave this split out of the YAML" in str(caught.value)
    label_path(usual / "images/val/c.jpg").touch()
    assert yolo_seg(usual, tmp_path / "out").objects == {"cat": 1, "dog": 1}
    label_path(usual / "images/val/c.jpg").unlink()
    (usual / "data.yaml").write_text("train: images/train\nnames: [cat, dog]\n")
    assert list(yolo_seg(usual, tmp_path / "one").samples_by_file.values()) == [2]


@pytest.mark.parametrize("start", ["/content/set/images/train/", "images\\train\\"])
def test_a_list_of_images_of_another_machine_is_named(usual: Path, tmp_path: Path, start: str) -> None:
    (usual / "train.txt").write_text(f"{start}a.jpg\n{start}b.jpg\n")
    (usual / "data.yaml").write_text("train: train.txt\nval: images/val\nnames: [cat, dog]\n")
    with pytest.raises(InvalidInputError, match=r"train: none of its 2 images exists, such as .*a.jpg; expected"):
        yolo_seg(usual, tmp_path / "out")


@pytest.mark.parametrize("line", ["", "# animals"])
def test_a_skipped_line_does_not_move_the_classes(add: Add, tmp_path: Path, line: str) -> None:
    source = tmp_path / "set"
    (source / "data.yaml").unlink()
    add(SQUARE)
    for text in (f"{line}\ncat\ndog\n", f"cat\n{line}\ndog\n"):
        (source / "classes.txt").write_text(text)
        with pytest.raises(InvalidInputError, match=r"classes.txt: line [12] is blank or a comment"):
            yolo_seg(source, tmp_path / "out")
    (source / "classes.txt").write_text(f"cat\ndog\n{line}\n")
    assert yolo_seg(source, tmp_path / "out").objects == {"cat": 0, "dog": 1}


def test_a_table_of_numbers_and_names_is_not_classes_txt(add: Add, tmp_path: Path) -> None:
    source = tmp_path / "set"
    (source / "data.yaml").unlink()
    add(SQUARE)
    (source / "classes.txt").write_text("0: cat\n1: dog\n")
    with pytest.raises(InvalidInputError, match=r"is a table of numbers and names: '0: cat'"):
        yolo_seg(source, tmp_path / "out")


@pytest.mark.parametrize("folder", [True, False])
def test_an_image_in_two_splits_through_a_link_is_refused(usual: Path, tmp_path: Path, folder: bool) -> None:
    if folder:
        for part in ("images", "labels"):
            (usual / part / "test").symlink_to("train")
    else:
        (usual / "images/test").mkdir()
        (usual / "images/test/b.jpg").hardlink_to(usual / "images/train/a.jpg")
        label_path(usual / "images/test/b.jpg").parent.mkdir()
        label_path(usual / "images/test/b.jpg").touch()
    yolo_seg(usual, tmp_path / "two")
    (usual / "data.yaml").write_text(f"{YAML}test: images/test\n")
    faults = faults_of(usual, tmp_path / "out")
    assert len(faults) == (2 if folder else 1) and {fault.code for fault in faults} == {"same_file"}
    assert str(faults[0]).endswith("images/train/a.jpg in train, through a link")


def test_an_image_in_two_splits_is_refused(usual: Path, tmp_path: Path) -> None:
    (usual / "data.yaml").write_text("train: images/train\nval: [images/val, images/train]\nnames: [cat, dog]\n")
    assert {fault.code for fault in faults_of(usual, tmp_path / "out")} == {"duplicate_image"}
    report = yolo_seg(usual, tmp_path / "out", on_error="skip")
    assert (list(report.samples_by_file.values()), report.images_left_out) == ([2, 1], 0)


def test_a_turned_or_missing_image_is_refused(add: Add, usual: Path, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    add(TRIANGLE, exif=exif)
    (usual / "data.yaml").write_text("train: list.txt\nval: images/val\nnames: [cat, dog]\n")
    (usual / "list.txt").write_text("images/train/a.jpg\nimages/train/gone.jpg\n")
    assert [fault.code for fault in faults_of(usual, tmp_path / "out")] == ["rotated", "missing_image"]


def test_an_earlier_result_is_replaced_only_on_request(usual: Path, tmp_path: Path) -> None:
    yolo_seg(usual, tmp_path / "out")
    with pytest.raises(TargetExistsError):
        yolo_seg(usual, tmp_path / "out")
    yolo_seg(usual, tmp_path / "out", overwrite=True, workers=1)
    with pytest.raises(InvalidInputError, match="would be replaced"):
        yolo_seg(usual, usual, overwrite=True)
    assert yolo_seg(usual, tmp_path / "dry", dry_run=True).written is False
    assert not (tmp_path / "dry").exists()


def test_roboflows_export_of_boxes(real_data: Path, tmp_path: Path) -> None:
    source = real_data / "exports" / "roboflow_dataset" / "yolo"
    with pytest.raises(FaultsError, match=r"val: \.\./valid/images: no such folder"):
        yolo_seg(source, tmp_path / "out")
    (tmp_path / "data.yaml").write_text(f"path: {source}\ntrain: train/images\nval: val/images\nnames: [a, b]\n")
    assert {fault.what.split(";")[0] for fault in faults_of(tmp_path / "data.yaml", tmp_path / "out")} == {
        "has only a box"
    }
    report = yolo_seg(tmp_path / "data.yaml", tmp_path / "out", on_error="skip")
    assert (report.samples, report.crowds, sum(report.objects.values())) == (3, 4, 0)


def test_a_predicted_box_becomes_a_crowd_over_the_box(add: Add, tmp_path: Path) -> None:
    add(TRIANGLE, "0 0.5 0.5 0.25 0.4 0.97")
    add(SQUARE, split="val", name="b")
    report = yolo_seg(tmp_path / "set", tmp_path / "out", on_error="skip")
    crowd = read(tmp_path / "out")["annotations"][1]
    assert (crowd["bbox"], crowd["iscrowd"], crowd["area"]) == ([30, 15, 20, 20], 1, 400)
    assert "has only a box" in report.faults[0].what


@pytest.mark.parametrize(
    "line",
    ["0 10 20 30 20 30 40", "0 0.9 0.9 30 20 30 40", "0 1.2 1.2 1.4 1.2 1.4 1.4", "0 0.5 0.5 0.2 0.2 0.9 12"],
    ids=["pixels", "some pixels", "outside", "track"],
)
def test_an_object_whose_place_is_not_known_never_becomes_background(add: Add, tmp_path: Path, line: str) -> None:
    add(TRIANGLE, line)
    add(SQUARE, name="b")
    add(SQUARE, split="val", name="c")
    report = yolo_seg(tmp_path / "set", tmp_path / "out", on_error="skip")
    assert [image["file_name"] for image in read(tmp_path / "out")["images"]] == ["train/b.jpg"]
    assert (report.images_left_out, len(report.faults)) == (1, 1)


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_each_line_is_an_object(add: Add, usual: Path, tmp_path: Path, ending: str) -> None:
    # An odd number of triangles: joined, their numbers would be a polygon.
    lines = [TRIANGLE, SQUARE, "1 0.1 0.2 0.9 0.3 0.4 0.9"]
    label_path(add(*lines)).write_bytes(ending.join(lines).encode())
    yolo_seg(usual, tmp_path / "out")
    assert [item["category_id"] for item in read(tmp_path / "out")["annotations"]] == [1, 2, 2]


@pytest.mark.parametrize("name", ["B.txt", "b.TXT"])
def test_a_label_file_in_another_case_is_not_taken_for_none(add: Add, usual: Path, tmp_path: Path, name: str) -> None:
    (usual / "labels" / "train" / name).write_text(TRIANGLE)
    (fault,) = faults_of(usual, tmp_path / "out")
    assert fault.where.endswith("images/train/b.jpg") and f"but there is {name}" in fault.what
    report = yolo_seg(usual, tmp_path / "out", on_error="skip")
    assert (report.samples, report.images_left_out) == (2, 1)
