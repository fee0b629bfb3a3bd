"""info as a user types it: its numbers are those of stats."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from PIL import Image

from segdata.labels.masks import encode_index_png

Run = Callable[..., Result]

LABEL = np.array([[0, 0, 1, 1], [1, 255, 255, 255]], np.uint8)


def shares(text: str) -> list[str]:
    return re.findall(r"\d+\.\d\d%", text)


@pytest.mark.parametrize("ignore", [255, 0])
def test_shares_are_those_of_stats(segdata: Run, tmp_path: Path, ignore: int) -> None:
    Image.new("RGB", (4, 2)).save(tmp_path / "a.png")
    label = LABEL if ignore == 255 else np.where(LABEL == 255, 0, LABEL + 1).astype(np.uint8)
    (tmp_path / "l.png").write_bytes(encode_index_png(label))
    (tmp_path / "l.txt").write_text("a.png l.png\n")
    options = ["--num_classes", "2" if ignore == 255 else "3", "--ignore_label", str(ignore)]
    segdata(
        "to-mindrecord", "--data_lst", tmp_path / "l.txt", "--dst_path", tmp_path / "set", "--num_shards", 1, *options
    )
    text, numbers = (segdata(command, tmp_path / "set").output for command in ("info", "stats"))
    expected = [*(["0.00%"] if ignore == 0 else []), "37.50%", "40.00%", "60.00%"]
    assert sorted(shares(text)) == sorted(shares(numbers)) == sorted(expected)
    assert f"label {ignore}, 37.50% of all pixels" in text


def test_counts_of_an_instance_set_say_that_crowds_are_included(segdata: Run, tmp_path: Path) -> None:
    Image.new("RGB", (4, 2)).save(tmp_path / "a.png")
    runs = {"size": [2, 4], "counts": [2, 2, 4]}
    annotation = {"image_id": 1, "category_id": 1, "segmentation": runs, "bbox": [1, 0, 1, 2], "area": 2}
    members = {
        "images": [{"id": 1, "file_name": "a.png", "width": 4, "height": 2}],
        "annotations": [{"id": 1, "iscrowd": 0, **annotation}, {"id": 2, "iscrowd": 1, **annotation}],
        "categories": [{"id": 1, "name": "cat"}],
    }
    (tmp_path / "a.json").write_text(json.dumps(members))
    segdata("to-mindrecord", "--annotations", tmp_path / "a.json", "--dst_path", tmp_path / "set", "--num_shards", 1)
    assert "crowds included" in segdata("info", tmp_path / "set").output
