from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as arrays
from pycocotools import mask as pycoco

from segdata.coco import rle
from segdata.errors import InvalidInputError

masks = arrays.arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40)), elements=st.integers(0, 1))


def run_list(mask: np.ndarray) -> list[int]:
    """Count runs down the columns, starting with zeros, the slow way."""
    runs, value = [0], 0
    for pixel in mask.T.ravel():
        if pixel != value:
            runs.append(0)
            value = pixel
        runs[-1] += 1
    return runs


def test_a_polygon_is_the_mask_that_pycocotools_draws():
    polygon = [2.0, 2.0, 12.5, 2.0, 12.5, 9.0, 2.0, 9.0]
    made = rle.to_rle([polygon], 16, 20)
    assert made["size"] == [16, 20]
    assert isinstance(made["counts"], bytes)
    assert np.array_equal(rle.decode_rle(made), pycoco.decode(pycoco.frPyObjects([polygon], 16, 20))[..., 0])


def test_the_parts_of_a_polygon_are_one_mask():
    parts = [[1, 1, 5, 1, 5, 5, 1, 5], [10, 1, 14, 1, 14, 5, 10, 5]]
    both = rle.decode_rle(rle.to_rle(parts, 16, 20))
    each = [rle.decode_rle(rle.to_rle([part], 16, 20)) for part in parts]
    assert np.array_equal(both, each[0] | each[1])
    assert all(mask.any() for mask in each)


@given(masks)
def test_run_lengths_give_the_mask_back_as_a_list_and_packed(mask):
    size = list(mask.shape)
    packed = pycoco.encode(np.asfortranarray(mask))["counts"]
    for counts in (run_list(mask), packed, packed.decode()):
        made = rle.to_rle({"size": size, "counts": counts}, *size)
        assert np.array_equal(rle.decode_rle(made), mask)
        assert made["counts"] == packed


@pytest.mark.parametrize("runs", [[0, 100_000 * 200], [3, 19_999_990, 7], [9_999_999, 1, 10_000_000]])
def test_long_runs_are_counted_rightly(runs):
    made = rle.to_rle({"size": [200, 100_000], "counts": runs}, 200, 100_000)
    assert pycoco.area(made) == sum(runs[1::2])
    assert rle.to_rle(made, 200, 100_000) == made


@pytest.mark.parametrize(
    ("segmentation", "sentence"),
    [
        ([], "the list of polygons is empty"),
        ([[]], "polygon 1 has 0 points"),
        ([[1, 1, 3, 3]], "polygon 1 has 2 points; expected 3 or more"),
        ([[1, 1, 5, 1, 5, 5], [1, 1, 3, 3]], "polygon 2 has 2 points"),
        ([[1, 1, 5, 1, 5, 5, 1]], "expected pairs of numbers"),
        ([1, 1, 5, 1, 5, 5], "segmentation is a list of 6 numbers; expected a list of polygons"),
        ([["a", "b"]], "expected numbers"),
        ([[1, 1, 5, 1, 5, float("nan")]], "expected pairs of numbers"),
        ([[1, 1, 5, 1, 5, None]], r"polygon 1 is \[1, 1, 5, 1, 5, None\]; expected pairs of numbers"),
        ([[1, 1, 5, 1, 5, float("inf")]], "far outside any image; expected at most 1048576"),
        ([[1, 1, 5, 1, 5, 1e12]], "far outside any image; expected at most 1048576"),
        ({"size": [8, 10], "counts": [80]}, r"RLE has size \[8, 10\]; expected \[10, 8\]"),
        ({"counts": [80]}, "RLE has size None"),
        ({"size": [10, 8]}, "counts of the RLE are None"),
        ({"size": [10, 8], "counts": [3, 4]}, "covers 7 pixels; expected 80"),
        ({"size": [10, 8], "counts": [3, 78]}, "covers 81 pixels"),
        ({"size": [10, 8], "counts": [81, -1]}, "RLE covers"),
        ({"size": [10, 8], "counts": [10**30]}, "expected a list of integers or a string"),
        ({"size": [10, 8], "counts": [1.5]}, "expected a list of integers or a string"),
        ({"size": [10, 8], "counts": ""}, "counts of the RLE are a damaged string"),
        ({"size": [10, 8], "counts": "2"}, "covers 2 pixels"),
        ({"size": [10, 8], "counts": "`"}, "counts of the RLE are a damaged string"),
        ({"size": [10, 8], "counts": "2!"}, "counts of the RLE are a damaged string"),
        ({"size": [10, 8], "counts": "ooooooooo0"}, "counts of the RLE are a damaged string"),
        ({"size": [10, 8], "counts": "2é"}, "counts of the RLE are a damaged string"),
        (None, "segmentation is None"),
        ("80", "segmentation is '80'"),
    ],
)
def test_what_is_not_a_mask_is_refused_with_a_sentence(segmentation, sentence):
    with pytest.raises(InvalidInputError, match=sentence):
        rle.to_rle(segmentation, 10, 8)


@pytest.mark.parametrize("size", [(0, 8), (8, -1), (1 << 20, 1 << 20)])
def test_an_image_without_a_sensible_size_is_refused(size):
    with pytest.raises(InvalidInputError, match="pixels"):
        rle.to_rle([[1, 1, 5, 1, 5, 5]], *size)


@given(st.binary(max_size=30), st.integers(1, 30), st.integers(1, 30))
def test_any_packed_string_is_decoded_completely_or_refused(packed, height, width):
    try:
        made = rle.to_rle({"size": [height, width], "counts": packed}, height, width)
    except InvalidInputError:
        return
    assert set(np.unique(rle.decode_rle(made))) <= {0, 1}
    assert rle.decode_rle(made).sum() == pycoco.area(made)
