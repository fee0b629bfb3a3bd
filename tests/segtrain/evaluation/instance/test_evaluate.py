from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import numpy.typing as npt
import pytest
from drawn_instances import miniature, nothing, oracle

from segdata.errors import InvalidInputError, OptionError, TargetExistsError
from segdata.records.reader import RecordSet
from segtrain.config.mask_rcnn import MaskRcnn
from segtrain.config.recipes import override, recipe
from segtrain.distributed.ranks import ALONE, Ranks
from segtrain.evaluation.instance import evaluate as instance_evaluate
from segtrain.evaluation.instance.coco import score_results
from segtrain.evaluation.instance.evaluate import evaluate_instances, score_detector, truth_and_results
from segtrain.evaluation.instance.truth import ground_truth
from segtrain.inference.instance.detections import RawDetections

if TYPE_CHECKING:
    from tests.segtrain.conftest import Trained

SETTINGS = MaskRcnn(image_height=96, image_width=160, max_detections=12)
CONFIG = override(recipe("deeplabv3plus_cpu"), {"batch_size": 3, "workers": 2})


@pytest.fixture(scope="module")
def coco(folder: Path) -> RecordSet:
    return miniature(folder)


def test_a_network_that_knows_the_truth_is_near_perfect_at_every_size(coco: RecordSet) -> None:
    for height, width in ((96, 160), (64, 64)):
        settings = MaskRcnn(image_height=height, image_width=width, max_detections=12)
        report = score_detector(oracle(coco, settings), coco, CONFIG, settings)
        assert report.box.ap == pytest.approx(1)
        # Masks are resampled to 28 x 28 cells.
        assert report.mask.ap50 == pytest.approx(1)
        assert report.mask.ap is not None and report.mask.ap > 0.9


@pytest.mark.parametrize("batch_size", [1, 4, 7, 9])
def test_the_size_of_batches_changes_nothing_and_none_is_left_out(
    coco: RecordSet, folder: Path, tmp_path: Path, batch_size: int
) -> None:
    shapes = set()

    def detect(images: npt.NDArray[np.float32], sizes: npt.NDArray[np.float32]) -> RawDetections:
        shapes.add((images.shape, sizes.shape))
        assert (sizes > 0).all()
        return known(images, sizes)

    known = oracle(coco, SETTINGS)
    results = tmp_path / "results.json"
    report = score_results(*truth_and_results(detect, coco, CONFIG, SETTINGS, batch_size=batch_size, results=results))
    assert report == score_detector(oracle(coco, SETTINGS), coco, CONFIG, SETTINGS)
    assert shapes == {((batch_size, 3, 96, 160), (batch_size, 2))}
    entries = msgspec.json.decode(results.read_bytes())
    assert score_results(ground_truth(coco), entries) == report
    assert [entry["image_id"] for entry in entries] == sorted(entry["image_id"] for entry in entries)


def test_a_network_that_finds_nothing_scores_zero(coco: RecordSet) -> None:
    report = score_detector(lambda images, _: nothing(len(images), SETTINGS), coco, CONFIG, SETTINGS)
    assert (report.detections, report.box.ap, report.mask.ap) == (0, 0, 0)


def test_the_source_may_be_the_ground_truth(coco: RecordSet, folder: Path) -> None:
    annotations = folder / "coco" / "annotations" / "instances.json"
    report = score_results(*truth_and_results(oracle(coco, SETTINGS), coco, CONFIG, SETTINGS, annotations=annotations))
    assert report.box.ap == pytest.approx(1)


def test_progress_counts_the_images(coco: RecordSet) -> None:
    seen: list[object] = []

    @contextmanager
    def progress(*, total: int, label: str):  # type: ignore[no-untyped-def]
        seen.extend([total, label])
        yield seen.append

    truth_and_results(oracle(coco, SETTINGS), coco, CONFIG, SETTINGS, progress=progress)
    assert seen == [7, "evaluate", 3, 3, 1]


def test_results_are_not_written_over_and_nothing_is_detected_before_that_is_known(
    coco: RecordSet, tmp_path: Path
) -> None:
    (tmp_path / "results.json").write_text("mine")

    def detect(*_: object) -> RawDetections:
        raise AssertionError("detected")

    with pytest.raises(TargetExistsError):
        truth_and_results(detect, coco, CONFIG, SETTINGS, results=tmp_path / "results.json")


def test_a_diverged_network_is_an_error_and_writes_nothing(coco: RecordSet, tmp_path: Path) -> None:
    def detect(images: npt.NDArray[np.float32], _: object) -> RawDetections:
        found = nothing(len(images), SETTINGS)
        found.valid[:] = True
        found.scores[:] = np.nan
        return found

    with pytest.raises(InvalidInputError, match="detections are not finite"):
        truth_and_results(detect, coco, CONFIG, SETTINGS, results=tmp_path / "results.json")
    assert not (tmp_path / "results.json").exists()


def test_processes_that_connect_when_the_network_is_loaded_write_no_table(
    quick_run: Trained, coco: RecordSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[object] = []
    monkeypatch.setattr(instance_evaluate, "load_detector", lambda *_given: loaded.append(1) or (None, None, None))
    monkeypatch.setattr(instance_evaluate, "current", lambda: Ranks(0, 2) if loaded else ALONE)
    with pytest.raises(OptionError, match="per_image: each of 2 processes sees only a share of the images"):
        evaluate_instances(quick_run.directory / "best.ckpt", coco.directory, per_image=tmp_path / "images.csv")
