"""Ids that stay distinct when several files become one."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count


class DistinctIds:
    """Gives each object an id of its own: the one that it has, or else the lowest that no object has.

    >>> ids = DistinctIds([1, 2, 1, 4])
    >>> [ids.take(id_) for id_ in (1, 2, 1, 4)]
    [1, 2, 3, 4]
    """

    def __init__(self, known: Iterable[int]) -> None:
        """Take the ids of all objects, which are never given to another one."""
        self._known = set(known)
        self._free = (id_ for id_ in count(1) if id_ not in self._known)
        self._taken: set[int] = set()

    def take(self, wanted: int | None) -> int:
        """Return the id for an object that has the id `wanted`, or none; call this in the order of the files."""
        id_ = next(self._free) if wanted is None or wanted in self._taken else wanted
        self._taken.add(id_)
        return id_
