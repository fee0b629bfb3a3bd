"""The draw behind a split: first draws never change, later ones are independent, exact ones are exact."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from segdata.errors import InvalidInputError
from segdata.lists.draw import Draw, side_shares

IMAGES = [f"video{index % 9}/{index:03}.jpg" for index in range(400)]
PLAIN, THREE = side_shares(0.8), side_shares((0.8, 0.1, 0.1))


def drawn(
    keys: Sequence[str], name: str = "all_lst.txt", shares: dict[str, float] = PLAIN, *, exact: bool = False
) -> list[str]:
    return Draw(shares, seed=0, exact=exact).sides(Path(name), keys)


def of_side(keys: Sequence[str], sides: Sequence[str], side: str) -> list[str]:
    return [key for key, found in zip(keys, sides, strict=True) if found == side]


@pytest.mark.parametrize("name", ["all_lst.txt", "voc_train_lst.txt", "train.txt", "instances_train2017.json"])
def test_a_first_draw_is_the_hash_of_seed_and_path(name: str) -> None:
    numbers = [int(hashlib.sha256(f"0\0{image}".encode()).hexdigest()[:16], 16) / 2**64 for image in IMAGES]
    assert drawn(IMAGES, name) == ["train" if number < 0.8 else "val" for number in numbers]


@pytest.mark.parametrize("side", ["train", "val"])
def test_a_draw_from_a_side_does_not_repeat_the_first(side: str) -> None:
    images = of_side(IMAGES, drawn(IMAGES), side)
    halves = Counter(drawn(images, f"all_{side}.txt", side_shares(0.5)))
    # Four standard deviations of a fair draw; a repeated draw gave 5 to 3, or an empty side.
    assert abs(halves["train"] - len(images) / 2) < 2 * len(images) ** 0.5


def test_a_third_draw_is_independent_of_the_second() -> None:
    train = of_side(IMAGES, drawn(IMAGES), "train")
    again = of_side(train, drawn(train, "all_train.txt"), "train")
    assert 0.7 < drawn(again, "all_train_train.txt").count("train") / len(again) < 0.9


def test_a_repeated_draw_under_another_name_is_refused() -> None:
    train = of_side(IMAGES, drawn(IMAGES, shares=side_shares(0.6)), "train")
    with pytest.raises(InvalidInputError, match=r"mine\.txt: the train split would get \d+ of \d+; .* with --seed\."):
        drawn(train, "mine.txt", side_shares(0.3))


def test_the_training_side_of_three_is_that_of_two() -> None:
    two, three = drawn(IMAGES), drawn(IMAGES, shares=THREE)
    assert of_side(IMAGES, two, "train") == of_side(IMAGES, three, "train")
    assert {"train", "val", "test"} == set(three)


def test_a_stratified_draw_of_three_takes_its_share_of_each_stratum() -> None:
    classes = [frozenset({0, 1}) if index < 100 else frozenset({0}) for index in range(400)]
    sides = Draw(THREE, seed=3, exact=False).sides(Path("l.txt"), IMAGES, classes)
    assert Counter(sides[:100]) == {"train": 80, "val": 10, "test": 10}
    assert Counter(sides) == {"train": 320, "val": 40, "test": 40}


shares_of_three = st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 9))


@given(count=st.integers(30, 200), parts=shares_of_three, strata=st.integers(1, 12), seed=st.integers(0, 5))
def test_an_exact_draw_meets_the_largest_remainder_in_any_strata(
    count: int, parts: tuple[int, int, int], strata: int, seed: int
) -> None:
    total = sum(parts)
    classes = [frozenset({index % strata}) for index in range(count)]
    draw = Draw(side_shares([part / total for part in parts]), seed, exact=True)
    counts = Counter(draw.sides(Path("l.txt"), [str(index) for index in range(count)], classes))
    # Whole numbers that sum to the count, each within 1 of its quota: below the floor or above the next is impossible.
    for side, part in zip(("train", "val", "test"), parts, strict=True):
        assert count * part // total <= counts[side] <= -(-count * part // total)
    assert counts.total() == count


@pytest.mark.parametrize(
    ("count", "ratio", "expected"),
    [(10, 0.8, [8, 2]), (7, 0.5, [4, 3]), (7, (0.5, 0.3, 0.2), [4, 2, 1]), (3, (0.8, 0.1, 0.1), None)],
)
def test_an_exact_draw_of_a_few(count: int, ratio: float, expected: list[int] | None) -> None:
    keys = [str(index) for index in range(count)]
    if expected is None:
        with pytest.raises(InvalidInputError, match=r"the val split is empty .* Choose another --ratio, or add"):
            drawn(keys, shares=side_shares(ratio), exact=True)
        return
    counts = Counter(drawn(keys, shares=side_shares(ratio), exact=True))
    assert [counts[side] for side in side_shares(ratio)] == expected


def test_the_seed_chooses_another_exact_draw() -> None:
    first, second = (Draw(PLAIN, seed, exact=True).sides(Path("l.txt"), IMAGES) for seed in (0, 1))
    assert first != second
    assert first.count("train") == second.count("train") == 320


@given(sizes=st.lists(st.integers(1, 9), min_size=8, max_size=16), parts=shares_of_three)
def test_no_single_group_brings_an_exact_draw_nearer(sizes: list[int], parts: tuple[int, int, int]) -> None:
    # One more group, so that the shares are whole numbers of images.
    sizes.append(sum(parts) - sum(sizes) % sum(parts))
    keys = [f"group {index}" for index, size in enumerate(sizes) for _ in range(size)]
    shares = side_shares([part / sum(parts) for part in parts])
    try:
        sides = drawn(keys, shares=shares, exact=True)
    except InvalidInputError:
        return
    counts, side_of = Counter(sides), dict(zip(keys, sides, strict=True))
    surplus = {side: counts[side] - part * len(keys) // sum(parts) for side, part in zip(shares, parts, strict=True)}
    for key, size in zip(side_of, sizes, strict=True):
        for side in set(shares) - {side_of[key]}:
            moved = {**surplus, side_of[key]: surplus[side_of[key]] - size, side: surplus[side] + size}
            assert sum(map(abs, moved.values())) >= sum(map(abs, surplus.values()))


def test_large_groups_leave_the_rest_to_small_ones() -> None:
    keys = [f"{size}/{index}" for size in (60, 25, 10, 5) for index in range(size)]
    counts = Counter(drawn([key.split("/")[0] for key in keys], shares=side_shares(0.75), exact=True))
    assert counts == {"train": 75, "val": 25}


@pytest.mark.parametrize("ratio", [(), (0.5, 0.4), (0.5, 0.5, 0.0), (0.25,) * 4, (1.5, -0.5), (0.5, float("nan"))])
def test_numbers_that_are_not_shares_are_refused(ratio: tuple[float, ...]) -> None:
    with pytest.raises(InvalidInputError, match=r"ratio .*: expected a share for training between 0 and 1"):
        side_shares(ratio)
