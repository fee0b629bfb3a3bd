"""Scores of each image of a semantic data set, and pictures of the worst and the best ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from segdata.draw.overlay import HATCH, Overlay, edges, label_overlay
from segdata.draw.pictures import fitted, scaled_ids, scaled_image
from segdata.images.reading import as_picture
from segdata.labels.masks import count_values
from segtrain.data.arrays import Label, RgbImage
from segtrain.evaluation.extremes import Extremes
from segtrain.evaluation.results import EXAMPLES, PICTURE_SIDE, Example, percent
from segtrain.evaluation.semantic.confusion import ConfusionMatrix

#: Color of pixels that are predicted incorrectly.
_WRONG = (230, 30, 40)


@dataclass(frozen=True)
class ImageScore:
    """Scores of one image.

    Attributes:
        name: name of the image.
        pixels: number of counted pixels; 0 if all have the ignore label.
        wrong: number of counted pixels that are predicted incorrectly.
        mean_iou: mean IoU over the classes that occur in its ground truth or prediction; None without counted pixels.
        ious: IoU of each class, by id; None if it occurs in neither.
        present: whether each class occurs in the ground truth, by id.
    """

    name: str
    pixels: int
    wrong: int
    mean_iou: float | None
    ious: tuple[float | None, ...]
    present: tuple[bool, ...]


class ImageScores:
    """Scores of the images seen so far.

    Attributes:
        scores: scores of each image, in order.
        examples: the images with the lowest and the highest mean IoU.
    """

    def __init__(self, names: Sequence[str], ignore_label: int) -> None:
        """Start without images, with the class names and the label of pixels that are not counted."""
        self.scores: list[ImageScore] = []
        self.examples = Extremes[Example](EXAMPLES)
        self._names, self._ignore_label = names, ignore_label

    def add(self, name: str, image: RgbImage, label: Label, prediction: Label) -> None:
        """Add an image ``(H, W, 3)``, its ground truth and its predicted class ids, both ``(H, W)``."""
        matrix = ConfusionMatrix(len(self._names), self._ignore_label)
        matrix.update(label, prediction)
        score = _score(name, matrix, self._names)
        self.scores.append(score)
        if score.mean_iou is not None:
            self.examples.offer(score.mean_iou, lambda: self._example(score, image, label, prediction))

    def table(self) -> tuple[list[str], list[list[object]]]:
        """Return titles and rows of a table of all images, in order."""
        titles = ["image", "pixels", "wrong_pixels", "pixel_accuracy", "mean_iou", *(f"iou {n}" for n in self._names)]
        rows: list[list[object]] = [
            [
                score.name,
                score.pixels,
                score.wrong,
                1 - score.wrong / score.pixels if score.pixels else None,
                score.mean_iou,
                *score.ious,
            ]
            for score in self.scores
        ]
        return titles, rows

    def _example(self, score: ImageScore, image: RgbImage, label: Label, prediction: Label) -> Example:
        height, width = label.shape
        size = fitted(height, width, PICTURE_SIDE, PICTURE_SIDE, enlarge="integer")
        truth, found = scaled_ids(label, *size), scaled_ids(prediction, *size)
        ids = np.flatnonzero(count_values(label) + count_values(prediction)).tolist()
        by_class = ", ".join(
            f"{name} {iou:.0%}" for name, iou in zip(self._names, score.ious, strict=True) if iou is not None
        )
        return Example(
            name=score.name,
            about=f"mIoU {percent(score.mean_iou)}, {score.wrong / score.pixels:.2%} of the pixels wrong; {by_class}",
            image=scaled_image(as_picture(image), *size),
            overlays={
                "label": label_overlay(truth, self._ignore_label),
                "prediction": label_overlay(found),
                "error": _error_overlay(truth, found, self._ignore_label),
            },
            keys=frozenset(None if id_ == self._ignore_label else id_ for id_ in ids),
        )


def _score(name: str, matrix: ConfusionMatrix, names: Sequence[str]) -> ImageScore:
    present = tuple(matrix.counts.any(1).tolist())
    if not matrix.counts.any():
        return ImageScore(name, 0, 0, None, (None,) * len(names), present)
    report = matrix.report(names)
    return ImageScore(
        name=name,
        pixels=report.pixels,
        wrong=report.pixels - int(np.trace(matrix.counts)),
        mean_iou=report.mean_iou,
        ious=tuple(each.iou for each in report.classes),
        present=present,
    )


def _error_overlay(truth: Label, found: Label, ignore_label: int) -> Overlay:
    """Return the overlay of the pixels that are predicted incorrectly; ignored pixels are hatched."""
    ignored = truth == ignore_label
    overlay = label_overlay(np.where(ignored, truth, np.uint8(0)), ignore_label)
    wrong = (truth != found) & ~ignored
    overlay.fill[wrong] = 1
    overlay.lines[wrong & edges(wrong) & (overlay.lines != HATCH)] = 1
    overlay.colors[1] = _WRONG
    return overlay
