"""How well cells are told apart by the membranes between them, as electron microscopy measures it.

The IoU of membranes says nothing of a gap of three pixels by which two cells become one; the scores of the ISBI 2012
challenge (Arganda-Carreras et al. 2015, "Crowdsourcing the creation of image segmentation algorithms for
connectomics") compare the cells themselves. A cell is a connected component (by edges, not corners) of all that is not
membrane.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Labels = npt.NDArray[Any]

#: Sums of scores are kept in this unit, as integers: exact over any number of images and processes.
_UNIT = 2.0**-40


@dataclass(frozen=True)
class CellScores:
    """How well the cells of an image are told apart, in the challenge's foreground-restricted form.

    Pixels that are membrane in the ground truth do not count. The predicted membranes are thinned first, so that
    their thickness does not count either: here each of their pixels is given to the nearest cell, where the challenge
    leaves a line of one pixel.

    Attributes:
        rand: F-score of the Rand index: of the pairs of pixels that are in one cell in prediction or ground truth,
            how many are in both; harmonic mean of precision and recall, 0 to 1.
        information: mutual information of the two divisions over the mean of their entropies, 0 to 1.
    """

    rand: float
    information: float


@dataclass(frozen=True)
class MembraneReport:
    """Scores over a set of images, means over its images but for the first three, which count pixels of the whole set.

    Attributes:
        dice: ``2 * TP / (2 * TP + FP + FN)`` of the membrane, predicted as the likeliest class.
        iou: ``TP / (TP + FP + FN)`` of the membrane.
        pixel_error: share of the pixels that are predicted wrong.
        rand: see `CellScores`; None: no image has a cell.
        information: see `CellScores`; None: no image has a cell.
    """

    dice: float
    iou: float
    pixel_error: float
    rand: float | None
    information: float | None


class MeanScore:
    """The mean of scores of images, exact over any number of images and processes.

    Attributes:
        sums: int64; number of images and sum of their scores, adds up over parts of a set.
    """

    def __init__(self) -> None:
        """Start from no image."""
        self.sums = np.zeros(2, np.int64)

    def update(self, score: float) -> None:
        """Add the score of an image, at most 1."""
        self.sums += [1, round(score / _UNIT)]

    def mean(self) -> float | None:
        """Return the mean; None: there was no image."""
        images, total = self.sums.tolist()
        return total * _UNIT / images if images else None


class MembraneScores:
    """Sums of the scores of images."""

    def __init__(self, membrane: int, ignore_label: int) -> None:
        """Start from zero; `membrane` is the class id of membranes, `ignore_label` that of pixels that do not count."""
        self.membrane = membrane
        self.ignore_label = ignore_label
        # True positives, false positives, false negatives, wrong pixels, pixels.
        self._counts = np.zeros(5, np.int64)
        self._rand, self._information = MeanScore(), MeanScore()

    def update(self, label: Labels, prediction: Labels) -> None:
        """Add an image: ground truth and predicted class ids, both ``(H, W)``."""
        counted = label != self.ignore_label
        truth, found = label == self.membrane, prediction == self.membrane
        pairs = (truth & found, ~truth & found, truth & ~found, label != prediction, counted)
        self._counts += [int((pair & counted).sum()) for pair in pairs]
        # What does not count is no cell of the ground truth.
        cells = cell_scores(truth | ~counted, found)
        if cells:
            self._rand.update(cells.rand)
            self._information.update(cells.information)

    def add_up(self, add: Callable[[npt.NDArray[np.int64]], npt.NDArray[np.int64]]) -> None:
        """Put in the place of each sum what `add` makes of it: the sum over all processes."""
        self._counts = add(self._counts)
        for score in (self._rand, self._information):
            score.sums = add(score.sums)

    def report(self) -> MembraneReport:
        """Return the scores of all images; there must have been a pixel that counts."""
        hit, false, missed, wrong, pixels = self._counts.tolist()
        union = hit + false + missed
        return MembraneReport(
            # No membrane anywhere, and none found.
            dice=2 * hit / (union + hit) if union else 1.0,
            iou=hit / union if union else 1.0,
            pixel_error=wrong / pixels,
            rand=self._rand.mean(),
            information=self._information.mean(),
        )


def soft_dice(probabilities: npt.NDArray[np.float32], label: Labels) -> float:
    """Return the agreement ``2 <p, y> / (<p, p> + <y, y> + 1e-6)`` of probabilities and ground truth.

    Both are taken as one vector over all pixels and all classes; this is the metric of the published U-Net course and
    model zoo. It flatters: with two classes, the share of the larger one as a constant answer for every pixel reaches
    0.79 on ISBI 2012.

    Args:
        probabilities: float ``(H, W, K)``, adding up to 1 over the classes.
        label: ``(H, W)``; pixels that hold no class, 0 to K - 1, do not count.
    """
    counted = label < probabilities.shape[2]
    chosen, ids = probabilities[counted].astype(np.float64), label[counted]
    agreement = np.take_along_axis(chosen, ids[:, None].astype(np.int64), 1).sum()
    return float(2 * agreement / ((chosen * chosen).sum() + ids.size + 1e-6))


def cell_scores(truth: npt.NDArray[np.bool_], found: npt.NDArray[np.bool_]) -> CellScores | None:
    """Compare the cells between two sets of membranes.

    Args:
        truth: where the ground truth has membrane, bool ``(H, W)``.
        found: where the prediction has.

    Returns:
        The scores; None where the ground truth has no cell.
    """
    from skimage.measure import label
    from skimage.metrics import adapted_rand_error, variation_of_information
    from skimage.segmentation import expand_labels

    if truth.all():
        return None
    cells = label(~truth, connectivity=1)
    # Without any cell in the prediction, all is one.
    others = np.ones_like(cells) if found.all() else expand_labels(label(~found, connectivity=1), sum(truth.shape))
    error, _, _ = adapted_rand_error(cells, others, ignore_labels=(0,))
    split, merged = variation_of_information(cells, others, ignore_labels=(0,))
    inside = cells > 0
    whole = _entropy(cells[inside]) + _entropy(others[inside])
    # Two divisions into one cell each agree, though neither holds information.
    return CellScores(1 - float(error), float((whole - split - merged) / whole) if whole else 1.0)


def _entropy(ids: Labels) -> float:
    """Return the entropy in bits of the division of pixels by their ids."""
    shares = np.bincount(ids)[1:] / ids.size
    shares = shares[shares > 0]
    return float(-(shares * np.log2(shares)).sum())
