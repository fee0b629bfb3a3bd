"""Training longer than planned: where the schedule allows it, and where it ends early."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from segdata.errors import InvalidInputError
from segtrain.checkpoints.info import read_info
from segtrain.config.config import Config
from segtrain.config.recipes import override
from segtrain.training.fit import train
from segtrain.training.resuming import check_same_training
from segtrain.training.schedules import learning_rates
from segtrain.training.train_dir import TrainDir

if TYPE_CHECKING:
    from tests.segtrain.conftest import Miniature, Trained


def _resumed(quick_run: Trained, before: dict[str, Any], epochs: int) -> None:
    """Check whether a training of 3 epochs, all done in 6 steps, can be resumed with other epochs."""
    last = quick_run.directory / "last.ckpt"
    found = read_info(last)
    found = replace(found, config=override(found.config, before))
    config = override(found.config, {"train_epochs": epochs})
    check_same_training(last, found, config, found, learning_rates(config.schedule, 2 * epochs))


@pytest.mark.parametrize(
    "before",
    [{"lr_type": "constant"}, {"lr_type": "exp", "lr_decay_step": 3}, {"lr_type": "constant", "warmup_steps": 5}],
)
@pytest.mark.parametrize("epochs", [3, 4, 90])
def test_a_training_whose_rates_do_not_depend_on_its_length_can_be_made_longer(
    quick_run: Trained, before: dict[str, Any], epochs: int
) -> None:
    _resumed(quick_run, before, epochs)


@pytest.mark.parametrize("schedule", ["cos", "poly"])
def test_any_other_names_the_way_to_train_longer(quick_run: Trained, schedule: str) -> None:
    words = rf"with train_epochs = 3, not 9\. .* schedule {schedule}, .* --ckpt_pre_trained .*/last\.ckpt and another"
    with pytest.raises(InvalidInputError, match=words):
        _resumed(quick_run, {"lr_type": schedule}, 9)


def test_what_is_done_cannot_be_made_shorter(quick_run: Trained) -> None:
    with pytest.raises(InvalidInputError, match=r"for 6 steps, and train_epochs = 2 has only 4; expected 3 epochs or"):
        _resumed(quick_run, {"lr_type": "constant"}, 2)


def test_training_ends_when_the_score_no_longer_rises(
    quick: Config, quick_run: Trained, miniature: Miniature, tmp_path: Path
) -> None:
    # With everything but the classifier frozen, and no rate to speak of, every evaluation gives the same score.
    fixed = {"ckpt_pre_trained": str(quick_run.directory), "freeze": ("down",), "base_lr": 1e-12}
    config = override(quick, {**fixed, "lr_type": "constant", "train_epochs": 2, "early_stopping": 2})
    first = train(config, miniature.train, tmp_path / "run", eval_data_file=miniature.train)
    assert (first.steps, first.stopped_early) == (4, False)
    assert first.started.notes == ("the evaluation set is the training set: its scores say nothing about new images",)

    longer = override(config, {"train_epochs": 50})
    second = train(longer, miniature.train, tmp_path / "run", eval_data_file=miniature.train, resume=True)
    assert (second.started.first_step, second.steps, second.stopped_early) == (4, 2, True)
    lines = [line for line in TrainDir(tmp_path / "run").metrics.lines() if "miou" in line]
    assert [line["step"] for line in lines] == [2, 4, 6]
    assert {line["miou"] for line in lines} == {second.best_score}
    assert all(0 < line["eval_loss"] < 10 for line in lines)

    # What ended early is not trained on unless it is told to wait longer.
    third = train(longer, miniature.train, tmp_path / "run", eval_data_file=miniature.train, resume=True)
    assert (third.steps, third.stopped_early, third.loss) == (0, True, None)

    # With other numbers in the file: the score had only risen, but so had the loss.
    risen = [
        {**line, "miou": line["step"] / 10, "eval_loss": line["step"]} if "miou" in line else line
        for line in TrainDir(tmp_path / "run").metrics.lines()
    ]
    (tmp_path / "run" / "metrics.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in risen))
    assert TrainDir(tmp_path / "run").metrics.waited("miou") == 0
    by_loss = override(longer, {"early_stopping_by": "eval_loss"})
    fourth = train(by_loss, miniature.train, tmp_path / "run", eval_data_file=miniature.train, resume=True)
    assert (fourth.steps, fourth.stopped_early) == (0, True)


def test_early_stopping_needs_evaluations(quick: Config, miniature: Miniature, tmp_path: Path) -> None:
    stopping = override(quick, {"early_stopping": 3})
    words = r"early_stopping = 3: needs a record set to evaluate on; .*--eval_data_file\. .*--set early_stopping=null"
    with pytest.raises(InvalidInputError, match=words):
        train(stopping, miniature.train, tmp_path / "run")
    assert override(stopping, {}, ["early_stopping=null"]).early_stopping is None
