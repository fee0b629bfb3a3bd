from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
from mindspore import nn

from segdata.errors import InvalidInputError, OptionError, TargetExistsError
from segdata.labels.masks import decode_index_png
from segdata.lists import Pair, read_list, write_list
from segdata.records.reader import open_set
from segtrain.config.config import Config
from segtrain.data.rows import worker_count
from segtrain.data.semantic.crops import EncodedSample, SampleList, list_samples, record_samples
from segtrain.distributed.device import prepare_device
from segtrain.distributed.ranks import ALONE, Ranks
from segtrain.evaluation.semantic import evaluate as semantic_evaluate
from segtrain.evaluation.semantic.confusion import ConfusionMatrix, SegmentationReport
from segtrain.evaluation.semantic.evaluate import EvalReport, evaluate_semantic
from segtrain.evaluation.semantic.scoring import score_samples
from segtrain.inference.semantic.predict import predict_semantic
from segtrain.inference.semantic.segmenter import Segmenter, load_segmenter
from segtrain.inference.settings import EvalSettings, Fit

if TYPE_CHECKING:
    from tests.segtrain.conftest import Miniature, Rows, Trained


def _check_same(found: SegmentationReport, expected: SegmentationReport) -> None:
    """Compare scores, all exactly but the loss, whose probabilities are rounded differently in another batch."""
    assert found.loss == pytest.approx(expected.loss, rel=1e-5)
    assert replace(found, loss=expected.loss) == expected


@pytest.fixture(scope="module")
def evaluated(trained: Trained, miniature: Miniature) -> EvalReport:
    return evaluate_semantic(trained.directory / "last.ckpt", miniature.val)


def test_every_row_counts_once_and_every_labeled_pixel_of_it(evaluated: EvalReport, miniature: Miniature) -> None:
    labels = [decode_index_png((miniature.root / pair.label).read_bytes()) for pair in read_list(miniature.val_lst)]
    counts = np.bincount(np.concatenate([label.ravel() for label in labels]), minlength=256)
    assert evaluated.samples == len(labels) == 5
    assert [score.pixels for score in evaluated.scores.classes] == counts[:4].tolist()
    assert evaluated.scores.pixels == counts[:255].sum()


def test_names_and_scores_are_those_of_the_evaluation_in_training(evaluated: EvalReport, trained: Trained) -> None:
    assert [score.name for score in evaluated.scores.classes] == ["background", "aeroplane", "bicycle", "bird"]
    assert evaluated.scores == trained.report.scores
    assert (evaluated.epoch, evaluated.step, evaluated.model) == (3, 6, "DeepLabV3plus_s16")
    assert evaluated.images_per_s > 0
    assert not evaluated.trained_on


def test_the_batch_size_does_not_change_the_result(
    evaluated: EvalReport, trained: Trained, miniature: Miniature
) -> None:
    scores = evaluate_semantic(trained.directory / "last.ckpt", miniature.val, EvalSettings(batch_size=3)).scores
    _check_same(scores, evaluated.scores)


def test_a_list_file_gives_what_its_record_set_gives(quick_run: Trained, miniature: Miniature) -> None:
    listed = evaluate_semantic(quick_run.directory / "last.ckpt", SampleList(miniature.root, miniature.val_lst))
    # The evaluation in training is on the record set.
    assert (listed.samples, listed.scores) == (5, quick_run.report.scores)


def test_several_scales_and_mirroring_take_another_look(
    evaluated: EvalReport, trained: Trained, miniature: Miniature
) -> None:
    settings = EvalSettings(scales=(1.0, 1.5), flip=True)
    report = evaluate_semantic(trained.directory / "last.ckpt", miniature.val, settings)
    assert (report.samples, report.scores.pixels) == (evaluated.samples, evaluated.scores.pixels)
    assert report.scores.pixel_accuracy != evaluated.scores.pixel_accuracy
    assert (report.settings.scales, report.settings.flip, report.settings.crop_size) == ((1.0, 1.5), True, 33)


