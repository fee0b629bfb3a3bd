"""Long polygons have the masks that `pycocotools` draws, in bounded time and memory."""

from __future__ import annotations

import json
import resource
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings, strategies as st
from pycocotools import mask as pycoco

from segdata.coco.polygons import MAX_COORDINATE, is_long, polygon_runs
from segdata.coco.rle import to_rle
from segdata.errors import InvalidInputError
from segdata.inspect.check import check

side = st.integers(1, 40)


@st.composite
def polygons(draw: st.DrawFn) -> tuple[list[float], int, int]:
    """Return a polygon within an image, slightly or far outside of it, often with points in one line."""
    height, width = draw(side), draw(side)
    reach = draw(st.sampled_from([1, 1.2, 3, 30, 2000])) * max(height, width)
    number = st.floats(-reach, reach) | st.integers(-int(reach), int(reach)).map(float)
    number |= st.integers(-int(10 * reach), int(10 * reach)).map(lambda tenths: tenths / 10)
    points = draw(st.lists(number, min_size=6, max_size=20).filter(lambda found: len(found) % 2 == 0))
    return points, height, width


@settings(max_examples=5 * settings.default.max_examples)
@given(polygons())
@example(([2.0, 2.0, 12.5, 2.0, 12.5, 9.0, 2.0, 9.0], 16, 20))
@example(([0.0, -8e4, 0.5, 8e4, 39.9, -8e4], 40, 40))
@example(([-8e4, 0.0, 8e4, 0.1, -8e4, 39.9], 40, 40))
@example(([-1.0, -1.0, -1.0, 50.0, -1.0, 3.0], 40, 40))
def test_any_polygon_is_the_mask_that_pycocotools_draws(polygon: tuple[list[float], int, int]) -> None:
    points, height, width = polygon
    runs = polygon_runs(np.array(points), height, width)
    ours = pycoco.frPyObjects({"size": [height, width], "counts": runs}, height, width)
    assert ours == pycoco.frPyObjects([points], height, width)[0]


@given(polygons())
def test_both_ways_of_drawing_are_joined(polygon: tuple[list[float], int, int]) -> None:
    points, height, width = polygon
    far = [-3e5, -3e5, 3e5, -3e5, 3e5, 1.5, -3e5, 1.5]
    assert is_long(np.array(far), 3e5)
    assert not is_long(np.array([1.0, 1, 9, 1, 9, 9]), 9)
    expected = pycoco.merge(pycoco.frPyObjects([points, far], height, width))
    assert to_rle([points, far], height, width) == expected


def test_a_small_file_does_not_take_gigabytes(tmp_path: Path) -> None:
    zigzag = [coordinate for point in range(400) for coordinate in ((-1) ** point * 1e6, (point % 7 - 3) * 3e5)]
    annotation = {"id": 1, "image_id": 1, "category_id": 1, "segmentation": [zigzag], "iscrowd": 0}
    image = {"id": 1, "file_name": "a.jpg", "height": 480, "width": 640}
    members = {"images": [image], "annotations": [annotation], "categories": [{"id": 1, "name": "cat"}]}
    (tmp_path / "a.json").write_text(json.dumps(members))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    check(tmp_path / "a.json", images=tmp_path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 << 10


def test_a_polygon_that_crosses_an_image_millions_of_times_is_refused() -> None:
    points = np.array([coordinate for point in range(200) for coordinate in ((point % 2) * 1e6, float(point))])
    with pytest.raises(InvalidInputError, match="crosses the image's pixel columns 20000000 times") as error:
        polygon_runs(points, 1, 100_000)
    assert error.value.code == "bad_polygon"
    assert np.abs(points).max() < MAX_COORDINATE
