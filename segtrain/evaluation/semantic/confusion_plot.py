"""Figure of a confusion matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from segdata.draw.figures import INK
from segtrain.evaluation.semantic.confusion import SegmentationReport

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

#: Row color for a class without pixels.
_ABSENT = "#e9eaeb"

#: Color of numbers on pale cells; unlike `INK`, it does not take the color of a dark page.
_CELL_INK = "#20252a"

#: Largest number of classes for which cells show their numbers; with more, the numbers would be illegible.
_MOST_NUMBERED = 40

#: Sizes in inches: a cell with a number, a cell without, and the margin for names and title.
_CELL, _SMALL_CELL, _MARGIN = 0.3, 0.16, 2.6

#: Longest class name in characters; longer ones are shortened so that they leave room for the cells.
_LONGEST_NAME = 28


def confusion_figure(report: SegmentationReport, title: str) -> Figure:
    """Return the confusion matrix: one row for each true class, with its pixels by predicted class in percent.

    The darkness of a cell follows the square root of its share, so that small confusions are visible. Names are on the
    left and at the top, the IoU of each class is on the right; the row of a class without pixels is gray.
    """
    from matplotlib.figure import Figure

    numbered = len(report.classes) <= _MOST_NUMBERED
    side = len(report.classes) * (_CELL if numbered else _SMALL_CELL) + _MARGIN
    made = Figure(figsize=(side + 0.8, side), layout="constrained")
    scores = f"mIoU {report.mean_iou:.2%}, pixel accuracy {report.pixel_accuracy:.2%}"
    made.suptitle(f"{title}\n{scores}", x=0.01, ha="left", fontsize=10, color=INK, parse_math=False)
    axes = made.subplots()
    counts = np.asarray(report.confusion, np.float64)
    pixels = counts.sum(1, keepdims=True)
    percent = np.divide(100 * counts, pixels, out=np.full(counts.shape, np.nan), where=pixels > 0)
    image = _draw_cells(axes, percent)
    if numbered:
        _number_cells(axes, percent)
    else:
        made.colorbar(image, ax=axes, shrink=0.4, aspect=30, ticks=[0, 1, 5, 10, 25, 50, 100], format="{x:g} %")
    _name_classes(axes, report)
    return made


def _draw_cells(axes: Axes, percent: npt.NDArray[np.float64]) -> AxesImage:
    from matplotlib import colormaps
    from matplotlib.colors import PowerNorm

    colors = colormaps["Blues"].with_extremes(bad=_ABSENT)
    return axes.imshow(percent, cmap=colors, norm=PowerNorm(0.5, 0, 100), interpolation="nearest")


def _number_cells(axes: Axes, percent: npt.NDArray[np.float64]) -> None:
    for row, column in np.argwhere(percent >= 0.5):
        value = percent[row, column]
        ink = "white" if value > 45 else _CELL_INK
        axes.text(column, row, f"{value:.0f}", ha="center", va="center", fontsize=7, color=ink)


def _name_classes(axes: Axes, report: SegmentationReport) -> None:
    size = 8 if len(report.classes) <= _MOST_NUMBERED else 6.5
    places = range(len(report.classes))
    names = [_short(item.name) for item in report.classes]
    axes.set_yticks(places, [f"{name}  {id_}" for id_, name in enumerate(names)], parse_math=False)
    axes.set_xticks(places, [f"{id_}  {name}" for id_, name in enumerate(names)], parse_math=False, rotation=90)
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    scores = axes.secondary_yaxis("right")
    scores.set_yticks(places, ["-" if item.iou is None else f"{item.iou:.1%}" for item in report.classes])
    axes.set_ylabel("true class", color=INK, fontsize=9)
    axes.set_xlabel("predicted class, % of the true class", color=INK, fontsize=9)
    scores.set_ylabel("IoU", color=INK, fontsize=9)
    for each in (axes, scores):
        each.tick_params(length=0, colors=INK, labelsize=size)
        for spine in each.spines.values():
            spine.set_visible(False)


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"