def test_the_network_of_the_other_stride_is_evaluated_by_the_same_parameters(
    evaluated: EvalReport, trained: Trained, miniature: Miniature, tmp_path: Path
) -> None:
    for suffix in ("ckpt", "json"):
        content = (trained.directory / f"last.{suffix}").read_bytes()
        (tmp_path / f"s8.{suffix}").write_bytes(content.replace(b"DeepLabV3plus_s16", b"DeepLabV3plus_s8"))
    # At half of 65 pixels, inputs have 33, as in the training.
    settings = EvalSettings(scales=(0.5,), flip=True, crop_size=65)
    report = evaluate_semantic(tmp_path / "s8.ckpt", SampleList(miniature.root, miniature.val_lst), settings)
    assert (report.model, report.samples, report.loaded) == ("DeepLabV3plus_s8", 5, evaluated.loaded)
    assert report.scores.pixels == evaluated.scores.pixels
    assert report.scores.loss != evaluated.scores.loss


def test_however_many_samples_there_are_only_a_few_wait_in_memory(miniature: Miniature, small: Config) -> None:
    prepare_device("CPU", seed=1)
    segmenter = Segmenter(nn.Conv2d(3, 4, 1), small, EvalSettings(batch_size=2))
    sample = next(list_samples(miniature.root, miniature.val_lst))
    read, done, most = 0, 0, 0

    def samples() -> Iterator[EncodedSample]:
        nonlocal read, most
        for _ in range(50):
            read += 1
            most = max(most, read - done)
            yield sample

    @contextmanager
    def progress(*, total: int, label: str) -> Iterator[Callable[[int], None]]:
        def advance(count: int) -> None:
            nonlocal done
            done += count

        yield advance

    score_samples(segmenter, samples(), rows=50, ignore_label=255, names=tuple("abcd"), progress=progress)
    assert done == 50
    assert most <= 4 * worker_count(small) + 2


@pytest.mark.parametrize(
    ("expected", "words"),
    [
        ({"num_classes": 21}, "was trained with num_classes = 4; expected 21"),
        ({"model": "DeepLabV3plus_s8"}, "was trained with model = 'DeepLabV3plus_s16'; expected 'DeepLabV3plus_s8'"),
        ({"ignore_label": 0}, "was trained with ignore_label = 255; expected 0"),
    ],
)
def test_a_checkpoint_of_other_settings_than_expected_is_refused(
    trained: Trained, miniature: Miniature, expected: dict[str, Any], words: str
) -> None:
    with pytest.raises(InvalidInputError, match=words):
        evaluate_semantic(trained.directory / "best.ckpt", miniature.val, expected=expected)


def test_a_record_set_with_other_classes_is_refused(quick_run: Trained, make_set: Callable[..., Path]) -> None:
    rows: Rows = [(np.zeros((40, 40, 3), np.uint8), np.zeros((40, 40), np.uint8))]
    with pytest.raises(InvalidInputError, match="record set few: has 2 classes; expected 4, as in the network"):
        evaluate_semantic(quick_run.directory / "best.ckpt", make_set(rows, name="few", names=("background", "cat")))


def test_a_label_of_another_size_than_its_image_is_named(
    quick_run: Trained, miniature: Miniature, tmp_path: Path
) -> None:
    pair = read_list(miniature.val_lst)[0]
    cv2.imwrite(str(tmp_path / "image.png"), np.zeros((9, 9, 3), np.uint8))
    (tmp_path / "label.png").write_bytes((miniature.root / pair.label).read_bytes())
    write_list(tmp_path / "all.txt", [Pair("image.png", "label.png")], overwrite=False)
    with pytest.raises(InvalidInputError, match=r"image\.png: the image is 9 x 9 pixels, but its label"):
        evaluate_semantic(quick_run.directory / "best.ckpt", SampleList(tmp_path, tmp_path / "all.txt"))


def test_fewer_samples_than_there_should_be_are_refused(
    quick_run: Trained, miniature: Miniature, small: Config
) -> None:
    segmenter, info, _ = load_segmenter(quick_run.directory / "best.ckpt", EvalSettings(batch_size=2), "CPU")
    samples = list(list_samples(miniature.root, miniature.val_lst))[:1]
    with pytest.raises(InvalidInputError, match="read 1 sample; expected 5"):
        score_samples(segmenter, samples, rows=5, ignore_label=255, names=info.class_names)


