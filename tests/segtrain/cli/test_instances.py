"""fit, eval and predict of instances, from a COCO set to pictures."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest
from click.testing import Result
from drawn_instances import drawn, rectangle
from json_reports import checked
from little_memory import predict_with_little_memory
from PIL import Image
from pycocotools.coco import COCO
from small_mask_rcnn import small_fit

from segtrain.checkpoints.checkpoint import read_checkpoint
from segtrain.cli.instances import instance_scores, instances_found
from segtrain.evaluation.instance.evaluate import InstanceEvalReport
from segtrain.inference.instance.predict import InstancePredictReport

if TYPE_CHECKING:
    from tests.segtrain.conftest import Fitted, Miniature

Run = Callable[..., Result]


def test_every_part_of_the_loss_is_logged(fitted: Fitted) -> None:
    lines = [json.loads(line) for line in (fitted.directory / "metrics.jsonl").read_text().splitlines()]
    parts = [f"loss_{name}" for name in ("rpn_cls", "rpn_box", "box_cls", "box_reg", "mask")]
    steps = [line for line in lines if "loss" in line]
    assert len(steps) == 2  # 5 of 7 images, in batches of 2
    for line in steps:
        assert line["loss"] == pytest.approx(sum(line[part] for part in parts), rel=1e-5)
        assert line["loss_rpn_cls"] > 0
    assert set(lines[-1]) == {"epoch", "step", "mask_ap", "mask_ap50", "box_ap", "eval_loss"}
    assert 0.5 < lines[-1]["eval_loss"] / steps[-1]["loss"] < 2


def test_the_report_has_the_scores_of_boxes_and_masks(fitted: Fitted) -> None:
    report = json.loads(fitted.result.stdout)
    assert report["score"] == "mask_ap"
    assert 0 <= report["best_score"] <= 1
    assert report["scores"]["images"] == fitted.records.manifest.rows
    assert "mask AP" in fitted.result.stderr


def test_what_is_not_trained_on_is_counted_and_said(fitted: Fitted) -> None:
    said = [
        "left out 1 of 7 images, which has no instances",
        "left out 1 of 7 images, which has only crowd regions",
        "left out 1 instance in 1 image: the smallest ones where an image has more than mask_rcnn.max_instances = 3",
    ]
    assert checked(fitted.result.stdout, "segtrain fit")["started"]["left_out"] == said
    assert "\n".join(said) in fitted.result.stderr
    assert "1 epoch of 2 steps, 1 row left out of each epoch" in fitted.result.stderr


def test_schedule_and_checkpoint_count_the_rows_that_are_trained_on(fitted: Fitted, segtrain: Run) -> None:
    started = json.loads(fitted.result.stdout)["started"]
    assert (started["steps_per_epoch"], started["total_steps"], started["dropped_rows"]) == (2, 2, 1)
    info, _ = read_checkpoint(fitted.directory / "last.ckpt")
    assert (info.epoch, info.step, info.rows) == (1, 2, 5)
    result = segtrain(*small_fit(fitted.records.directory, fitted.directory, "--resume"))
    assert result.exit_code == 0, result.output
    assert "resuming after step 2 of 2" in result.stderr


def test_a_set_without_instances_is_refused_before_anything_starts(segtrain: Run, tmp_path: Path) -> None:
    black = np.zeros((40, 60, 3), np.uint8)
    records = drawn(tmp_path, [(black, []), (black, [(rectangle((40, 60), 5, 5, 30, 20), 3, True)])])
    result = segtrain(*small_fit(records.directory, tmp_path / "run"))
    assert result.exit_code == 1
    assert "record set set: has no instances; expected at least one to train on. Crowd regions do not" in result.stderr
    assert not (tmp_path / "run").exists()


def test_what_is_left_out_explains_why_a_batch_cannot_be_filled(segtrain: Run, tmp_path: Path) -> None:
    black = np.zeros((40, 60, 3), np.uint8)
    records = drawn(tmp_path, [(black, [(rectangle((40, 60), 5, 5, 30, 20), 3, False)]), (black, []), (black, [])])
    result = segtrain(*small_fit(records.directory, tmp_path / "run"))
    assert result.exit_code == 1
    assert "batch_size = 2: 1 row (2 others left out) cannot fill one batch; expected 1 or less" in result.stderr
    assert not (tmp_path / "run").exists()


def test_eval_gives_the_table_and_a_result_file_that_pycocotools_reads(
    fitted: Fitted, segtrain: Run, tmp_path: Path
) -> None:
    result = segtrain(
        "eval", "--data_file", fitted.records.directory, "--ckpt_path", fitted.directory / "best.ckpt",
        "--results", tmp_path / "results.json", "--html", tmp_path / "page", "--per_image", tmp_path / "images.csv",
        "--json",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    report = checked(result.stdout, "segtrain eval")
    assert report["path"] == str(fitted.directory / "best.ckpt")
    text = instance_scores(msgspec.convert(report, InstanceEvalReport))
    assert "this is the training set: the scores say nothing about new images" in text
    with (tmp_path / "images.csv").open(newline="") as file:
        images = list(csv.DictReader(file))
    assert len(images) == fitted.records.manifest.rows
    assert sum(int(image["instances"]) for image in images) == json.loads(fitted.result.stdout)["scores"]["instances"]
    page = (tmp_path / "page" / "index.html").read_text()
    assert "Precision and recall" in page and "this is the training set" in page
    assert page.count('class="panels"') == sum(image["f1"] != "" for image in images)
    for words in ("AP50", "AR 100", "mask AP", *fitted.records.manifest.class_names, "parameters loaded"):
        assert words in text
    entries = json.loads((tmp_path / "results.json").read_text())
    known = {info.original_id for info in fitted.records.manifest.classes}
    assert {entry["category_id"] for entry in entries} <= known


def test_predict_draws_cuts_out_and_writes_results_for_its_own_list_of_images(
    fitted: Fitted, segtrain: Run, tmp_path: Path
) -> None:
    (fitted.images / "broken.jpg").write_bytes(b"no image")
    out = tmp_path / "out"
    result = segtrain(
        "predict", "--images", fitted.images, "--ckpt_path", fitted.directory / "best.ckpt", "--out", out,
        "--cutout", "--score", 0.0, "--json",
    )  # fmt: skip
    (fitted.images / "broken.jpg").unlink()
    assert result.exit_code == 1
    report = checked(result.stdout, "segtrain predict")
    assert report["path"] == str(out)
    text = instances_found(msgspec.convert(report, InstancePredictReport))
    assert "1 image cannot be segmented" in text and "broken.jpg" in text
    coco = COCO(str(out / "images.json"))
    found = coco.loadRes(str(out / "results.json"))
    assert len(coco.imgs) == 7 and found.anns
    for image in coco.imgs.values():
        name = f"{Path(image['file_name']).stem}.png"
        with Image.open(out / "overlay" / name) as overlay, Image.open(out / "cutout" / name) as cut:
            assert cut.size == (image["width"], image["height"])
            # Small pictures with names are enlarged by an integer factor.
            factor = overlay.size[0] // image["width"]
            assert factor >= 1 and overlay.size == (factor * image["width"], factor * image["height"])
            seen = np.asarray(cut)[..., 3] > 0
        masks = [found.annToMask(entry) for entry in found.imgToAnns[image["id"]]]
        assert (seen == (np.any(masks, axis=0) if masks else np.zeros_like(seen))).all()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the memory of a process and tells its size")
def test_an_image_too_large_for_the_memory_is_named_and_the_others_are_kept(fitted: Fitted, tmp_path: Path) -> None:
    image = next(fitted.images.iterdir())
    images, fault = predict_with_little_memory(fitted.directory / "best.ckpt", image, tmp_path)
    assert images == "2"
    assert fault.startswith("huge.png: 9000 x 9000 pixels are too many here: ")
    assert {path.name for path in (tmp_path / "out" / "overlay").iterdir()} == {"first.png", "small.png"}
    described = COCO(str(tmp_path / "out" / "images.json")).imgs.values()
    assert [each["file_name"] for each in described] == [f"{name}{image.suffix}" for name in ("first", "small")]


def test_a_list_file_has_no_instances_to_be_evaluated(fitted: Fitted, segtrain: Run, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("a.png b.png\n")
    result = segtrain(
        "eval", "--data_root", tmp_path, "--data_lst", tmp_path / "list.txt", "--ckpt_path",
        fitted.directory / "best.ckpt",
    )  # fmt: skip
    assert result.exit_code == 1
    assert "list.txt: a list file has no instances" in result.stderr


@pytest.mark.parametrize(
    ("command", "arguments", "words"),
    [
        ("eval", ["--flip", "--scales", "0.5"], "--flip or --scales: not available for mask_rcnn"),
        ("eval", ["--plot", "a.png"], "--plot draws a confusion matrix, which mask_rcnn does not have. Use --html"),
        ("eval", ["--num_classes", "2"], "was trained with num_classes = 4; expected 2"),
        ("predict", ["--score", "1.5"], "score = 1.5: expected 0 to 1"),
        ("predict", ["--crop_size", "65"], "crop_size: not available for mask_rcnn"),
        ("predict", ["--threshold", "cat:0.5"], "--threshold: not available for mask_rcnn"),
        ("predict", ["--fit", "tiles", "--overlap", "9"], "--fit or --overlap: not available for mask_rcnn"),
    ],
)
def test_options_that_mean_nothing_here_are_refused(
    fitted: Fitted, segtrain: Run, tmp_path: Path, command: str, arguments: list[str], words: str
) -> None:
    data = ["--data_file", fitted.records.directory]
    if command == "predict":
        data = ["--images", fitted.images, "--out", tmp_path / "out"]
    result = segtrain(command, *data, "--ckpt_path", fitted.directory / "best.ckpt", *arguments)
    assert result.exit_code in (1, 2)
    assert words in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_semantic_network_refuses_an_instance_set(fitted: Fitted, segtrain: Run, tmp_path: Path) -> None:
    result = segtrain(
        "fit", "--recipe", "deeplabv3plus_cpu", "--data_file", fitted.records.directory, "--train_dir", tmp_path / "run"
    )
    assert result.exit_code == 1
    assert "is for instance segmentation; expected semantic segmentation" in result.stderr


def test_an_evaluation_set_for_the_other_task_is_named_as_such(
    fitted: Fitted, miniature: Miniature, segtrain: Run, tmp_path: Path
) -> None:
    result = segtrain(
        "fit", "--recipe", "deeplabv3plus_cpu", "--data_file", miniature.train, "--train_dir", tmp_path / "run",
        "--eval_data_file", fitted.records.directory,
    )  # fmt: skip
    assert result.exit_code == 1
    assert "is for instance segmentation; expected semantic segmentation, as the training set" in result.stderr
    assert not (tmp_path / "run").exists()


def test_a_mask_rcnn_is_not_exported_and_the_reason_is_said(fitted: Fitted, segtrain: Run, tmp_path: Path) -> None:
    result = segtrain("export", "--ckpt_path", fitted.directory / "best.ckpt", "--out", tmp_path / "a.mindir")
    assert result.exit_code == 1
    assert "mask_rcnn cannot be exported" in result.stderr
