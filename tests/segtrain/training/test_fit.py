from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from segdata.errors import InvalidInputError, SegDataError, TargetExistsError
from segtrain.checkpoints.checkpoint import read_checkpoint
from segtrain.checkpoints.weights import read_parameters
from segtrain.config.config import Config
from segtrain.config.recipes import override, read_config
from segtrain.evaluation.semantic.evaluate import evaluate_semantic
from segtrain.training.events import Evaluated, Event, Started, StepDone
from segtrain.training.fit import TrainingInterrupted, train
from segtrain.training.own_files import OWN_FILES
from segtrain.training.train_dir import TrainDir

if TYPE_CHECKING:
    from tests.segtrain.conftest import Miniature, Rows, Trained


FOUR = ("background", "cell", "wall", "gap")


def _metrics(directory: Path) -> list[dict[str, Any]]:
    """Return metrics without those measured by a clock."""
    lines = TrainDir(directory).metrics.lines()
    return [{key: value for key, value in line.items() if key != "images_per_s"} for line in lines]


def test_the_loss_falls(trained: Trained) -> None:
    losses = [event.loss for event in trained.events if isinstance(event, StepDone)]
    assert len(losses) == 6
    assert sum(losses[-2:]) < 0.7 * sum(losses[:2])


def test_the_observer_is_told_first_how_and_then_every_step_and_evaluation(trained: Trained) -> None:
    kinds = [type(event) for event in trained.events]
    assert kinds == [Started, *([StepDone, StepDone, Evaluated] * 3)]
    started = trained.events[0]
    assert isinstance(started, Started)
    assert (started.steps_per_epoch, started.total_steps, started.dropped_rows) == (2, 6, 2)
    assert started.config.num_classes == 4


def test_metrics_hold_one_line_for_each_step_and_evaluation(trained: Trained) -> None:
    lines = _metrics(trained.directory)
    assert [(line["epoch"], line["step"], "miou" in line) for line in lines] == [
        (epoch, 2 * epoch - 1 + step, miou) for epoch in (1, 2, 3) for step, miou in ((0, False), (1, False), (1, True))
    ]
    assert all(set(line) == {"epoch", "step", "loss", "lr"} for line in lines if "miou" not in line)
    assert lines[0]["lr"] == pytest.approx(trained.report.started.config.schedule.base_lr)


def test_the_directory_holds_last_best_and_the_latest_numbered_checkpoints(trained: Trained) -> None:
    names = ["last", "best", "DeepLabV3plus_s16-2_2", "DeepLabV3plus_s16-3_2"]
    expected = {f"{name}.{suffix}" for name in names for suffix in ("ckpt", "json")}
    assert {path.name for path in trained.directory.iterdir()} == {
        *expected,
        "config.yaml",
        "metrics.jsonl",
        OWN_FILES,
    }
    assert read_config(trained.directory / "config.yaml") == trained.report.started.config
    info, parameters = read_checkpoint(trained.directory / "last.ckpt")
    assert (info.epoch, info.step, info.rows) == (3, 6, 10)
    assert any(name.startswith("moments.") for name in parameters)


def test_the_best_checkpoint_is_that_of_the_best_evaluation(trained: Trained) -> None:
    evaluations = [line for line in _metrics(trained.directory) if "miou" in line]
    best = max(evaluations, key=lambda line: line["miou"])
    info, _ = read_checkpoint(trained.directory / "best.ckpt")
    assert (info.step, info.best_score) == (best["step"], best["miou"])
    assert trained.report.best_score == best["miou"]
    assert trained.report.scores is not None
    assert trained.report.scores.mean_iou == evaluations[-1]["miou"]


