"""Splits of pages into training and validation."""

from __future__ import annotations

import pytest

from segdata.errors import InvalidInputError
from segdata.lists.folds import Fold, LastBlock


def test_the_courses_first_fold_of_thirty_pages_is_in_its_order() -> None:
    train, val = Fold(5, 1, "course").split(30)
    assert train == [25, 3, 0, 21, 15, 12, 2, 28, 13, 10, 26, 24, 27, 11, 17, 22, 5, 16, 8, 14, 23, 20, 1, 29]
    assert sorted(train + val) == list(range(30))


@pytest.mark.parametrize(
    ("fold", "expected"),
    [
        (0, {0, 3, 12, 15, 21, 25}),
        (1, {4, 6, 7, 9, 18, 19}),
        (2, {1, 8, 14, 20, 23, 29}),
        (3, {5, 11, 16, 17, 22, 27}),
        (4, {2, 10, 13, 24, 26, 28}),
    ],
)
def test_the_courses_folds_of_thirty_pages(fold: int, expected: set[int]) -> None:
    assert set(Fold(5, fold, "course").split(30)[1]) == expected


@pytest.mark.parametrize(("folds", "count"), [(2, 2), (3, 10), (5, 30), (7, 31)])
def test_blocks_are_runs_that_cover_every_page_once(folds: int, count: int) -> None:
    parts = [Fold(folds, fold).split(count) for fold in range(folds)]
    assert [page for _, val in parts for page in val] == list(range(count))
    for train, val in parts:
        assert val == list(range(val[0], val[-1] + 1))
        assert sorted(train + val) == list(range(count))
    assert max(len(val) for _, val in parts) - min(len(val) for _, val in parts) <= 1


def test_the_last_block_validates() -> None:
    assert LastBlock(2).split(5) == ([0, 1, 2], [3, 4])


@pytest.mark.parametrize(("folds", "fold"), [(1, 0), (5, 5), (5, -1)])
def test_an_unknown_fold_is_refused(folds: int, fold: int) -> None:
    with pytest.raises(InvalidInputError, match="expected at least 2 folds, numbered from 0"):
        Fold(folds, fold)


def test_more_folds_than_pages_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="5 folds of 4 pages"):
        Fold(5, 0).split(4)


@pytest.mark.parametrize("samples", [0, 5, 6])
def test_a_block_that_leaves_nothing_is_refused(samples: int) -> None:
    with pytest.raises(InvalidInputError, match=f"{samples} of 5 pages for validation: expected 1 to 4"):
        LastBlock(samples).split(5)


def test_a_block_of_one_page_is_the_least() -> None:
    assert LastBlock(1).split(2) == ([0], [1])


@pytest.mark.parametrize(
    ("division", "text"),
    [
        (Fold(5, 1), "fold 1 of 5, contiguous blocks"),
        (Fold(5, 1, "course"), "fold 1 of 5, shuffled course order"),
        (LastBlock(1), "last page for validation"),
        (LastBlock(3), "last 3 pages for validation"),
    ],
)
def test_a_division_says_which_pages_validate(division: Fold | LastBlock, text: str) -> None:
    assert str(division) == text


@pytest.mark.parametrize(
    ("pages", "message"),
    [
        (0, "5 folds of 0 pages: expected at least one page per fold"),
        (1, "5 folds of 1 page: expected at least one page per fold"),
        (2, "5 folds of 2 pages: expected at least one page per fold"),
    ],
)
def test_the_message_about_too_few_pages_counts_them(pages: int, message: str) -> None:
    with pytest.raises(InvalidInputError) as error:
        Fold(5, 0).split(pages)
    assert str(error.value) == message


def test_the_message_about_a_fold_names_the_last_one() -> None:
    with pytest.raises(InvalidInputError) as error:
        Fold(5, 5)
    assert str(error.value) == "fold 5 of 5: expected at least 2 folds, numbered from 0 to 4"
