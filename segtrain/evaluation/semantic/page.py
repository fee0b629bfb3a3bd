"""Sections of the page of a semantic evaluation: classes, confusion matrix, worst and best images."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

from segdata.draw.page import Section, plot_html, table_html
from segdata.draw.page_tiles import swatch
from segdata.draw.pictures import class_color
from segtrain.evaluation.results import examples_section, percent
from segtrain.evaluation.semantic.confusion import SegmentationReport
from segtrain.evaluation.semantic.confusion_plot import confusion_figure
from segtrain.evaluation.semantic.images import ImageScores

_ORDER = (
    "By the mean IoU of each image over the classes in its ground truth or prediction. Red: pixels that are predicted "
    "incorrectly; hatched: pixels that do not count. The filter keeps images with a class in ground truth or "
    "prediction."
)


def semantic_facts(scores: SegmentationReport, rows: int) -> dict[str, str]:
    """Return the large figures of the page, by name."""
    facts = {"Mean IoU": percent(scores.mean_iou), "Pixel accuracy": percent(scores.pixel_accuracy)}
    if scores.soft_dice is not None:
        facts["Soft dice"] = percent(scores.soft_dice)
    if scores.membranes:
        facts["Membrane IoU"] = percent(scores.membranes.iou)
        if scores.membranes.rand is not None:
            facts["Cells, Rand"] = f"{scores.membranes.rand:.4f}"
    return facts | {"Images": f"{rows:,}", "Pixels counted": f"{scores.pixels:,}"}


def semantic_sections(scores: SegmentationReport, images: ImageScores, ignore_label: int) -> list[Section]:
    """Return the sections of the page, in order."""
    names = dict(enumerate(score.name for score in scores.classes))
    figure = confusion_figure(scores, "Confusion matrix")
    return [
        Section("classes", "Classes", _class_table(scores, images)),
        Section("confusion", "Confusion matrix", plot_html(figure, "Predicted class by true class, in percent")),
        examples_section(
            images.examples.worst(), images.examples.best(), about=_ORDER, labels=names, ignore_label=ignore_label
        ),
    ]


def _class_table(scores: SegmentationReport, images: ImageScores) -> str:
    counts = np.asarray(scores.confusion, np.int64)
    hits, found, truth = np.diag(counts), counts.sum(0), counts.sum(1)
    seen = np.array([score.present for score in images.scores], bool).reshape(-1, len(truth)).sum(0)
    rows = [
        (
            score.iou is None,
            [
                str(id_),
                f"{swatch(class_color(id_))}{escape(score.name)}",
                percent(score.iou),
                percent(_share(hits[id_], found[id_])),
                percent(_share(hits[id_], truth[id_])),
                f"{score.pixels:,}",
                f"{seen[id_]:,}",
            ],
        )
        for id_, score in enumerate(scores.classes)
    ]
    titles: Sequence[str] = ["id", "class", "IoU", "precision", "recall", "pixels", "images"]
    return table_html("Scores of the classes", titles, rows)


def _share(part: np.int64, total: np.int64) -> float | None:
    return int(part) / int(total) if total else None
