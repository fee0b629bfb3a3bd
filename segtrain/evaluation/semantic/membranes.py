"""Scores of cell separation by membranes, as used in electron microscopy.

The IoU of membranes says nothing about a gap of three pixels that merges two cells; the scores of the ISBI 2012
challenge (Arganda-Carreras et al. 2015, "Crowdsourcing the creation of image segmentation algorithms for
connectomics") compare the cells themselves. A cell is a connected component (by edges, not corners) of all pixels that
are not membrane.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Labels = npt.NDArray[Any]

#: Unit in which sums of scores are kept as integers, which is exact for any number of images and processes.
_UNIT = 2.0**-40


@dataclass(frozen=True)
class CellScores:
    """Separation of the cells of an image, in the challenge's foreground-restricted form.

    Pixels that are membrane in the ground truth do not count. Predicted membranes are thinned first, so that their
    thickness does not count either: here each of their pixels is assigned to the nearest cell, whereas the challenge
    leaves a line of one pixel.

    Attributes:
        rand: F-score of the Rand index: of the pairs of pixels that share a cell in prediction or ground truth, the
            share that do in both; harmonic mean of precision and recall, 0 to 1.
        information: mutual information of the two partitions divided by the mean of their entropies, 0 to 1.
    """

    rand: float
    information: float


@dataclass(frozen=True)
class MembraneReport:
    """Scores over a set of images: the first three count pixels of the complete set, the others are means over images.

    Attributes:
        dice: ``2 * TP / (2 * TP + FP + FN)`` of the membrane, predicted as the most likely class.
        iou: ``TP / (TP + FP + FN)`` of the membrane.
        pixel_error: share of pixels that are predicted incorrectly.
        rand: see `CellScores`; None if no image contains a cell.
        information: see `CellScores`; None if no image contains a cell.
    """

    dice: float
    iou: float
    pixel_error: float
    rand: float | None
    information: float | None


class MeanScore:
    """Mean of the scores of images, exact for any number of images and processes.

    Attributes:
        sums: int64; number of images and sum of their scores. Sums of parts of a set can be added.
    """

    def __init__(self) -> None:
        """Start without images."""
        self.sums = np.zeros(2, np.int64)

    def update(self, score: float) -> None:
        """Add the score of an image, at most 1."""
        self.sums += [1, round(score / _UNIT)]

    def mean(self) -> float | None:
        """Return the mean; None if there were no images."""
        images, total = self.sums.tolist()
        return total * _UNIT / images if images else None


class MembraneScores:
    """Sums of the scores of images."""

    def __init__(self, membrane: int, ignore_label: int) -> None:
        """Start from zero, with the class id of membranes and the label of pixels that are not counted."""
        self.membrane = membrane
        self.ignore_label = ignore_label
        # True positives, false positives, false negatives, wrong pixels, pixels.
        self._counts = np.zeros(5, np.int64)
        self._rand, self._information = MeanScore(), MeanScore()

    def update(self, label: Labels, prediction: Labels) -> None:
        """Add an image, given as its ground truth and predicted class ids, both ``(H, W)``."""
        counted = label != self.ignore_label
        truth, found = label == self.membrane, prediction == self.membrane
        pairs = (truth & found, ~truth & found, truth & ~found, label != prediction, counted)
        self._counts += [int((pair & counted).sum()) for pair in pairs]
        # Ignored pixels do not belong to a cell of the ground truth.
        cells = cell_scores(truth | ~counted, found)
        if cells:
            self._rand.update(cells.rand)
            self._information.update(cells.information)

    def add_up(self, add: Callable[[npt.NDArray[np.int64]], npt.NDArray[np.int64]]) -> None:
        """Replace each sum by the result of `add`, the sum over all processes."""
        self._counts = add(self._counts)
        for score in (self._rand, self._information):
            score.sums = add(score.sums)

    def report(self) -> MembraneReport:
        """Return the scores of all images; at least one pixel must have been counted."""
        hit, false, missed, wrong, pixels = self._counts.tolist()
        union = hit + false + missed
        return MembraneReport(
            # A union of 0 means no membrane in ground truth or prediction.
            dice=2 * hit / (union + hit) if union else 1.0,
            iou=hit / union if union else 1.0,
            pixel_error=wrong / pixels,
            rand=self._rand.mean(),
            information=self._information.mean(),
        )


class SoftDice:
    """Agreement ``2 <p, y> / (<p, p> + <y, y> + 1e-6)`` of an image's probabilities and ground truth.

    Both are treated as one vector over all pixels and all classes; this is the metric of the published U-Net course and
    model zoo. It flatters: with two classes, predicting the share of the larger one for every pixel scores 0.79 on ISBI
    2012.
    """

    def __init__(self) -> None:
        """Start without pixels."""
        self._agreement = self._squares = 0.0
        self._pixels = 0

    def update(self, probabilities: npt.NDArray[np.float32], label: Labels) -> None:
        """Add some rows of the image.

        Args:
            probabilities: float ``(K, rows, W)``, summing to 1 over the classes.
            label: ``(rows, W)``; pixels whose value is not a class, 0 to K - 1, are not counted.
        """
        counted = label < len(probabilities)
        chosen, ids = probabilities[:, counted].astype(np.float64), label[counted]
        self._agreement += float(np.take_along_axis(chosen, ids[None].astype(np.int64), 0).sum())
        self._squares += float((chosen * chosen).sum())
        self._pixels += ids.size

    def score(self) -> float:
        """Return the agreement over all rows so far, 0 to 1."""
        return 2 * self._agreement / (self._squares + self._pixels + 1e-6)


def cell_scores(truth: npt.NDArray[np.bool_], found: npt.NDArray[np.bool_]) -> CellScores | None:
    """Compare the cells between two sets of membranes.

    Args:
        truth: membrane mask of the ground truth, bool ``(H, W)``.
        found: membrane mask of the prediction, bool ``(H, W)``.

    Returns:
        The scores, or None if the ground truth has no cells.
    """
    from skimage.measure import label
    from skimage.metrics import adapted_rand_error, variation_of_information
    from skimage.segmentation import expand_labels

    if truth.all():
        return None
    cells = label(~truth, connectivity=1)
    # Where nothing can grow, all pixels keep the id 0: a prediction without cells counts as a single cell.
    others = expand_labels(label(~found, connectivity=1), sum(truth.shape))
    with np.errstate(invalid="ignore"):
        error, _, _ = adapted_rand_error(cells, others, ignore_labels=(0,))
    # Not a number if no two pixels share a cell in either of the two, which then agree.
    rand = 1.0 if np.isnan(error) else 1 - float(error)
    split, merged = variation_of_information(cells, others, ignore_labels=(0,))
    inside = cells > 0
    whole = _entropy(cells[inside]) + _entropy(others[inside])
    # Two partitions into a single cell agree, although neither contains information.
    return CellScores(rand, float((whole - split - merged) / whole) if whole else 1.0)


def _entropy(ids: Labels) -> float:
    """Return the entropy, in bits, of the partition of pixels by their ids."""
    shares = np.bincount(ids)[1:] / ids.size
    shares = shares[shares > 0]
    return float(-(shares * np.log2(shares)).sum())
