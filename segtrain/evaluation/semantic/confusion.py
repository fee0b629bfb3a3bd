"""Quality of a segmentation: one confusion matrix over a complete data set, and the scores derived from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from segdata.errors import NAMED, InvalidInputError
from segtrain.evaluation.semantic.membranes import MembraneReport

#: Number of values that an index PNG can hold.
_LABELS = 256

#: Number of pixels counted at a time: float32 is exact for counts up to this.
_EXACT = 2**24

#: Mean number of consecutive pixels with the same label and prediction from which counting by runs is faster.
_LEAST_RUN = 16


@dataclass(frozen=True)
class ClassScore:
    """Score of one class.

    Attributes:
        name: class name.
        pixels: number of pixels of the class in the ground truth.
        iou: intersection over union, 0 to 1; None if the class is in neither ground truth nor predictions.
    """

    name: str
    pixels: int
    iou: float | None


@dataclass(frozen=True)
class SegmentationReport:
    """Scores over a complete data set (Everingham et al. 2010, "The PASCAL VOC Challenge").

    Attributes:
        classes: one score per class, by class id.
        mean_iou: mean IoU over the classes that occur in ground truth or predictions.
        pixel_accuracy: share of the counted pixels that are predicted correctly.
        pixels: number of counted pixels.
        confusion: counted pixels by true class (row) and predicted class (column).
        soft_dice: mean of `segtrain.evaluation.semantic.membranes.soft_dice` over the images; None if not requested.
        membranes: how well cells are separated; None if not requested.
        loss: mean over the images of `segtrain.evaluation.semantic.log_loss.LogLoss`; None if not requested.
    """

    classes: tuple[ClassScore, ...]
    mean_iou: float
    pixel_accuracy: float
    pixels: int
    confusion: tuple[tuple[int, ...], ...]
    soft_dice: float | None = None
    membranes: MembraneReport | None = None
    loss: float | None = None

    @property
    def metrics(self) -> dict[str, float]:
        """Scores that are tracked during training."""
        optional = {"soft_dice": self.soft_dice, "eval_loss": self.loss}
        given = {name: value for name, value in optional.items() if value is not None}
        return {"miou": self.mean_iou, "pixel_accuracy": self.pixel_accuracy, **given}

    @property
    def numbers(self) -> dict[str, float]:
        """All scores of the complete set that are known, by name."""
        membranes = asdict(self.membranes) if self.membranes else {}
        named = {f"membrane_{name}": value for name, value in membranes.items() if value is not None}
        return {**self.metrics, **named}


class ConfusionMatrix:
    """Counts of pixels by true and predicted class.

    Attributes:
        counts: int64 ``(K, K)``; row: ground truth, column: prediction. Matrices of parts of a set can be added.
    """

    def __init__(self, num_classes: int, ignore_label: int) -> None:
        """Start from zero.

        Args:
            num_classes: K, 2 to 256.
            ignore_label: label of pixels that are not counted, 0 to 255.

        Raises:
            InvalidInputError: when a value is out of range.
        """
        if not 2 <= num_classes <= _LABELS:
            raise InvalidInputError(f"number of classes is {num_classes}; expected 2 to {_LABELS}, background included")
        if not 0 <= ignore_label < _LABELS:
            raise InvalidInputError(f"ignore label is {ignore_label}; expected 0 to {_LABELS - 1}")
        self.num_classes = num_classes
        self.ignore_label = ignore_label
        self.counts = np.zeros((num_classes, num_classes), np.int64)

    def update(self, labels: npt.NDArray[Any], predictions: npt.NDArray[Any]) -> None:
        """Count the pixels of one or more images.

        Args:
            labels: ground truth, integers of any shape, 0 to K - 1 or the ignore label.
            predictions: class ids, integers of the same shape, 0 to K - 1 everywhere.

        Raises:
            InvalidInputError: when shapes differ, or values are not integers or are out of range; nothing is counted
                then.
        """
        if labels.shape != predictions.shape:
            raise InvalidInputError(
                f"ground truth has shape {labels.shape} and prediction {predictions.shape}; expected the same shape. "
                "Resize the prediction to the size of its image."
            )
        for what, values in (("ground truth", labels), ("prediction", predictions)):
            if values.dtype.kind not in "iu":
                raise InvalidInputError(f"{what} has values of type {values.dtype}; expected integers")
        unknown = _outside(predictions, self.num_classes)
        if unknown.size:
            raise InvalidInputError(f"prediction has class {_some(unknown)}; expected 0 to {self.num_classes - 1}")
        # Values that do not fit into 8 bits must not be truncated to a valid class.
        self._check_labels(_outside(labels, _LABELS))

        by_label = _count_pairs(labels, predictions, self.num_classes)
        by_label[self.ignore_label] = 0
        self._check_labels(np.flatnonzero(by_label[self.num_classes :].any(1)) + self.num_classes)
        self.counts += by_label[: self.num_classes]

    def _check_labels(self, foreign: npt.NDArray[Any]) -> None:
        if foreign.size:
            raise InvalidInputError(
                f"ground truth has label {_some(foreign)}; expected 0 to {self.num_classes - 1}, or "
                f"{self.ignore_label} for pixels to ignore"
            )

    def report(self, class_names: Sequence[str]) -> SegmentationReport:
        """Return the scores of all counted pixels.

        Args:
            class_names: K names, by class id.

        Raises:
            InvalidInputError: when the number of names is not K, or no pixel was counted.
        """
        if len(class_names) != self.num_classes:
            raise InvalidInputError(f"got {len(class_names)} class names; expected {self.num_classes}, one per class")
        pixels = int(self.counts.sum())
        if not pixels:
            raise InvalidInputError(
                "no pixel was counted: all pixels have the ignore label, or there are no images; expected at least one"
            )
        right = np.diag(self.counts)
        truth = self.counts.sum(1)
        union = truth + self.counts.sum(0) - right
        ious = [int(hit) / int(area) if area else None for hit, area in zip(right, union, strict=True)]
        present = [iou for iou in ious if iou is not None]
        return SegmentationReport(
            classes=tuple(
                ClassScore(name, int(count), iou) for name, count, iou in zip(class_names, truth, ious, strict=True)
            ),
            mean_iou=sum(present) / len(present),
            pixel_accuracy=int(right.sum()) / pixels,
            pixels=pixels,
            confusion=tuple(map(tuple, self.counts.tolist())),
        )


def _count_pairs(labels: npt.NDArray[Any], predictions: npt.NDArray[Any], classes: int) -> npt.NDArray[np.int64]:
    """Return the number of pixels for each label and prediction, ``(256, classes)``; values must be in range."""
    rows, columns = (values.astype(np.uint8, copy=False).ravel() for values in (labels, predictions))
    if not rows.size:
        return np.zeros((_LABELS, classes), np.int64)
    # Combine two bytes into one number: prediction * 256 + label.
    pairs = cv2.merge([rows, columns]).view("<u2").ravel()
    changes = pairs[1:] != pairs[:-1]
    if np.count_nonzero(changes) * _LEAST_RUN > pairs.size:
        return _histogram(rows, columns, classes)
    # Regions are large, so few pixels differ from the previous one. The float64 sums of np.bincount are exact.
    ends = np.append(np.flatnonzero(changes), pairs.size - 1)
    counts = np.bincount(pairs[ends], np.diff(ends, prepend=-1), classes * _LABELS)
    return counts.astype(np.int64).reshape(classes, _LABELS).T


def _histogram(rows: npt.NDArray[np.uint8], columns: npt.NDArray[np.uint8], classes: int) -> npt.NDArray[np.int64]:
    """Return the same as `_count_pairs` for two flat arrays without regions."""
    # OpenCV's histogram of two 8-bit images takes at most half the time of np.bincount over pairs. It counts in
    # integers and returns float32.
    counts = np.zeros((_LABELS, classes), np.int64)
    for start in range(0, rows.size, _EXACT):
        pair = [rows[start : start + _EXACT], columns[start : start + _EXACT]]
        counts += cv2.calcHist(pair, [0, 1], None, counts.shape, [0, _LABELS, 0, classes]).astype(np.int64)
    return counts


def _outside(values: npt.NDArray[Any], end: int) -> npt.NDArray[Any]:
    # Finding the extremes is much faster than finding the values, which are almost never needed. Values of 8 bits are
    # always in 0 to 255.
    least = 0 if values.dtype.kind == "u" else values.min(initial=0)
    if least >= 0 and ((values.dtype == np.uint8 and end == _LABELS) or values.max(initial=0) < end):
        return values[:0]
    outside: npt.NDArray[Any] = np.unique(values[(values < 0) | (values >= end)])
    return outside


def _some(labels: npt.NDArray[Any]) -> str:
    return ", ".join(str(label) for label in labels[:NAMED]) + (" …" if len(labels) > NAMED else "")
