from __future__ import annotations

import dataclasses
from pathlib import Path

import msgspec
import numpy as np
import pytest
from drawn_instances import drawn, record_set, rectangle, truth_found
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from segdata.errors import InvalidInputError
from segdata.records.reader import RecordSet, read_rows
from segtrain.evaluation.instance.coco import AveragePrecision, score_results
from segtrain.evaluation.instance.truth import ground_truth, read_ground_truth
from segtrain.inference.instance.detections import Result, result_entries, write_results
from segtrain.inference.instance.paste import encode_mask, paste_mask

COCO_FILES = "annotations/instances.json"

#: pycocotools adds 2e-16 to the number of detections before it divides by it.
ONE = pytest.approx(1, abs=1e-12)


def _perfect(records: RecordSet) -> list[Result]:
    classes = records.manifest.classes
    return [entry for row in read_rows(records) for entry in result_entries(row["image_id"], truth_found(row), classes)]


def _imperfect(records: RecordSet) -> list[Result]:
    """Return results that are shifted, wrong, duplicated or missing, each with its own score."""
    rng = np.random.default_rng(0)
    entries = []
    for row in read_rows(records):
        found = truth_found(row)
        count = len(found.labels)
        boxes = np.clip(found.boxes + rng.uniform(-2, 2, (count, 4)).astype(np.float32), 0, None)
        masks = tuple(
            encode_mask(paste_mask(np.ones((8, 8), np.float32), box, row["height"], row["width"])) for box in boxes
        )
        labels = np.where(rng.random(count) < 0.2, 1, found.labels)
        scores = rng.random(count).astype(np.float32)
        worse = dataclasses.replace(found, boxes=boxes, masks=masks, labels=labels, scores=scores)
        kept = result_entries(row["image_id"], worse, records.manifest.classes)
        entries += kept[: count - row["image_id"] % 2] + kept[:1]
    return entries


def _by_pycocotools(annotations: Path, results: Path, what: str, capsys: pytest.CaptureFixture[str]) -> list[float]:
    truth = COCO(str(annotations))
    evaluation = COCOeval(truth, truth.loadRes(str(results)), what)
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    capsys.readouterr()
    return list(evaluation.stats)


def _numbers(scores: AveragePrecision) -> list[float]:
    return [-1 if value is None else value for value in dataclasses.astuple(scores)]


def test_ground_truth_given_as_result_is_perfect(coco: RecordSet) -> None:
    report = score_results(ground_truth(coco), _perfect(coco))
    assert (report.box.ap, report.mask.ap, report.box.ar_100, report.mask.ar_100) == (ONE,) * 4
    assert report.crowds > 0
    assert report.detections == report.instances + report.crowds
    assert report.images == coco.manifest.rows == 9  # the last of which is empty
    assert [(each.name, each.box_ap, each.mask_ap) for each in report.classes] == [
        (info.name, ONE, ONE) for info in coco.manifest.classes
    ]


@pytest.mark.parametrize(
    ("annotations", "images"),
    [
        ("tiny_coco_dataset/annotations/instances_val2017.json", "tiny_coco_dataset/val2017"),
        ("enginbozaba_tiny_coco/annotations/instances_train2017.json", "enginbozaba_tiny_coco/images/train2017"),
    ],
)
def test_ground_truth_of_real_images_given_as_result_is_perfect(
    real_data: Path, tmp_path: Path, annotations: str, images: str
) -> None:
    json_file = real_data / "coco" / annotations
    records = record_set(json_file, real_data / "coco" / images, tmp_path)
    results = _perfect(records)
    for truth in (ground_truth(records), read_ground_truth(json_file, records)):
        report = score_results(truth, results)
        assert (report.box.ap, report.mask.ap) == (ONE, ONE)
        assert report.crowds > 0