def test_interrupted_and_resumed_equals_uninterrupted_bit_for_bit(
    miniature: Miniature, quick: Config, quick_run: Trained, tmp_path: Path
) -> None:
    run, undisturbed = tmp_path / "run", quick_run.directory

    def interrupted_at(step: int, number: signal.Signals, *, resume: bool) -> None:
        def interrupt(event: Event) -> None:
            if isinstance(event, StepDone) and event.step == step:
                os.kill(os.getpid(), number)

        usual = signal.getsignal(number)
        with pytest.raises(TrainingInterrupted, match=rf"Stopped after step {step} of 6; .*last\.ckpt is complete"):
            train(quick, miniature.train, run, eval_data_file=miniature.val, resume=resume, observe=interrupt)
        assert signal.getsignal(number) is usual
        assert read_checkpoint(run / "last.ckpt")[0].step == step

    # In the middle of an epoch, and at the end of one whose evaluation is still pending.
    interrupted_at(3, signal.SIGINT, resume=False)
    interrupted_at(4, signal.SIGTERM, resume=True)
    # Metrics that a killed run may leave after its last checkpoint.
    with (run / "metrics.jsonl").open("a") as file:
        file.write('{"epoch": 3, "step": 5, "loss": 9.0, "lr": 9.0, "images_per_s": 9.0}\n{"epoch": 3, "st')

    report = train(quick, miniature.train, run, eval_data_file=miniature.val, resume=True)
    assert (report.started.first_step, report.steps) == (4, 2)
    resumed, whole = read_parameters(run / "last.ckpt"), read_parameters(undisturbed / "last.ckpt")
    assert resumed.keys() == whole.keys()
    assert [name for name in whole if (whole[name].asnumpy() != resumed[name].asnumpy()).any()] == []
    assert _metrics(run) == _metrics(undisturbed)
    assert {path.name for path in run.iterdir()} == {path.name for path in undisturbed.iterdir()}


def test_the_loss_of_an_epoch_that_was_interrupted_is_that_of_all_its_steps(
    miniature: Miniature, quick: Config, quick_run: Trained, tmp_path: Path
) -> None:
    def interrupt(event: Event) -> None:
        if isinstance(event, StepDone) and event.step == 5:
            os.kill(os.getpid(), signal.SIGINT)

    run = tmp_path / "run"
    with pytest.raises(TrainingInterrupted):
        train(quick, miniature.train, run, eval_data_file=miniature.val, observe=interrupt)
    report = train(quick, miniature.train, run, eval_data_file=miniature.val, resume=True)
    assert (report.steps, report.loss) == (1, quick_run.report.loss)
    undisturbed = [event for event in quick_run.events if isinstance(event, StepDone)]
    assert [replace(done, images_per_s=0) for done in TrainDir(run).metrics.steps(3)] == [
        replace(done, images_per_s=0) for done in undisturbed[4:]
    ]


def test_a_finished_training_that_is_resumed_has_nothing_left_to_do(
    trained: Trained, miniature: Miniature, small: Config
) -> None:
    before = _metrics(trained.directory)
    report = train(small, miniature.train, trained.directory, resume=True)
    assert (report.steps, report.loss, report.images_per_s) == (0, None, None)
    assert _metrics(trained.directory) == before


def test_a_directory_that_holds_a_training_is_not_taken_by_another(
    trained: Trained, miniature: Miniature, small: Config
) -> None:
    with pytest.raises(TargetExistsError, match="already contains a training run"):
        train(small, miniature.train, trained.directory)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"seed": 2}, "was trained with seed = 1, so it cannot resume with 2; expected the same"),
        ({"train_epochs": 9}, "was trained with train_epochs = 3, not 9"),
        ({"crop_size": 65}, r"was trained with model\.crop_size = 33, so it cannot resume with 65"),
        ({"optimizer": "adam"}, r"was trained with optimizer\.name = 'momentum', so it cannot resume with 'adam'"),
        ({"lr_type": "exp"}, r"was trained with schedule\.name = 'poly', so it cannot resume with 'exp'"),
    ],
)
def test_a_training_is_not_resumed_with_other_settings(
    trained: Trained, miniature: Miniature, small: Config, change: dict[str, Any], words: str
) -> None:
    with pytest.raises(InvalidInputError, match=words):
        train(override(small, change), miniature.train, trained.directory, resume=True)


