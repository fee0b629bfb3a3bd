from __future__ import annotations

from segtrain.evaluation.extremes import Extremes


def _kept(scores: list[float], count: int) -> tuple[list[int], list[int], list[int]]:
    """Return the numbers of the worst and the best items, and of those that were made."""
    made: list[int] = []
    extremes = Extremes[int](count)
    for number, score in enumerate(scores):

        def make(number: int = number) -> int:
            made.append(number)
            return number

        extremes.offer(score, make)
    return extremes.worst(), extremes.best(), made


def test_both_ends_are_kept_and_only_what_is_kept_is_made() -> None:
    assert _kept([0.5, 0.2, 0.9, 0.1, 0.6, 0.55], 2) == ([3, 1], [2, 4], [0, 1, 2, 3, 4])


def test_of_equal_scores_the_first_are_kept_and_none_is_shown_twice() -> None:
    assert _kept([0.5, 0.5, 0.5], 2)[:2] == ([0, 1], [])
    assert _kept([0.5], 2)[:2] == ([0], [])
    assert _kept([], 2) == ([], [], [])