def test_the_result_file_scores_the_same_by_pycocotools_alone(
    coco: RecordSet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    truth, results = ground_truth(coco), _imperfect(coco)
    (tmp_path / "truth.json").write_bytes(msgspec.json.encode(truth))
    write_results(tmp_path / "results.json", results, overwrite=False)
    report = score_results(truth, results)
    for scores, what in ((report.box, "bbox"), (report.mask, "segm")):
        expected = _by_pycocotools(tmp_path / "truth.json", tmp_path / "results.json", what, capsys)
        assert _numbers(scores) == expected
        assert 0 < expected[0] < 1


def test_the_source_may_be_the_ground_truth(
    coco: RecordSet, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    annotations = folder / "coco" / COCO_FILES
    results = _imperfect(coco)
    write_results(tmp_path / "results.json", results, overwrite=False)
    report = score_results(read_ground_truth(annotations, coco), results)
    for scores, what in ((report.box, "bbox"), (report.mask, "segm")):
        assert _numbers(scores) == _by_pycocotools(annotations, tmp_path / "results.json", what, capsys)


def test_nothing_is_printed(coco: RecordSet, capsys: pytest.CaptureFixture[str]) -> None:
    score_results(ground_truth(coco), _perfect(coco))
    assert capsys.readouterr() == ("", "")


def test_what_is_scored_stays_as_it_was(coco: RecordSet) -> None:
    truth, results = ground_truth(coco), _perfect(coco)
    before = msgspec.json.encode((truth, results))
    assert score_results(truth, results) == score_results(truth, results)
    assert msgspec.json.encode((truth, results)) == before


def test_no_detection_at_all_is_a_score_of_zero(coco: RecordSet) -> None:
    report = score_results(ground_truth(coco), [])
    assert (report.detections, report.box.ap, report.mask.ap, report.mask.ar_100) == (0, 0, 0, 0)
    assert report.metrics == {"mask_ap": 0, "mask_ap50": 0, "box_ap": 0}


def test_where_no_instance_counts_there_is_no_score(tmp_path: Path) -> None:
    black = np.zeros((20, 20, 3), np.uint8)
    region = rectangle((20, 20), 2, 2, 18, 18)
    records = drawn(tmp_path, [(black, [(region, 11, True)]), (black, [])])
    for results in ([], _perfect(records)):
        report = score_results(ground_truth(records), results)
        assert (report.images, report.instances, report.crowds) == (2, 0, 1)
        assert set(_numbers(report.box) + _numbers(report.mask)) == {-1}
        assert [each.mask_ap for each in report.classes] == [None] * 3
        assert set(report.metrics.values()) == {0}


def test_classes_are_scored_each_for_itself(tmp_path: Path) -> None:
    black = np.zeros((20, 40, 3), np.uint8)
    square, bar = rectangle((20, 40), 2, 2, 8, 8), rectangle((20, 40), 10, 10, 35, 14)
    records = drawn(tmp_path, [(black, [(bar, 11, False)]), (black, [(square, 3, False), (bar, 11, False)])])
    results = [entry for entry in _perfect(records) if (entry["image_id"], entry["category_id"]) != (20, 11)]
    report = score_results(ground_truth(records), results)
    assert [(each.name, each.instances) for each in report.classes] == [("square", 1), ("bar", 2), ("dot", 0)]
    # Half of the bars are found, so the precision is 1 at 51 of 101 recalls.
    assert [each.box_ap for each in report.classes] == [ONE, pytest.approx(51 / 101), None]
    assert report.box.ap == pytest.approx((1 + 51 / 101) / 2)


@pytest.mark.parametrize(("member", "value"), [("image_id", 8), ("category_id", 2)])
def test_a_detection_of_nothing_in_the_ground_truth_is_refused(coco: RecordSet, member: str, value: int) -> None:
    results = _perfect(coco)
    results[3][member] = value  # type: ignore[literal-required]
    with pytest.raises(InvalidInputError, match="Check that both belong to the same data set"):
        score_results(ground_truth(coco), results)
