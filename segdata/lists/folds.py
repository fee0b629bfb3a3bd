"""Split a sequence of samples into training and validation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from segdata.arguments import check_choice
from segdata.errors import InvalidInputError

#: Assignment of samples to folds: contiguous blocks, or the shuffled order of U-Net courses.
Order = Literal["blocks", "course"]


@dataclass(frozen=True)
class Fold:
    """One fold of a K-fold split.

    With the order ``"blocks"``, each fold validates on one run of neighbors, so that only the ends of the run have a
    neighbor in training; block sizes differ by at most one sample. The order ``"course"`` is the one used in U-Net
    courses and the MindSpore model zoo: all samples are shuffled by NumPy's legacy generator with seed 0 and rotated
    by `fold` times the size of a fold; the last ones are for validation. Neighboring slices then are on both sides,
    and if the number of samples is not a multiple of `folds`, rounding leaves some samples in no fold or in two.

    Attributes:
        folds: number of folds, 2 or more.
        fold: index of the validation fold, from 0.
        order: how samples are assigned to folds.
    """

    folds: int
    fold: int
    order: Order = "blocks"

    def __post_init__(self) -> None:
        check_choice("order", self.order, Order)
        if self.folds < 2 or not 0 <= self.fold < self.folds:
            raise InvalidInputError(
                f"fold {self.fold} of {self.folds}: expected at least 2 folds, numbered from 0 to {self.folds - 1}"
            )

    def __str__(self) -> str:
        order = {"blocks": "contiguous blocks", "course": "shuffled course order"}[self.order]
        return f"fold {self.fold} of {self.folds}, {order}"

    def split(self, count: int) -> tuple[list[int], list[int]]:
        """Split `count` samples into the indices for training and the indices for validation.

        Raises:
            InvalidInputError: when there are fewer samples than folds.
        """
        if count < self.folds:
            pages = "1 page" if count == 1 else f"{count} pages"
            raise InvalidInputError(f"{self.folds} folds of {pages}: expected at least one page per fold")
        if self.order == "blocks":
            first, end = (count * edge // self.folds for edge in (self.fold, self.fold + 1))
            return [*range(first), *range(end, count)], list(range(first, end))
        order = np.roll(np.random.RandomState(0).permutation(count), self.fold * round(count / self.folds)).tolist()
        train = count - round(count / self.folds)
        return order[:train], order[train:]


@dataclass(frozen=True)
class LastBlock:
    """Use the last `samples` of a sequence for validation and all others for training."""

    samples: int

    def __str__(self) -> str:
        return "last page for validation" if self.samples == 1 else f"last {self.samples} pages for validation"

    def split(self, count: int) -> tuple[list[int], list[int]]:
        """Split `count` samples into the indices for training and the indices for validation.

        Raises:
            InvalidInputError: when no samples would be left for training, or none are requested for validation.
        """
        if not 0 < self.samples < count:
            raise InvalidInputError(f"{self.samples} of {count} pages for validation: expected 1 to {count - 1}")
        return list(range(count - self.samples)), list(range(count - self.samples, count))
