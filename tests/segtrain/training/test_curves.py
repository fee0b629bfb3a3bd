"""Curves of a training: what is drawn, and whether the axes can be read."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from segdata.draw.figures import to_png
from segtrain.training.curves import training_figure


def _lines(*losses: float, **more: float) -> list[dict[str, Any]]:
    return [
        {"epoch": 1, "step": step, "loss": loss, "lr": 8e-5, "images_per_s": 9.0, **more}
        for step, loss in enumerate(losses, start=1)
    ]


def _ticks(made: Figure, panel: int, axis: str = "y") -> list[str]:
    made.draw_without_rendering()
    axes = made.axes[panel]
    low, high = sorted(axes.get_ylim() if axis == "y" else axes.get_xlim())
    found = getattr(axes, f"{axis}axis")
    return [text.get_text() for text in found.get_ticklabels() if low <= text.get_position()[axis == "y"] <= high]


def test_losses_learning_rate_and_scores_have_a_panel_each_with_names() -> None:
    evaluation = {"epoch": 1, "step": 2, "miou": 0.4, "pixel_accuracy": 0.9, "eval_loss": 0.7}
    made = training_figure([*_lines(2.0, 0.1), evaluation, *_lines(1.0, loss_rpn_box=0.5)], "run")
    assert [axes.get_ylabel() for axes in made.axes] == ["loss", "learning rate", "score on the evaluation set"]
    curves = [{line.get_label(): line.get_xydata().tolist() for line in axes.get_lines()} for axes in made.axes]
    assert curves[0] == {
        "training": [[1, 2.0], [2, 0.1], [1, 1.0]],
        # Only the part that was trained last had it.
        "training, rpn box": [[1, 0.5]],
        "evaluation": [[2, 0.7]],
    }
    assert curves[2] == {"mIoU": [[2, 0.4]], "pixel accuracy": [[2, 0.9]]}
    assert _ticks(made, 2)[-1] == "100%"


@pytest.mark.parametrize(
    ("losses", "scale", "ticks"),
    [
        ((2.0, 0.1), "log", ["0.1", "0.2", "0.5", "1", "2"]),
        ((0.65, 0.6), "linear", ["0.6", "0.61", "0.62", "0.63", "0.64", "0.65"]),
        ((0.5, 0.0), "linear", ["0", "0.1", "0.2", "0.3", "0.4", "0.5"]),
    ],
)
def test_ticks_are_plain_numbers(losses: tuple[float, ...], scale: str, ticks: list[str]) -> None:
    made = training_figure(_lines(*losses), "run")
    assert (made.axes[0].get_yscale(), _ticks(made, 0)) == (scale, ticks)


def test_steps_are_integers_with_separators() -> None:
    made = training_figure(_lines(*np.linspace(1, 2, 20_000)), "run")
    assert _ticks(made, 1, "x") == ["0", "2,500", "5,000", "7,500", "10,000", "12,500", "15,000", "17,500", "20,000"]
    assert _ticks(training_figure(_lines(1.0, 0.9), "run"), 1, "x") == ["1", "2"]


def test_a_training_without_a_step_gives_an_empty_figure() -> None:
    assert to_png(training_figure([], "run")).startswith(b"\x89PNG")
