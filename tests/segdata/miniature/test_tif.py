"""The miniature of the ISBI stacks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from segdata.errors import TargetExistsError
from segdata.miniature.tif import write_stacks


def test_two_stacks_of_equal_pages(tmp_path: Path) -> None:
    report = write_stacks(tmp_path / "isbi", pages=3, size=64)
    images, labels = tifffile.imread(report.images, key=range(3)), tifffile.imread(report.labels, key=range(3))
    assert images.shape == labels.shape == (3, 64, 64)
    assert images.dtype == labels.dtype == np.uint8
    assert np.unique(labels).tolist() == [0, 255]
    assert 0.1 < (labels == 0).mean() < 0.4
    assert images[labels == 0].mean() + 30 < images[labels == 255].mean()


def test_neighboring_pages_look_alike_but_differ(tmp_path: Path) -> None:
    labels = tifffile.imread(write_stacks(tmp_path / "isbi", pages=3, size=64).labels, key=range(3))
    assert 0 < (labels[0] != labels[1]).mean() < 0.25


def test_the_seed_decides_every_byte(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_stacks(tmp_path / name, pages=2, size=32, seed=seed)
    first, again, other = (
        [path.read_bytes() for path in sorted((tmp_path / name).iterdir())] for name in ("a", "b", "c")
    )
    assert first == again
    assert first[0] != other[0]


def test_a_taken_directory_is_left_alone(tmp_path: Path) -> None:
    write_stacks(tmp_path / "isbi", pages=1, size=32)
    with pytest.raises(TargetExistsError):
        write_stacks(tmp_path / "isbi", pages=1, size=32)
