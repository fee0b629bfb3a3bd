from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from segtrain.inference.results import named_failures, write_pictures

IMAGE = np.zeros((3, 5, 3), np.uint8)


def test_too_little_memory_is_a_fault_of_the_image() -> None:
    faults: list[str] = []
    with named_failures(faults, "wide.png", IMAGE):
        np.zeros(2**60, np.uint8)
    with named_failures(faults, "huge.png", IMAGE):
        # The product of the sides does not fit into OpenCV's integers.
        cv2.resize(IMAGE, (2**30, 2**30))
    assert [fault.partition(" are too many here: ")[0] for fault in faults] == [
        "wide.png: 5 x 3 pixels",
        "huge.png: 5 x 3 pixels",
    ]
    assert "Unable to allocate" in faults[0]
    assert all(fault.endswith("Cut the image into parts.") for fault in faults)


def test_other_failures_are_not_hidden() -> None:
    faults: list[str] = []
    with pytest.raises(ZeroDivisionError), named_failures(faults, "a.png", IMAGE):
        _ = 1 // 0
    assert faults == []


def test_pictures_are_written_when_all_of_them_are_encoded(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    broken = Image.new("F", (2, 2))  # PNG has no fractions.
    with pytest.raises(OSError, match="cannot write mode F as PNG"):
        write_pictures(tmp_path, "a", {"one": Image.new("L", (2, 2)), "two": broken})
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    write_pictures(tmp_path, "a", {"one": Image.new("L", (2, 2), 7), "two": b"bytes"})
    assert (tmp_path / "two" / "a.png").read_bytes() == b"bytes"
    with Image.open(tmp_path / "one" / "a.png") as picture:
        assert (picture.mode, picture.getpixel((1, 1))) == ("L", 7)