def test_a_training_is_not_resumed_on_another_record_set(trained: Trained, miniature: Miniature, small: Config) -> None:
    with pytest.raises(InvalidInputError, match=r"was trained on a different record set \(rows: 10, not 5\)"):
        train(small, miniature.val, trained.directory, resume=True)


def test_a_training_is_not_resumed_on_another_evaluation_set(
    quick: Config, quick_run: Trained, miniature: Miniature
) -> None:
    before = (quick_run.directory / "last.ckpt").read_bytes()
    with pytest.raises(InvalidInputError, match=r"was evaluated on a different record set, .* --eval_data_file of the"):
        train(quick, miniature.train, quick_run.directory, eval_data_file=miniature.train, resume=True)
    assert (quick_run.directory / "last.ckpt").read_bytes() == before
    (note,) = train(quick, miniature.train, quick_run.directory, resume=True).started.notes
    assert note.startswith("this run was evaluated before, but is not from now on: best.ckpt stays")


def test_there_must_be_something_to_resume(miniature: Miniature, small: Config, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"no last\.ckpt to resume from"):
        train(small, miniature.train, tmp_path, resume=True)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"num_classes": 21}, "num_classes = 21: does not match record set train; expected 4. Leave num_classes out"),
        ({"class_weights": [1, 2]}, "class_weights: has 2 numbers, but record set train has 4 classes"),
        ({"class_weights": [0, 0, 0, 0]}, "class_weights: are 0 for all classes that have pixels in record set train"),
        ({"batch_size": 11}, "batch_size = 11: 10 rows cannot fill one batch; expected 10 or less"),
        ({"ckpt_pre_trained": "/nowhere.ckpt"}, "no such checkpoint"),
        (
            {"device_target": "Ascend"},
            r"device Ascend cannot be used .* use --device_target CPU; in fit, add --amp O0",
        ),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_written(
    miniature: Miniature, small: Config, tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    with pytest.raises(SegDataError, match=words):
        train(override(small, change), miniature.train, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_an_evaluation_set_must_have_the_same_classes(
    miniature: Miniature, small: Config, make_set: Callable[..., Path], tmp_path: Path
) -> None:
    rows: Rows = [(np.zeros((40, 40, 3), np.uint8), np.zeros((40, 40), np.uint8))]
    other = make_set(rows, name="other", names=("background", "aeroplane", "bicycle", "boat"))
    with pytest.raises(InvalidInputError, match="record set other: class 3 is 'boat'; expected 'bird'"):
        train(small, miniature.train, tmp_path / "run", eval_data_file=other)


def test_a_checkpoint_for_as_many_other_classes_gives_its_head_and_says_so(
    make_set: Callable[..., Path], quick: Config, quick_run: Trained, tmp_path: Path
) -> None:
    rows: Rows = [(np.zeros((40, 40, 3), np.uint8), np.zeros((40, 40), np.uint8))]
    config = override(quick, {"batch_size": 1, "train_epochs": 1, "ckpt_pre_trained": str(quick_run.directory)})
    same = train(config, make_set(rows, name="same"), tmp_path / "first").started
    swapped = make_set(rows, name="swapped", names=("background", "bicycle", "aeroplane", "bird"))
    other = train(config, swapped, tmp_path / "second").started
    assert same.notes == ()
    assert other.notes == (
        "best.ckpt was trained for other classes ('aeroplane' where this record set has 'bicycle'); the head starts "
        "with their weights",
    )
    assert other.pretrained and not other.pretrained.mismatched
    resumed = train(config, swapped, tmp_path / "second", resume=True).started
    assert resumed.notes == ()


def test_training_on_pixels_that_are_all_ignored_stays_finite(
    make_set: Callable[..., Path], quick: Config, tmp_path: Path
) -> None:
    rows: Rows = [(np.full((40, 40, 3), 9 * index, np.uint8), np.full((40, 40), 255, np.uint8)) for index in range(4)]
    rows[2][1][:] = 1
    train(override(quick, {"train_epochs": 1, "batch_size": 1}), make_set(rows), tmp_path / "run")
    losses = [done.loss for done in TrainDir(tmp_path / "run").metrics.steps(1)]
    assert (len(losses), losses.count(0)) == (4, 3)
    parameters = read_parameters(tmp_path / "run" / "last.ckpt")
    assert all(np.isfinite(value.asnumpy()).all() for value in parameters.values())


@pytest.mark.parametrize(
    ("label", "names", "change", "words"),
    [
        (255, FOUR, {}, "record set set: every pixel has the ignore label, 255; expected pixels with a class"),
        (0, ("cell",), {}, "record set set: has only the class cell; expected 2 classes or more"),
        (0, FOUR, {"class_weights": [0, 1, 1, 1]}, "class_weights: are 0 for all classes that have pixels in"),
        (0, FOUR, {"border_weight": 5, "background": 4}, "background = 4: not a class .* expected 0 to 3"),
    ],
)
def test_a_set_that_teaches_nothing_is_refused_before_anything_is_written(
    make_set: Callable[..., Path],
    quick: Config,
    tmp_path: Path,
    label: int,
    names: tuple[str, ...],
    change: dict[str, Any],
    words: str,
) -> None:
    records = make_set([(np.zeros((40, 40, 3), np.uint8), np.full((40, 40), label, np.uint8))], names=names)
    with pytest.raises(InvalidInputError, match=words):
        train(override(quick, {"batch_size": 1, **change}), records, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_an_evaluation_set_without_a_labeled_pixel_is_refused_before_training(
    make_set: Callable[..., Path], quick: Config, quick_run: Trained, miniature: Miniature, tmp_path: Path
) -> None:
    ignored = make_set([(np.zeros((40, 40, 3), np.uint8), np.full((40, 40), 255, np.uint8))])
    words = "record set set: every pixel has the ignore label, 255; expected pixels with a class"
    with pytest.raises(InvalidInputError, match=words):
        train(quick, miniature.train, tmp_path / "run", eval_data_file=ignored)
    assert not (tmp_path / "run").exists()
    with pytest.raises(InvalidInputError, match=words):
        evaluate_semantic(quick_run.directory / "last.ckpt", ignored)


def test_a_training_that_diverges_stops_and_keeps_its_last_good_checkpoint(
    miniature: Miniature, quick: Config, tmp_path: Path
) -> None:
    settings = {"base_lr": 1e12, "save_steps": 1, "train_epochs": 50}
    with pytest.raises(SegDataError, match=r"step \d+: .*(loss is|non-finite).* diverged"):
        train(override(quick, settings), miniature.train, tmp_path / "run")
    parameters = read_parameters(tmp_path / "run" / "last.ckpt")
    assert all(np.isfinite(value.asnumpy()).all() for value in parameters.values())


def test_pretrained_weights_are_taken_and_counted(
    quick_run: Trained, miniature: Miniature, quick: Config, tmp_path: Path
) -> None:
    best = quick_run.directory / "best.ckpt"
    config = override(quick, {"ckpt_pre_trained": str(best), "train_epochs": 1, "base_lr": 1e-12})
    report = train(config, miniature.train, tmp_path / "run").started.pretrained
    assert report is not None
    assert (report.missing, report.unexpected, report.mismatched) == ((), (), ())
    start, after = read_parameters(best), read_parameters(tmp_path / "run" / "last.ckpt")
    assert len(report.loaded) == len(start) - 1  # all but the step counter
    assert np.allclose(start["classifier.weight"].asnumpy(), after["classifier.weight"].asnumpy())
