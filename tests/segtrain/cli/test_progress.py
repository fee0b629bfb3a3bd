"""Lines that a training prints, from the events of one that is over."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from segtrain.cli.progress import TrainingBar
from segtrain.training.events import Event, Started, StepDone
from segtrain.training.train_dir import TrainDir

if TYPE_CHECKING:
    from tests.segtrain.conftest import Trained


def test_evaluations_tell_the_loss_and_a_published_recipe_what_differs(
    quick_run: Trained, capsys: pytest.CaptureFixture[str]
) -> None:
    started, *rest = quick_run.events
    assert isinstance(started, Started)
    with TrainingBar(None, "deeplabv3plus_s16_r1") as bar:
        bar(replace(started, notes=("the evaluation set is the training set",)))
        for event in rest:
            bar(event)
    lines = capsys.readouterr().err.splitlines()
    assert "the evaluation set is the training set" in lines
    assert sum("recipe deeplabv3plus_s16_r1 was published with weights to start from" in line for line in lines) == 1
    evaluated = [line for line in lines if re.fullmatch(r"epoch \d: mIoU [\d.]+%, .*, loss \d\.\d{4}", line)]
    assert len(evaluated) == 3


def test_a_training_that_is_resumed_is_not_compared_with_its_recipe_again(
    quick_run: Trained, capsys: pytest.CaptureFixture[str]
) -> None:
    started = quick_run.events[0]
    assert isinstance(started, Started)
    with TrainingBar(None, "deeplabv3plus_s16_r1") as bar:
        bar(replace(started, first_step=2))
    text = capsys.readouterr().err
    assert "resuming after step 2 of 6" in text and "was published" not in text


def test_an_epoch_that_was_interrupted_has_the_mean_loss_of_all_its_steps(
    quick_run: Trained, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def epoch_lines(events: list[Event]) -> list[str]:
        with TrainingBar() as bar:
            for event in events:
                bar(event)
        found: list[str] = re.findall(r"^epoch \d of 3: mean loss .*", capsys.readouterr().err, re.M)
        return found

    started, steps = quick_run.events[0], [each for each in quick_run.events if isinstance(each, StepDone)]
    assert isinstance(started, Started)
    for each in steps[:3]:
        TrainDir(tmp_path).metrics.append(each.metrics)
    resumed = replace(started, first_step=3, train_dir=str(tmp_path))
    assert epoch_lines([resumed, *steps[3:]]) == epoch_lines([started, *steps])[1:]


def test_a_step_that_has_a_line_of_its_own_has_no_line_of_progress(
    quick_run: Trained, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("segdata.console.progress.SECONDS", 0)
    for log_steps, shares in ((None, ["16", "50", "83"]), (1, [])):
        with TrainingBar(log_steps) as bar:
            for event in quick_run.events:
                bar(event)
        text = capsys.readouterr().err
        assert re.findall(r"^epoch \d: (\d+) % \(\d of 6 steps\), .* left, loss \d", text, re.M) == shares
        assert len(re.findall(r"^epoch \d of 3: mean loss", text, re.M)) == 3
