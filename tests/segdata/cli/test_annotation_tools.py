"""labelme, yolo-seg and masks-to-coco as a user types them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from PIL import Image

from segdata.miniature.tool_exports import write_export

Run = Callable[..., Result]


@pytest.fixture
def labelme_export(tmp_path: Path) -> Path:
    write_export(tmp_path / "export", "labelme", train=2, val=2)
    return tmp_path / "export"


@pytest.fixture
def masks(tmp_path: Path) -> Path:
    write_export(tmp_path / "export", "instance-masks", train=2, val=2)
    return tmp_path / "export"


def add_shape(file: Path, **members: object) -> None:
    document = json.loads(file.read_text())
    document["shapes"].append({"label": "ellipse", "points": [[9, 9]], "shape_type": "point", **members})
    file.write_text(json.dumps(document))


def test_labelme_says_what_it_wrote_and_what_comes_next(segdata: Run, labelme_export: Path, tmp_path: Path) -> None:
    add_shape(labelme_export / "000001.json", label="__ignore__")
    add_shape(labelme_export / "000001.json", label="unsure")
    done = segdata("labelme", labelme_export, "--dst_path", tmp_path / "o.json", "--ignore-label", "unsure")
    assert done.exit_code == 0, done.output
    assert f"4 images written to {tmp_path}/o.json" in done.output
    assert "left out, shapes labeled __ignore__: 1" in done.output
    assert "left out, shapes labeled unsure: 1" in done.output
    assert f"--images {labelme_export}" in done.output
    done = segdata("check", tmp_path / "o.json", "--images", labelme_export)
    assert done.exit_code == 0, done.output


def test_labelme_reports_faults_together_and_writes_nothing(segdata: Run, labelme_export: Path, tmp_path: Path) -> None:
    add_shape(labelme_export / "000001.json")
    add_shape(labelme_export / "000002.json", shape_type="line", points=[[1, 1], [30, 30]])
    done = segdata("labelme", labelme_export, "--dst_path", tmp_path / "o.json")
    assert done.exit_code == 1
    assert "2 faults; nothing was written" in done.output and "--on-error skip" in done.output
    assert "000001.json: shape" in done.output and "--line_width" in done.output
    assert not (tmp_path / "o.json").exists()
    done = segdata(
        "labelme", labelme_export, "--dst_path", tmp_path / "o.json", "--line_width", 3, "--on-error", "skip"
    )
    assert (done.exit_code, "1 fault, 0 images left out:" in done.output) == (0, True), done.output
    assert "crowds: 1" in done.output


def test_labelme_takes_names_and_reports_json(segdata: Run, labelme_export: Path, tmp_path: Path) -> None:
    names = labelme_export / "labels.txt"
    done = segdata("labelme", labelme_export, "--class_names", names, "--dst_path", tmp_path / "o.json", "--json")
    report = json.loads(done.stdout)
    assert list(report["objects"]) == ["ellipse", "rectangle", "triangle"]
    assert report["samples_by_file"] == {str(tmp_path / "o.json"): 4}
    names.write_text("ellipse\n")
    done = segdata("labelme", labelme_export, "--class_names", names, "--dst_path", tmp_path / "p.json")
    assert (done.exit_code, "unknown label: expected one of ellipse" in done.output) == (1, True), done.output


def test_an_existing_json_is_kept(segdata: Run, labelme_export: Path, tmp_path: Path) -> None:
    arguments = ("labelme", labelme_export, "--dst_path", tmp_path / "o.json")
    assert segdata(*arguments, "--dry-run").output.startswith("4 images would be written to")
    assert [segdata(*arguments).exit_code for _ in range(2)] == [0, 1]
    assert segdata(*arguments, "--overwrite").exit_code == 0


def test_yolo_writes_a_json_for_each_split(segdata: Run, tmp_path: Path) -> None:
    write_export(tmp_path / "set", "yolo", train=3, val=2)
    done = segdata("yolo-seg", tmp_path / "set", "--dst_path", tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert f"3 images written to {tmp_path}/out/instances_train.json" in done.output
    assert f"2 images written to {tmp_path}/out/instances_val.json" in done.output
    (tmp_path / "set/labels/train/000001.txt").write_text("0 0.5 0.5 0.2 0.2\n")
    done = segdata("yolo-seg", tmp_path / "set", "--dst_path", tmp_path / "new")
    assert (done.exit_code, "000001.txt: line 1: has only a box" in done.output) == (1, True), done.output
    done = segdata("yolo-seg", tmp_path / "set", "--dst_path", tmp_path / "new", "--on-error", "skip", "--json")
    assert (json.loads(done.stdout)["crowds"], json.loads(done.stdout)["faults"][0]["code"]) == (1, "no_segmentation")


def test_masks_become_objects(segdata: Run, masks: Path, tmp_path: Path) -> None:
    arguments = ("masks-to-coco", masks / "masks", "--images", masks / "images", "--dst_path", tmp_path / "o.json")
    done = segdata(*arguments, "--class_name", "shape", "--polygons", "--min_area", 5)
    assert done.exit_code == 0, done.output
    assert f"4 images written to {tmp_path}/o.json" in done.output and "by category: shape: " in done.output
    assert segdata("check", tmp_path / "o.json", "--images", masks / "images", "--strict").exit_code == 0
    done = segdata(*arguments, "--overwrite", "--class_name", "shape", "--components")
    assert (done.exit_code, "class_name: " in done.output) == (1, True), done.output


def test_components_and_files(segdata: Run, masks: Path, tmp_path: Path) -> None:
    names = tmp_path / "names.txt"
    names.write_text("ground\nshape\n")
    label = np.zeros((9, 12), np.uint8)
    label[1:3, 1:4] = label[5:8, 6:9] = 1
    for folder, name in (("own", "a.png"), ("photos", "a.png")):
        (tmp_path / folder).mkdir()
        Image.fromarray(label).save(tmp_path / folder / name)
    done = segdata(
        "masks-to-coco", tmp_path / "own/a.png", "--images", tmp_path / "photos", "--components", "--class_names",
        names, "--dst_path", tmp_path / "o.json",
    )  # fmt: skip
    assert (done.exit_code, "2 objects by category: shape: 2" in done.output) == (0, True), done.output


@pytest.mark.parametrize(
    ("lines", "categories"),
    [
        ("void\nwall\nfloor\n", None),
        ("background\nwall\nfloor\n", ["wall", "floor"]),
        ("__ignore__\n_background_\nwall\nfloor\n", ["wall", "floor"]),
    ],
)
def test_names_with_void_before_another_class_than_the_background_are_refused(
    segdata: Run, tmp_path: Path, lines: str, categories: list[str] | None
) -> None:
    (tmp_path / "names.txt").write_text(lines)
    for folder in ("masks", "photos"):
        (tmp_path / folder).mkdir()
        Image.fromarray(np.eye(4, dtype=np.uint8)).save(tmp_path / folder / "a.png")
    done = segdata(
        "masks-to-coco", tmp_path / "masks", "--images", tmp_path / "photos", "--components", "--class_names",
        tmp_path / "names.txt", "--dst_path", tmp_path / "o.json",
    )  # fmt: skip
    if categories is None:
        assert (done.exit_code, "'void' before 'wall': either may be class 0; expected" in done.output) == (1, True)
        return
    made = json.loads((tmp_path / "o.json").read_text())
    assert [category["name"] for category in made["categories"]] == categories
    assert [annotation["category_id"] for annotation in made["annotations"]] == [1]


def test_an_unusable_mask_is_named(segdata: Run, masks: Path, tmp_path: Path) -> None:
    (masks / "masks" / "000002.png").write_bytes(b"")
    arguments = ("masks-to-coco", masks / "masks", "--images", masks / "images", "--dst_path", tmp_path / "o.json")
    done = segdata(*arguments)
    assert (done.exit_code, "000002.png: is empty" in done.output) == (1, True), done.output
    done = segdata(*arguments, "--on-error", "skip")
    assert (done.exit_code, "1 fault, 1 image left out:" in done.output) == (0, True), done.output
