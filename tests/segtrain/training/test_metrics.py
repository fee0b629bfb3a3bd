from __future__ import annotations

from pathlib import Path

import pytest

from segdata.errors import InvalidInputError
from segtrain.training.metrics import Metrics

STEPS = [{"epoch": 1, "step": step, "loss": 1 / step, "lr": 0.1, "images_per_s": 2.0} for step in (1, 2, 3)]
SCORES = [{"epoch": epoch, "step": 3 * epoch, "miou": score} for epoch, score in enumerate((0.2, 0.5, 0.4, None), 1)]


@pytest.fixture
def metrics(tmp_path: Path) -> Metrics:
    found = Metrics(tmp_path / "metrics.jsonl")
    for line in (*STEPS, *SCORES):
        found.append(line)
    return found


def test_lines_are_read_as_they_were_written(metrics: Metrics) -> None:
    assert metrics.lines() == [*STEPS, *SCORES]
    assert [(done.step, done.loss) for done in metrics.steps(1)] == [(1, 1), (2, 0.5), (3, 1 / 3)]
    assert metrics.steps(2) == []


def test_a_run_without_metrics_has_none(tmp_path: Path) -> None:
    found = Metrics(tmp_path / "metrics.jsonl")
    assert (found.lines(), found.best("miou"), found.waited("miou"), found.evaluated(3, "miou")) == ([], None, 0, False)


def test_the_best_score_and_the_evaluations_since(metrics: Metrics) -> None:
    assert metrics.best("miou") == 0.5
    assert metrics.waited("miou") == 1
    assert metrics.waited("miou", lowest=True) == 2
    assert metrics.evaluated(6, "miou")
    assert not metrics.evaluated(7, "miou")
    assert not metrics.evaluated(2, "miou")


def test_steps_that_will_be_repeated_are_removed(metrics: Metrics) -> None:
    metrics.keep(2)
    assert metrics.lines() == STEPS[:2]


def test_a_last_line_that_was_cut_off_is_left_out(metrics: Metrics) -> None:
    with metrics.path.open("a") as file:
        file.write('{"epoch": 5, "st')
    assert metrics.lines() == [*STEPS, *SCORES]


def test_a_line_that_is_invalid_is_named(metrics: Metrics) -> None:
    with metrics.path.open("a") as file:
        file.write('{"step": 1}\n')
    with pytest.raises(InvalidInputError, match=r"metrics\.jsonl: line 8 is not a line of metrics"):
        metrics.lines()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_metrics_for_which_there_is_no_room_are_named(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left on device") as error:
        Metrics(tmp_path / "metrics.jsonl").append({"epoch": 1, "step": 1})
    assert error.value.filename == str(tmp_path / "metrics.jsonl")
