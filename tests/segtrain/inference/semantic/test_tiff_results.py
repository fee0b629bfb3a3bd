"""Tags of class ids that are written as TIFF, with those of other programs' files."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from segtrain.inference.semantic.tiff_results import write_labels_file

LABELS = np.arange(72, dtype=np.uint8).reshape(8, 9) % 3


def _tags(path: Path) -> dict[str, Any]:
    with tifffile.TiffFile(path) as file:
        assert (file.pages[0].asarray() == LABELS).all()
        return {tag.name: tag.value for tag in file.pages[0].tags}


def _patched(path: Path, code: int, kind: int, value: int) -> None:
    """Give a tag of a little-endian TIFF one value of a type of at most four bytes."""
    data = bytearray(path.read_bytes())
    (start,) = struct.unpack_from("<I", data, 4)
    for place in range(start + 2, start + 2 + 12 * struct.unpack_from("<H", data, start)[0], 12):
        if struct.unpack_from("<H", data, place) == (code,):
            if kind == 5:
                struct.pack_into("<II", data, struct.unpack_from("<I", data, place + 8)[0], value, 0)
            else:
                struct.pack_into("<HHII", data, place, code, kind, 1, value)
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("code", "kind", "value", "resolution", "unit"),
    [
        (259, 3, 1, (72, 1), 2),
        # A unit that does not exist says nothing; the ratio of the two resolutions does.
        (296, 3, 9, (72, 1), 1),
        (296, 3, 0, (72, 1), 1),
        # No resolution: tifffile writes 1.
        (282, 5, 0, (1, 1), 1),
        (283, 5, 72, (1, 1), 1),
        (282, 4, 0, (1, 1), 1),
    ],
)
def test_a_resolution_that_says_nothing_costs_no_result(
    tmp_path: Path, code: int, kind: int, value: int, resolution: tuple[int, int], unit: int
) -> None:
    source, target = tmp_path / "scan.tif", tmp_path / "labels.tif"
    tifffile.imwrite(source, np.zeros((8, 9), np.uint8), resolution=(72, 72), resolutionunit=2)
    _patched(source, code, kind, value)
    write_labels_file(target, LABELS, source)
    found = _tags(target)
    assert (found["XResolution"], found["YResolution"], found["ResolutionUnit"]) == (resolution, resolution, unit)


@pytest.mark.parametrize("text", ["WGS 84|", "Gauß-Krüger|", "W|"])
@pytest.mark.parametrize("big", [False, True])
def test_the_place_on_earth_is_kept_to_the_byte(tmp_path: Path, text: str, big: bool) -> None:
    scale, tie = (0.5, 0.5, 0.0), (0.0, 0.0, 0.0, 5e5, 4e6, 0.0)
    tags = [(33550, "d", 3, scale, True), (33922, "d", 6, tie, True), (34737, "s", 0, text.encode("latin-1"), True)]
    tifffile.imwrite(tmp_path / "place.tif", np.zeros((8, 9), np.uint8), extratags=tags, bigtiff=big)
    write_labels_file(tmp_path / "labels.tif", LABELS, tmp_path / "place.tif")
    found = _tags(tmp_path / "labels.tif")
    assert (found["ModelPixelScaleTag"], found["ModelTiepointTag"]) == (scale, tie)
    assert text.encode("latin-1") + b"\0" in (tmp_path / "labels.tif").read_bytes()
    assert found["GeoAsciiParamsTag"] == _tags_of_text(tmp_path / "place.tif")


def _tags_of_text(path: Path) -> Any:
    with tifffile.TiffFile(path) as file:
        return file.pages[0].tags["GeoAsciiParamsTag"].value
