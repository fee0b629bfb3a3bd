"""Which samples of a sequence train and which validate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from segdata.errors import InvalidInputError

Order = Literal["blocks", "course"]


@dataclass(frozen=True)
class Fold:
    """One fold of a K-fold split.

    In the order ``"blocks"`` each fold validates on one run of neighbors, so that only the ends of the run have a
    neighbor in training; blocks differ by one sample at most. The order ``"course"`` is that of the U-Net courses
    and of the MindSpore model zoo: all samples shuffled by NumPy's legacy generator with seed 0, turned by `fold`
    times a fold's size, the last of them for validation. Neighboring slices then stand on both sides; and where
    `folds` does not divide the samples, its rounding leaves some in no fold or in two.

    Attributes:
        folds: number of folds, 2 or more.
        fold: which one validates, from 0.
        order: how samples come into folds.
    """

    folds: int
    fold: int
    order: Order = "blocks"

    def __post_init__(self) -> None:
        if self.folds < 2 or not 0 <= self.fold < self.folds:
            raise InvalidInputError(
                f"fold {self.fold} of {self.folds}; expected 2 folds or more, numbered from 0 to {self.folds - 1}"
            )

    def __str__(self) -> str:
        order = {"blocks": "contiguous blocks", "course": "the course's shuffled order"}[self.order]
        return f"fold {self.fold} of {self.folds}, {order}"

    def split(self, count: int) -> tuple[list[int], list[int]]:
        """Return the indices of `count` samples that train and those that validate.

        Raises:
            InvalidInputError: when there are fewer samples than folds.
        """
        if count < self.folds:
            raise InvalidInputError(f"{self.folds} folds of {count} pages; expected no more folds than pages")
        if self.order == "blocks":
            first, end = (count * edge // self.folds for edge in (self.fold, self.fold + 1))
            return [*range(first), *range(end, count)], list(range(first, end))
        order = np.roll(np.random.RandomState(0).permutation(count), self.fold * round(count / self.folds)).tolist()
        train = count - round(count / self.folds)
        return order[:train], order[train:]


@dataclass(frozen=True)
class LastBlock:
    """The last `samples` of a sequence validate, all before them train."""

    samples: int

    def __str__(self) -> str:
        return f"the last {self.samples} pages validate"

    def split(self, count: int) -> tuple[list[int], list[int]]:
        """Return the indices of `count` samples that train and those that validate.

        Raises:
            InvalidInputError: when nothing would be left for training, or nothing is asked for.
        """
        if not 0 < self.samples < count:
            raise InvalidInputError(f"{self.samples} of {count} pages for validation; expected 1 to {count - 1}")
        return list(range(count - self.samples)), list(range(count - self.samples, count))
