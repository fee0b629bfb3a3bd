"""Exports of annotation tools with any content: converted, or refused with a sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from PIL import Image

from segdata.errors import InvalidInputError
from segdata.inspect.check import check
from segdata.opening import open_dataset
from segdata.sources.instance_masks.regions import polygons_of, run_lengths
from segdata.sources.instance_masks.values import read_values
from segdata.sources.labelme.convert import labelme
from segdata.sources.yolo.convert import yolo_seg

NUMBERS = st.one_of(st.integers(-5, 40), st.floats(-50, 100), st.sampled_from([1e9, -1e300, 0.5]))
POINTS = st.lists(st.tuples(NUMBERS, NUMBERS), max_size=6)
KINDS = ["polygon", "rectangle", "circle", "line", "linestrip", "point", "mask", "rotation", "oriented_rectangle", "?"]
SHAPES = st.fixed_dictionaries(
    {"label": st.sampled_from(["a", "b", "__ignore__"]), "points": POINTS},
    optional={
        "shape_type": st.sampled_from(KINDS),
        "group_id": st.sampled_from([None, 0, 1, "x"]),
        "mask": st.sampled_from([None, "", "iVBORw0KGgo=", "####"]),
    },
)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tools")
    for folder in ("labelme", "yolo/images", "yolo/labels"):
        (root / folder).mkdir(parents=True)
    for path in (root / "labelme/a.png", root / "yolo/images/a.png"):
        Image.new("RGB", (32, 24)).save(path)
    (root / "yolo/classes.txt").write_text("a\nb\n")
    return root


def errors(file: Path, images: str) -> list[str]:
    report = check(open_dataset(file, images=Path(images)))
    return [f"{finding}" for finding in report.findings if finding.severity == "error"]


@settings(max_examples=150)
@given(shapes=st.lists(SHAPES, max_size=4))
def test_labelme_shapes(root: Path, shapes: list[dict[str, Any]]) -> None:
    (root / "labelme" / "a.json").write_text(json.dumps({"shapes": shapes, "imagePath": "a.png"}))
    try:
        report = labelme(root / "labelme", root / "l.json", line_width=3, on_error="skip", overwrite=True, workers=1)
    except InvalidInputError:
        return
    assert errors(root / "l.json", report.root) == []


@settings(max_examples=100)
@given(text=st.text(max_size=60) | st.from_regex(r'\{"shapes": \[.{0,40}', fullmatch=True))
def test_labelme_text(root: Path, text: str) -> None:
    (root / "labelme" / "a.json").write_bytes(text.encode("utf-8", "replace"))
    with pytest.raises(InvalidInputError):
        labelme(root / "labelme", root / "t.json", on_error="skip", workers=1)


@settings(max_examples=150)
@given(lines=st.lists(st.lists(NUMBERS | st.text(max_size=4), max_size=9), max_size=4))
def test_yolo_lines(root: Path, lines: list[list[object]]) -> None:
    text = "\n".join(" ".join(str(token) for token in line) for line in lines)
    (root / "yolo/labels/a.txt").write_bytes(text.encode("utf-8", "replace"))
    try:
        report = yolo_seg(root / "yolo", root / "y", on_error="skip", overwrite=True, workers=1)
    except InvalidInputError:
        return
    assert errors(root / "y/instances_all.json", report.root) == []


@settings(max_examples=100)
@given(data=st.binary(max_size=80), start=st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"II*\0", b"\x93NUMPY\x01\0"]))
def test_mask_files(root: Path, data: bytes, start: bytes) -> None:
    (root / "m.png").write_bytes(start + data)
    with pytest.raises(InvalidInputError):
        read_values(root / "m.png")


@settings(max_examples=150)
@given(seed=st.integers(0, 2**32), height=st.integers(1, 12), width=st.integers(1, 12), count=st.integers(1, 4))
def test_regions_keep_every_pixel(seed: int, height: int, width: int, count: int) -> None:
    from pycocotools import mask

    values = np.random.default_rng(seed).integers(0, count + 1, (height, width)).astype(np.int32)
    for value, rle in run_lengths(values):
        assert np.array_equal(mask.decode(rle) == 1, values == value)
        polygons = polygons_of(rle)
        if polygons is not None:
            drawn = mask.merge(mask.frPyObjects(polygons, height, width))
            assert np.array_equal(mask.decode(drawn) == 1, values == value)
