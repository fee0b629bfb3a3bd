"""Classes of the data set that another one is compared with; `test_list.py` and `test_coco.py` have its images."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from segdata.errors import Fault
from segdata.inspect.check import check
from segdata.inspect.check.overlap import open_other
from segdata.opening import open_dataset
from segdata.records.convert import to_mindrecord


def write(folder: Path, name: str, categories: dict[int, str]) -> Path:
    """Write a COCO JSON of one image with an object of each category."""
    (folder / "images").mkdir(exist_ok=True)
    pixels = np.full((20, 30, 3), 9 * len(name), np.uint8)
    Image.fromarray(pixels).save(folder / "images" / f"{name}.png")
    square = {"segmentation": [[2, 2, 12, 2, 12, 12, 2, 12]], "bbox": [2, 2, 10, 10], "area": 100, "iscrowd": 0}
    members = {
        "images": [{"id": 1, "file_name": f"{name}.png", "width": 30, "height": 20}],
        "annotations": [{"id": id_, "image_id": 1, "category_id": id_, **square} for id_ in categories],
        "categories": [{"id": id_, "name": label} for id_, label in categories.items()],
    }
    (folder / f"{name}.json").write_text(json.dumps(members))
    return folder / f"{name}.json"


@pytest.mark.parametrize(
    ("theirs", "expected"),
    [
        ({1: "cat", 2: "dog"}, []),
        # Labels follow the order of the ids.
        ({7: "cat", 9: "dog"}, []),
        ({1: "dog", 2: "cat"}, [("cat", 1, 2), ("dog", 2, 1)]),
        ({2: "dog"}, [("dog", 2, 1)]),
        ({1: "bird"}, []),
    ],
)
def test_classes_with_another_label_in_the_other_set_are_named(
    tmp_path: Path, theirs: dict[int, str], expected: list[tuple[str, int, int]]
) -> None:
    train, val = write(tmp_path, "train", {1: "cat", 2: "dog"}), write(tmp_path, "validation", theirs)
    for other in (val, tmp_path / "set"):
        if other != val:
            to_mindrecord(open_dataset(val), other, num_shards=1)
        found = [
            fault
            for finding in check(train, against=[open_other(other)]).findings
            for fault in finding.examples
            if finding.code == "class_conflict"
        ]
        assert found == [
            Fault("class_conflict", f"class {name!r}", f"has label {label}, but {another} in {other}")
            for name, label, another in expected
        ]


def test_lists_name_no_classes(tmp_path: Path) -> None:
    train, val = write(tmp_path, "train", {1: "dog", 2: "cat"}), tmp_path / "val.txt"
    Image.fromarray(np.zeros((20, 30), np.uint8)).save(tmp_path / "label.png")
    val.write_text("images/train.png label.png\n")
    codes = [finding.code for finding in check(train, against=[open_other(val)]).findings]
    assert "class_conflict" not in codes
