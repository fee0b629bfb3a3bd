"""Plots of a `StatsReport`: classes, image sizes, instances per image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, Literal

from segdata.draw.figures import ACCENT, INK
from segdata.inspect.stats import StatsReport
from segdata.text import plural

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, FigureBase


#: Sizes in inches: figure width, height of a small panel, height of one class in a large panel.
_WIDTH, _PANEL, _ROW = 9.0, 3.2, 0.21

#: Maximum number of bars; more values share bars.
_MOST_BARS = 60

#: Maximum length of a class name in a plot; longer names would leave too little room for the bars.
_LONGEST_NAME = 28


def figure(report: StatsReport) -> Figure:
    """Plot everything: classes at the top; below, image sizes and, in an instance set, instances per image."""
    heights = (_class_height(report), _PANEL)
    made = _new_figure(sum(heights) + 0.3)
    name = PurePath(report.path).name
    images = report.samples - len(report.unreadable)
    classes = f"{len(report.classes)} class{'es' if len(report.classes) != 1 else ''}"
    title = f"{name}: {plural(images, 'image')}, {classes}"
    made.suptitle(title, x=0.01, ha="left", fontsize=12, color=INK, parse_math=False)
    grid = made.add_gridspec(2, 1, height_ratios=heights)
    _draw_classes(made.add_subfigure(grid[0]), report)
    sizes, instances = made.add_subfigure(grid[1]).subplots(1, 2)
    _draw_sizes(sizes, report)
    if report.instances_per_image is None:
        instances.set_axis_off()
    else:
        _draw_instances(instances, report.instances_per_image)
    return made


def class_figure(report: StatsReport) -> Figure:
    """Plot the share of pixels and the number of images of each class as bars; each class adds to the height."""
    made = _new_figure(_class_height(report))
    _draw_classes(made, report)
    return made


def size_figure(report: StatsReport) -> Figure:
    """Plot image sizes, width by height; the area of each point shows the number of images."""
    made = _new_figure(_PANEL, _WIDTH / 2)
    _draw_sizes(made.subplots(), report)
    return made


def instance_figure(report: StatsReport) -> Figure:
    """Plot the number of images by their number of instances.

    Raises:
        ValueError: for a semantic set.
    """
    if report.instances_per_image is None:
        raise ValueError(f"{report.path}: is a semantic set; expected an instance set")
    made = _new_figure(_PANEL, _WIDTH / 2)
    _draw_instances(made.subplots(), report.instances_per_image)
    return made


def _new_figure(height: float, width: float = _WIDTH) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _class_height(report: StatsReport) -> float:
    return 0.8 + _ROW * len(report.classes)


def _draw_classes(made: FigureBase, report: StatsReport) -> None:
    """Draw two panels with shared rows, one row per class in order of id."""
    shares, images = made.subplots(1, 2, sharey=True)
    _draw_shares(shares, [100 * item.share for item in report.classes])
    counts = [item.images for item in report.classes]
    _draw_bars(images, counts, list(map(str, counts)), 0)
    images.set_xlim(0, 1.12 * max(1, *counts))
    images.locator_params(axis="x", integer=True)
    images.ticklabel_format(axis="x", style="plain")
    names = [f"{_short(item.name)}  {item.id}" for item in report.classes]
    shares.set_yticks(range(len(names)), names, parse_math=False)
    shares.set_ylim(len(names) - 0.4, -0.6)
    of_what = "pixels that have a class" if report.task == "semantic" else "instances' pixels"
    _style(shares, f"share of the {of_what}", grid="x")
    _style(images, "images that show the class", grid="x")
    for axes in (shares, images):
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)


def _draw_shares(axes: Axes, percent: Sequence[float]) -> None:
    # A logarithmic axis has no zero, so bars start at a power of ten below the smallest value.
    power = min(0, math.floor(math.log10(min(filter(None, percent), default=1.0)) - 0.01))
    least = 10.0**power
    axes.set_xscale("log")
    axes.set_xlim(least, 100 * (100 / least) ** 0.2)
    axes.set_xticks([10.0**tick for tick in range(2, power - 1, -1 if power > -5 else -2)])
    axes.minorticks_off()
    axes.xaxis.set_major_formatter("{x:g} %")
    _draw_bars(axes, percent, [_percent(value) for value in percent], least)


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"


def _percent(value: float) -> str:
    return f"{value:.1f} %" if value >= 10 else f"{value:#.2g} %" if value else "0"


def _draw_bars(axes: Axes, values: Sequence[float], texts: Sequence[str], least: float) -> None:
    """Draw a bar for each value, from top to bottom, with its text at the end."""
    axes.barh(range(len(values)), values, height=0.62, color=ACCENT)
    for row, (value, text) in enumerate(zip(values, texts, strict=True)):
        at = (max(value, least), row)
        axes.annotate(text, at, (3, 0), textcoords="offset points", va="center", fontsize=7, color=INK)


def _draw_sizes(axes: Axes, report: StatsReport) -> None:
    sizes = report.sizes
    widths, heights = [size.width for size in sizes], [size.height for size in sizes]
    areas = [12 + 200 * size.images / sizes[0].images for size in sizes]
    axes.scatter(widths, heights, areas, color=ACCENT, alpha=0.45, linewidth=0)
    around = 0.15 * max(*widths, *heights)
    corners = [(min(widths) - around, min(heights) - around), (max(widths) + around, max(heights) + around)]
    axes.update_datalim(corners)
    axes.margins(0)
    axes.set_aspect("equal", adjustable="datalim")
    count = sizes[0].images
    most = f"{sizes[0].width} × {sizes[0].height} ({plural(count, 'image')})"
    title = f"{len(sizes)} image sizes, most often {most}" if len(sizes) > 1 else f"image size {most}"
    _style(axes, title, grid="both")
    axes.set_xlabel("width in pixels", color=INK, fontsize=8)
    axes.set_ylabel("height in pixels", color=INK, fontsize=8)


def _draw_instances(axes: Axes, images: Sequence[int]) -> None:
    step = math.ceil(len(images) / _MOST_BARS)
    edges = [edge - 0.5 for edge in range(0, len(images) + step, step)]
    axes.hist(range(len(images)), edges, weights=images, color=ACCENT, rwidth=0.8)
    axes.locator_params(integer=True)
    axes.ticklabel_format(style="plain")
    _style(axes, "images by number of instances", grid="y")
    axes.set_xlabel("instances per image" + (f", {step} values per bar" if step > 1 else ""), color=INK, fontsize=8)


def _style(axes: Axes, title: str, *, grid: Literal["x", "y", "both"]) -> None:
    axes.set_title(title, loc="left", color=INK, fontsize=9)
    axes.tick_params(colors=INK, labelsize=8)
    axes.set_axisbelow(True)
    axes.grid(axis=grid, color=INK, alpha=0.15, linewidth=0.6)
    for name, spine in axes.spines.items():
        spine.set_visible(name in ("left", "bottom"))
        spine.set_color(INK)
        spine.set_alpha(0.4)