@pytest.mark.parametrize("fit", ["longer_side", "tiles"])
def test_the_scores_are_those_of_the_class_maps_that_prediction_writes(
    request: pytest.FixtureRequest, miniature: Miniature, tmp_path: Path, fit: Fit
) -> None:
    run: Trained = request.getfixturevalue("trained" if fit == "longer_side" else "quick_run")
    settings = EvalSettings(fit=fit, flip=True)
    checkpoint, pairs = run.directory / "last.ckpt", read_list(miniature.val_lst)[:2]
    write_list(tmp_path / "two.txt", pairs, overwrite=False)
    report = evaluate_semantic(checkpoint, SampleList(miniature.root, tmp_path / "two.txt"), settings)
    predict_semantic(tmp_path / "two.txt", checkpoint, tmp_path / "out", settings, data_root=miniature.root)
    matrix = ConfusionMatrix(4, 255)
    for pair in pairs:
        predicted = tmp_path / "out" / "index" / f"{Path(pair.image).stem}.png"
        matrix.update(*(decode_index_png(path.read_bytes()) for path in (miniature.root / pair.label, predicted)))
    expected = matrix.report([score.name for score in report.scores.classes])
    # A class map has no probabilities, so there are no loss and no soft dice to compare with.
    assert report.scores == replace(expected, loss=report.scores.loss, soft_dice=report.scores.soft_dice)
    assert report.settings.fit == fit


def test_the_batch_of_tiles_does_not_change_the_result(trained: Trained, miniature: Miniature) -> None:
    reports = [
        evaluate_semantic(
            trained.directory / "last.ckpt", miniature.val, EvalSettings(fit="tiles", crop_size=65, batch_size=size)
        )
        for size in (1, 3)
    ]
    _check_same(reports[0].scores, reports[1].scores)
    assert (reports[0].settings.overlap, reports[0].settings.batch_size) == (16, 1)


def test_a_page_and_a_table_of_the_images_agree_with_the_scores(
    quick_run: Trained, miniature: Miniature, tmp_path: Path
) -> None:
    page, table = tmp_path / "page", tmp_path / "images.csv"
    checkpoint = quick_run.directory / "last.ckpt"
    report = evaluate_semantic(checkpoint, miniature.val, html=page, per_image=table)
    with table.open(newline="") as file:
        images = list(csv.DictReader(file))
    assert [image["image"] for image in images] == [sample.name for sample in record_samples(open_set(miniature.val))]
    assert sum(int(image["pixels"]) for image in images) == report.scores.pixels
    wrong = sum(int(image["wrong_pixels"]) for image in images)
    assert report.scores.pixel_accuracy == pytest.approx(1 - wrong / report.scores.pixels)
    assert (report.html, report.per_image) == (str(page / "index.html"), str(table))
    text = (page / "index.html").read_text()
    assert text.count('class="panels"') == len(images) == 5
    assert f"{report.scores.mean_iou:.2%}" in text
    # Before checkpoint and data are read.
    with pytest.raises(TargetExistsError, match=r"index\.html"):
        evaluate_semantic(tmp_path / "no.ckpt", tmp_path / "nothing", html=page)
    with pytest.raises(TargetExistsError, match=r"images\.csv"):
        evaluate_semantic(tmp_path / "no.ckpt", tmp_path / "nothing", per_image=table)


def test_processes_that_connect_when_the_network_is_loaded_are_several(
    quick_run: Trained, miniature: Miniature, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[object] = []

    def load(*args: Any) -> Any:
        loaded.append(load_segmenter(*args))
        return loaded[0]

    monkeypatch.setattr(semantic_evaluate, "load_segmenter", load)
    monkeypatch.setattr(semantic_evaluate, "current", lambda: Ranks(0, 2) if loaded else ALONE)
    with pytest.raises(OptionError, match="per_image: each of 2 processes sees only a share of the images"):
        evaluate_semantic(quick_run.directory / "best.ckpt", miniature.val, per_image=tmp_path / "images.csv")
    loaded.clear()
    # The first of two processes has every second row.
    monkeypatch.setattr(semantic_evaluate, "score_samples", lambda _segmenter, samples, **_options: len([*samples]))
    report = evaluate_semantic(quick_run.directory / "best.ckpt", miniature.val)
    assert (report.samples, report.scores) == (5, 3)
