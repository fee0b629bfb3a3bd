"""The images with the lowest and the highest scores of a set, of which memory holds no others."""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable
from typing import Generic, TypeVar

_T = TypeVar("_T")


class Extremes(Generic[_T]):
    """Keeps the items with the lowest and the highest scores; of equal scores, those that came first.

    Example:
        >>> extremes = Extremes[str](1)
        >>> for name, score in {"a": 0.5, "b": 0.2, "c": 0.9}.items():
        ...     extremes.offer(score, lambda: name)
        >>> extremes.worst(), extremes.best()
        (['b'], ['c'])
    """

    def __init__(self, count: int) -> None:
        """Keep up to `count` items at each end."""
        self._count = count
        self._offered = 0
        # Score with its sign, so that the first are kept; number of the item; item.
        self._low: list[tuple[float, int, _T]] = []
        self._high: list[tuple[float, int, _T]] = []

    def offer(self, score: float, make: Callable[[], _T]) -> None:
        """Consider an item; `make` returns it, and is called only if it is kept."""
        number = self._offered
        self._offered += 1
        ends = [
            (kept, key)
            for kept, key in ((self._low, score), (self._high, -score))
            if len(kept) < self._count or key < kept[-1][0]
        ]
        if ends:
            item = make()
            for kept, key in ends:
                # Numbers differ, so that items are never compared.
                insort(kept, (key, number, item))
                del kept[self._count :]

    def worst(self) -> list[_T]:
        """Return the items with the lowest scores, the lowest first."""
        return [item for _, _, item in self._low]

    def best(self) -> list[_T]:
        """Return the items with the highest scores, the highest first, without those that `worst` returns."""
        seen = {number for _, number, _ in self._low}
        return [item for _, number, item in self._high if number not in seen]
