"""Figure of a training run: loss, learning rate and scores by step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from segdata.draw.figures import INK
from segtrain.training.events import EVAL_LOSS, TITLES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Ratio of the highest to the lowest loss from which the axis is logarithmic: below it, few ticks would be left.
_WIDE = 5

#: Steps and values of a line, by its name in the legend.
_Curves = Mapping[str, Sequence[tuple[float, float]]]


def training_figure(metrics: Sequence[dict[str, Any]], title: str) -> Figure:
    """Return the curves of a training run by step: the losses, the learning rate and the scores.

    Args:
        metrics: lines of ``metrics.jsonl``.
        title: title of the figure.
    """
    from matplotlib.figure import Figure

    steps = [line for line in metrics if "loss" in line]
    evaluations = [line for line in metrics if "loss" not in line]
    losses = {"training": _points(steps, "loss")}
    losses |= {_part(name): _points(steps, name) for name in _names(steps) if name.startswith("loss_")}
    losses |= {"evaluation": _points(evaluations, EVAL_LOSS)}
    scores = {TITLES[name]: _points(evaluations, name) for name in _names(evaluations) if name in TITLES}
    made = Figure(figsize=(9, 9 if scores else 6), layout="constrained")
    made.suptitle(title, x=0.01, ha="left", fontsize=10, color=INK, parse_math=False)
    panels = made.subplots(3 if scores else 2, 1, sharex=True)
    _draw(panels[0], losses, "loss")
    _scale(panels[0], [value for points in losses.values() for _, value in points])
    _draw(panels[1], {"": _points(steps, "lr")}, "learning rate")
    if scores:
        _draw(panels[2], scores, "score on the evaluation set")
        panels[2].set_ylim(0, 1)
        panels[2].yaxis.set_major_formatter(lambda value, _place: f"{value:.0%}")
    panels[-1].set_xlabel("step", color=INK, fontsize=9)
    panels[-1].xaxis.get_major_locator().set_params(integer=True)
    panels[-1].xaxis.set_major_formatter(lambda value, _place: f"{value:,.0f}")
    return made


def _names(lines: Sequence[dict[str, Any]]) -> list[str]:
    """Return the names in all lines: the older lines of a resumed training run may lack a part."""
    return list(dict.fromkeys(name for line in lines for name in line))


def _points(lines: Sequence[dict[str, Any]], name: str) -> list[tuple[float, float]]:
    return [(line["step"], line[name]) for line in lines if line.get(name) is not None]


def _part(name: str) -> str:
    return f"training, {name.removeprefix('loss_').replace('_', ' ')}"


def _draw(axes: Axes, curves: _Curves, label: str) -> None:
    shown = {name: points for name, points in curves.items() if points}
    for name, points in shown.items():
        # Evaluations are far apart, so each one is marked.
        axes.plot(*zip(*points, strict=True), marker="." if len(points) < 100 else "", linewidth=1, label=name)
    axes.set_ylabel(label, color=INK, fontsize=9)
    axes.yaxis.set_major_formatter(lambda value, _place: f"{value:g}")
    axes.tick_params(which="both", colors=INK, labelsize=8)
    axes.grid(alpha=0.3, linewidth=0.5)
    if len(shown) > 1:
        axes.legend(fontsize=8, frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))


def _scale(axes: Axes, values: Sequence[float]) -> None:
    """Make the axis of losses logarithmic if they differ much, with plain numbers at 1, 2 and 5 of each power."""
    from matplotlib.ticker import LogLocator, NullLocator

    if not values or min(values) <= 0 or max(values) < _WIDE * min(values):
        return
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(lambda value, _place: f"{value:g}")
