"""Figure of precision over recall."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from segdata.draw.figures import INK
from segtrain.evaluation.instance.coco import PrecisionTable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Indices of IoU thresholds in a table, by name: they are 0.50, 0.55 … 0.95.
_THRESHOLDS = {"IoU 0.50": [0], "IoU 0.75": [5], "mean, IoU 0.50 to 0.95": list(range(10))}


def precision_figure(box: PrecisionTable, mask: PrecisionTable) -> Figure:
    """Return precision over recall of boxes and masks, as the mean over the classes with instances."""
    from matplotlib.figure import Figure

    made = Figure(figsize=(9, 3.6), layout="constrained")
    recall = np.linspace(0, 1, 101)
    for axes, title, table in zip(made.subplots(1, 2, sharey=True), ("boxes", "masks"), (box, mask), strict=True):
        for name, thresholds in _THRESHOLDS.items():
            axes.plot(recall, _mean(table.precision[thresholds]), linewidth=1.5, label=name)
        axes.set(xlim=(0, 1), ylim=(0, 1.02))
        axes.set_title(title, color=INK, fontsize=10)
        axes.set_xlabel("recall", color=INK, fontsize=9)
        axes.tick_params(colors=INK, labelsize=8)
        axes.grid(alpha=0.3, linewidth=0.5)
        for spine in axes.spines.values():
            spine.set_color(INK)
    made.axes[0].set_ylabel("precision", color=INK, fontsize=9)
    made.axes[1].legend(fontsize=8, frameon=False, labelcolor=INK, loc="center left", bbox_to_anchor=(1, 0.5))
    return made


def _mean(precision: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the mean over thresholds and classes ``(T, 101, K)``; 0 if no class has instances."""
    counted = ~np.isnan(precision[0, 0])
    if not counted.any():
        return np.zeros(precision.shape[1])
    mean: npt.NDArray[np.float64] = precision[..., counted].mean((0, 2))
    return mean
