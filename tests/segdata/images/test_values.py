"""Value ranges: what can be said, and what a set's own samples give."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, strategies as st
from hypothesis.extra import numpy as arrays

from segdata.errors import InvalidInputError
from segdata.images.survey import by_value, count_samples, find_value_range
from segdata.images.values import Percentiles, ValueRange, parse_value_range


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("0:4095", ValueRange(0, 4095)),
        ("-1.5:2e3", ValueRange(-1.5, 2000)),
        ("auto", Percentiles(0, 100)),
        ("0.5%:99.5%", Percentiles(0.5, 99.5)),
    ],
)
def test_a_range_is_numbers_percentiles_or_auto(text: str, found: ValueRange | Percentiles) -> None:
    assert parse_value_range(text) == found


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "expected LOW:HIGH"),
        ("5", "expected LOW:HIGH"),
        ("1%:2", "expected LOW:HIGH"),
        ("a:b", "expected LOW:HIGH"),
        ("9:1", "invalid range 9:1; expected a lower and a higher number"),
        ("0:nan", "invalid range"),
        ("60%:40%", "invalid percentiles 60%:40%"),
        ("0%:101%", "invalid percentiles"),
    ],
)
def test_another_text_is_refused(text: str, words: str) -> None:
    with pytest.raises(InvalidInputError, match=words):
        parse_value_range(text)


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(allow_nan=False, allow_infinity=False))
def test_the_text_of_a_range_is_the_same_range(one: float, other: float) -> None:
    assume(one != other)
    found = ValueRange(min(one, other), max(one, other))
    assert parse_value_range(str(found)) == found


def test_a_range_of_integers_has_no_fractions() -> None:
    assert str(ValueRange(-104, 4294967295)) == "-104:4294967295"


def find(images: list[np.ndarray], wanted: Percentiles) -> ValueRange:
    return find_value_range((count_samples(image, by_value=by_value(wanted)) for image in images), wanted)


@given(st.lists(arrays.arrays(np.uint16, (2, 3)), min_size=1, max_size=4))
def test_auto_is_the_lowest_and_the_highest_sample(images: list[np.ndarray]) -> None:
    stacked = np.stack(images)
    if stacked.min() == stacked.max():
        with pytest.raises(InvalidInputError, match="all samples have the value"):
            find(images, Percentiles())
    else:
        assert find(images, Percentiles()) == ValueRange(int(stacked.min()), int(stacked.max()))


@given(arrays.arrays(np.int16, (20, 20)), st.floats(1, 40), st.floats(60, 99))
def test_percentiles_leave_out_their_share(image: np.ndarray, low: float, high: float) -> None:
    try:
        found = find([image[:10], image[10:]], Percentiles(low, high))
    except InvalidInputError:
        assert np.unique(image, return_counts=True)[1].max() / image.size * 100 >= high - low
        return
    assert np.mean(image < found.low) * 100 <= low
    assert np.mean(image > found.high) * 100 <= 100 - high + 1e-9


def test_percentiles_of_fractions_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="at most 16 bits for percentiles"):
        find([np.ones((2, 2), np.float32)], Percentiles(1, 99))
    assert find([np.array([[0.25, 4]], np.float32)], Percentiles()) == ValueRange(0.25, 4)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16])
def test_auto_is_refused_for_fractions_among_integers(dtype: type) -> None:
    integers, fractions = np.array([[0, 100]], dtype), np.array([[0.25, 1]], np.float32)
    message = "1 image with fractions up to 1, and 2 with integers up to 100; expected one kind"
    with pytest.raises(InvalidInputError, match=message) as error:
        find([integers, fractions, integers], Percentiles())
    assert error.value.code == "no_value_range"
    assert find([integers, fractions * 90], Percentiles()) == ValueRange(0, 100)
    assert find([integers // 100, fractions], Percentiles()) == ValueRange(0, 1)
    assert find([fractions, fractions * 2], Percentiles()) == ValueRange(0.25, 2)


def test_samples_that_are_not_finite_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="NaN or infinity"):
        find([np.array([[np.nan, 1.0]])], Percentiles())
    with pytest.raises(InvalidInputError, match="NaN"):
        ValueRange(0, 1).scale(np.array([np.nan]))
