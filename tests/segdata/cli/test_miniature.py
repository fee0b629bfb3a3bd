"""sample as a user types it: each kind is what the commands for it take."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

Run = Callable[..., Result]


@pytest.mark.parametrize(
    ("kind", "then"),
    [
        ("voc", [("voc-decolor", "--data_root", "{0}"), ("voc-list", "--data_root", "{0}")]),
        ("sbd", [("voc-decolor", "--data_root", "{0}"), ("sbd-merge", "--data_root", "{0}")]),
        (
            "coco",
            [
                ("coco-subset", "--annotations", "{0}/annotations/instances.json", "--images", "{0}/images",
                 "--dst_path", "{0}-subset"),
                ("to-mindrecord", "--annotations", "{0}-subset/annotations/instances.json", "--images",
                 "{0}-subset/images", "--dst_path", "{0}-records", "--num_shards", "2"),
                ("verify", "{0}-records"),
            ],
        ),
        (
            "tif",
            [
                ("tif-slice", "--images", "{0}/train-volume.tif", "--labels", "{0}/train-labels.tif", "--map",
                 "0:0,255:1", "--dst_path", "{0}-sliced"),
                ("to-mindrecord", "--data_root", "{0}-sliced", "--data_lst", "{0}-sliced/all_lst.txt", "--num_classes",
                 "2", "--dst_path", "{0}-records", "--num_shards", "2"),
                ("verify", "{0}-records"),
            ],
        ),
        (
            "labelme",
            [
                ("labelme", "{0}", "--class_names", "{0}/labels.txt", "--dst_path", "{0}.json"),
                ("check", "{0}.json", "--images", "{0}", "--strict"),
                ("to-mindrecord", "--annotations", "{0}.json", "--images", "{0}", "--dst_path", "{0}-records",
                 "--num_shards", "2"),
                ("verify", "{0}-records"),
            ],
        ),
        (
            "yolo",
            [
                ("yolo-seg", "{0}/data.yaml", "--dst_path", "{0}-json"),
                ("check", "{0}-json/instances_train.json", "--images", "{0}/images", "--against",
                 "{0}-json/instances_val.json"),
                ("to-mindrecord", "--annotations", "{0}-json/instances_train.json", "--images", "{0}/images",
                 "--dst_path", "{0}-records", "--num_shards", "2"),
                ("verify", "{0}-records"),
            ],
        ),
        (
            "instance-masks",
            [
                ("masks-to-coco", "{0}/masks", "--images", "{0}/images", "--class_name", "shape", "--dst_path",
                 "{0}.json"),
                ("check", "{0}.json", "--images", "{0}/images", "--strict"),
                ("to-mindrecord", "--annotations", "{0}.json", "--images", "{0}/images", "--dst_path", "{0}-records",
                 "--num_shards", "2"),
                ("verify", "{0}-records"),
            ],
        ),
        (
            "voc",
            [
                ("masks-to-coco", "{0}/VOCdevkit/VOC2012/SegmentationObject", "--class_masks",
                 "{0}/VOCdevkit/VOC2012/SegmentationClass", "--images", "{0}/VOCdevkit/VOC2012/JPEGImages",
                 "--dst_path", "{0}.json"),
                ("check", "{0}.json", "--images", "{0}/VOCdevkit/VOC2012/JPEGImages"),
            ],
        ),
        (
            "cityscapes",
            [
                ("masks-to-coco", "{0}/gtFine", "--cityscapes", "--images", "{0}/leftImg8bit", "--dst_path",
                 "{0}.json"),
                ("check", "{0}.json", "--images", "{0}/leftImg8bit"),
            ],
        ),
        (
            "cvat",
            [
                ("check", "{0}/annotations/instances_default.json", "--images", "{0}/images/default", "--strict",
                 "--crowd", "object"),
                ("coco-to-masks", "--annotations", "{0}/annotations/instances_default.json", "--images",
                 "{0}/images/default", "--crowd", "object", "--dst_path", "{0}-masks"),
                ("check", "{0}-masks/coco_lst.txt", "--class_names", "{0}-masks/classes.txt", "--data_root", "{0}/.."),
            ],
        ),
        (
            "label-studio",
            [
                ("check", "{0}/result.json", "--strict"),
                ("to-mindrecord", "{0}/result.json", "--dst_path", "{0}-records", "--num_shards", "2"),
                ("verify", "{0}-records"),
            ],
        ),
        (
            "roboflow",
            [
                ("check", "{0}/train/_annotations.coco.json", "--against", "{0}/valid/_annotations.coco.json"),
                ("coco-subset", "--annotations", "{0}/train/_annotations.coco.json", "--images", "{0}/train",
                 "--drop-unused", "--remap-ids", "--dst_path", "{0}-subset"),
                ("check", "{0}-subset/annotations/instances.json", "--strict"),
            ],
        ),
    ],
)  # fmt: skip
def test_a_miniature_goes_the_way_of_the_real_data_set(
    segdata: Run, tmp_path: Path, kind: str, then: list[tuple[str, ...]]
) -> None:
    root = tmp_path / "raw"
    result = segdata("sample", root, "--kind", kind, "--train", 4, "--val", 2)
    assert (result.exit_code, f"written to {root}" in result.output) == (0, True), result.output
    for command in then:
        result = segdata(*(argument.format(root) for argument in command))
        assert result.exit_code == 0, result.output


def test_the_report_says_what_was_drawn(segdata: Run, tmp_path: Path) -> None:
    result = segdata("sample", tmp_path / "raw", "--kind", "sbd", "--json")
    report = json.loads(result.output)
    assert (report["path"], report["kind"]) == (str(tmp_path / "raw"), "sbd")
    assert {"train": 24, "val": 8, "sbd_train": 26, "sbd_val": 10}.items() <= report["contents"].items()


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("voc", "4 train and 1 val image written to {0}; classes: aeroplane, bicycle, bird\n"),
        (
            "sbd",
            "4 train and 1 val image, 4 train and 4 val images of SBD written to {0}; "
            "classes: aeroplane, bicycle, bird\n",
        ),
        ("coco", "5 images with 7 annotations (1 crowd) written to {0}; categories: ellipse, rectangle, triangle\n"),
        ("tif", "5 pages of 128 x 128 written to {0}/train-volume.tif and {0}/train-labels.tif\n"),
        ("yolo", "5 images with 9 objects written to {0}; categories: ellipse, rectangle, triangle\n"),
    ],
)
def test_the_report_is_a_sentence(segdata: Run, tmp_path: Path, kind: str, text: str) -> None:
    result = segdata("sample", tmp_path / "raw", "--kind", kind, "--train", 4, "--val", 1)
    assert result.output == text.format(tmp_path / "raw")


def test_a_taken_folder_and_an_unknown_kind_are_refused(segdata: Run, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").touch()
    result = segdata("sample", tmp_path)
    assert (result.exit_code, "mine.txt" in result.output) == (1, True), result.output
    result = segdata("sample", tmp_path / "raw", "--kind", "kitti")
    assert (result.exit_code, "'kitti' is not one of" in result.output) == (2, True), result.output


@pytest.mark.parametrize("kind", ["voc", "sbd", "coco", "tif", "yolo"])
def test_an_earlier_miniature_stays_and_is_not_called_the_work_of_others(
    segdata: Run, tmp_path: Path, kind: str
) -> None:
    small = ["--kind", kind, "--train", 2, "--val", 1]
    assert segdata("sample", tmp_path / "a", *small).exit_code == 0
    before = sorted(tmp_path.rglob("*"))
    result = segdata("sample", tmp_path / "a", *small)
    assert (result.exit_code, sorted(tmp_path.rglob("*"))) == (1, before)
    assert "expected a missing or empty directory" in result.output and "did not write" not in result.output
