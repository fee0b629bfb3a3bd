from __future__ import annotations

import json
from pathlib import Path

import pytest

from segdata.errors import InvalidInputError
from segdata.opening import open_dataset
from segdata.records.convert import to_mindrecord
from segdata.records.reader import RecordSet, open_set
from segtrain.evaluation.instance.truth import ground_truth, read_ground_truth

COCO_FILES = "annotations/instances.json"


def test_the_source_of_a_set_has_the_same_ground_truth(coco: RecordSet, folder: Path) -> None:
    def order(truth: dict[str, list[dict[str, object]]]) -> list[object]:
        keys = ("image_id", "category_id", "iscrowd", "segmentation")
        return sorted([[item[key] for key in keys] for item in truth["annotations"]], key=repr)

    recorded, stated = ground_truth(coco), read_ground_truth(folder / "coco" / COCO_FILES, coco)
    assert order(recorded) == order(stated)
    assert len(recorded["annotations"]) > 9
    assert recorded["categories"] == stated["categories"]
    assert {image["id"] for image in recorded["images"]} == {image["id"] for image in stated["images"]}


def test_crowds_that_a_set_has_as_objects_are_objects(folder: Path, tmp_path: Path) -> None:
    members = json.loads((folder / "coco" / COCO_FILES).read_text())
    members["annotations"] = [{**item, "iscrowd": 1} for item in members["annotations"]]
    (tmp_path / "cvat.json").write_text(json.dumps(members))
    source = open_dataset(tmp_path / "cvat.json", images=folder / "coco" / "images", crowd="object")
    to_mindrecord(source, tmp_path / "set", num_shards=1)
    records = open_set(tmp_path / "set")
    for truth in (ground_truth(records), read_ground_truth(tmp_path / "cvat.json", records)):
        assert [item["iscrowd"] for item in truth["annotations"]] == [0] * len(members["annotations"])


@pytest.mark.parametrize(
    ("member", "change", "problem"),
    [
        ("images", lambda images: images[2:], "does not contain 2 of 9 images of record set set"),
        ("categories", lambda categories: categories[1:], "does not contain class .* of record set set"),
        ("images", lambda images: [{**image, "height": None} for image in images], "has no height and width"),
    ],
)
def test_a_json_of_another_set_is_refused(
    coco: RecordSet, folder: Path, tmp_path: Path, member: str, change: object, problem: str
) -> None:
    members = json.loads((folder / "coco" / COCO_FILES).read_text())
    members[member] = change(members[member])  # type: ignore[operator]
    (tmp_path / "other.json").write_text(json.dumps(members))
    with pytest.raises(InvalidInputError, match=problem):
        read_ground_truth(tmp_path / "other.json", coco)
