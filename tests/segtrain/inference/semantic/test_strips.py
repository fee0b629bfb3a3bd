from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from segtrain.inference.semantic.strips import (
    ROWS,
    Strips,
    class_map,
    in_strips,
    kept,
    likeliest,
    mean_of,
    resized,
)


def _planes(height: int, width: int, classes: int = 3) -> np.ndarray:
    return np.random.default_rng(0).random((classes, height, width), np.float32)


@pytest.mark.parametrize("size", [(100, 70), (64, 70), (1, 70), (130, 200), (333, 31), (37, 70), (100, 1), (500, 70)])
@pytest.mark.parametrize("rows", [1, 7, 64, 1000])
def test_strips_are_resized_as_the_complete_image_is(size: tuple[int, int], rows: int) -> None:
    planes, (height, width) = _planes(100, 70), size
    parts = (planes[:, top : top + rows] for top in range(0, 100, rows))
    found = list(resized(Strips(100, parts), height, width))
    assert [strip.shape[1] for strip in found] == [min(ROWS, height - top) for top in range(0, height, ROWS)]
    whole = cv2.resize(planes.transpose(1, 2, 0), (width, height), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_allclose(np.concatenate(found, 1), whole.transpose(2, 0, 1), atol=1e-5)


def test_only_the_rows_that_the_next_strip_needs_are_taken() -> None:
    planes, taken = _planes(640, 5), 0

    def parts() -> object:
        nonlocal taken
        for strip in in_strips(planes):
            taken += strip.shape[1]
            yield strip

    for number, strip in enumerate(resized(Strips(640, parts()), 1280, 10), start=1):
        assert strip.shape == (3, ROWS, 10)
        assert taken <= number * ROWS // 2 + ROWS
    assert taken == 640


def test_the_mean_of_scales() -> None:
    planes = [_planes(100, 9) * factor for factor in (1, 2, 6)]
    found = np.concatenate(list(mean_of([in_strips(each) for each in planes])), 1)
    np.testing.assert_allclose(found, planes[0] * 3, rtol=1e-6)


def test_the_likeliest_class_is_the_first_of_the_highest() -> None:
    planes = np.random.default_rng(1).integers(0, 4, (256, 30, 20)).astype(np.float32)
    assert (likeliest(planes) == planes.argmax(0)).all()
    assert (class_map(in_strips(planes)) == planes.argmax(0)).all()
    assert class_map(in_strips(planes)).dtype == np.uint8


def test_a_class_with_a_threshold_is_where_it_is_likely_enough() -> None:
    strip = np.array([[0.5, 0.6, 0.2], [0.3, 0.29, 0.3], [0.2, 0.11, 0.5]], np.float32)[:, None]
    assert class_map([strip]).tolist() == [[0, 0, 2]]
    assert class_map([strip], {1: 0.3}).tolist() == [[1, 0, 1]]
    # Too unlikely everywhere: the next class takes its place.
    assert class_map([strip], {0: 0.9}).tolist() == [[1, 1, 2]]
    # Of two that are likely enough, the likeliest; of none, the likeliest of all.
    assert class_map([strip], {1: 0.25, 2: 0.25}).tolist() == [[1, 1, 2]]
    assert class_map([strip], {0: 0.55, 1: 0.9, 2: 0.9}).tolist() == [[0, 0, 2]]


def test_kept_strips_are_a_file_and_nothing_is_left_of_those_that_fail(tmp_path: Path) -> None:
    planes = np.random.default_rng(0).random((3, 150, 5), np.float32)
    path = tmp_path / "a" / "b.npy"
    assert (np.concatenate(list(kept(in_strips(planes), path, (150, 5, 3))), 1) == planes).all()
    assert (np.load(path) == planes.astype(np.float16)).all()

    def failing() -> Iterator[np.ndarray]:
        yield planes[:, :64]
        raise MemoryError

    with pytest.raises(MemoryError):
        list(kept(failing(), path, (150, 5, 3)))
    assert not path.exists()
