"""A list, a JSON and a record set of the same data give the same samples."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segdata.dataset import Dataset
from segdata.encoded import File
from segdata.errors import Fault, InvalidInputError, OptionError
from segdata.images.values import Percentiles
from segdata.inspect.check import check
from segdata.labels.classes import Classes
from segdata.opening import dataset_kind, open_dataset
from segdata.records.convert import to_mindrecord
from segdata.records.schema import unpack_masks
from segdata.samples import Sample


def by_name(dataset: Dataset) -> dict[str, Sample]:
    return {sample.name: sample for sample in dataset.samples()}


def test_a_list_and_its_record_set_give_the_same_samples(devkit: Path, voc_records: Path) -> None:
    listed, recorded = open_dataset(devkit / "voc_train_lst.txt"), open_dataset(voc_records)
    assert (listed.task, listed.labels, listed.ignore_label) == (recorded.task, recorded.labels, recorded.ignore_label)
    assert len(listed) == len(recorded) == 10
    ours, theirs = by_name(listed), by_name(recorded)
    assert ours.keys() == theirs.keys()
    for name, sample in ours.items():
        assert np.array_equal(sample.read_image(), theirs[name].read_image())
        assert np.array_equal(sample.read_label(), theirs[name].read_label())


def test_a_json_and_its_record_set_give_the_same_samples(coco: Path, coco_records: Path) -> None:
    listed, recorded = open_dataset(coco / "annotations" / "instances.json"), open_dataset(coco_records)
    assert (listed.task, listed.labels) == ("instance", recorded.labels)
    theirs = by_name(recorded)
    assert len(listed) == len(recorded) == len(theirs)
    for sample in listed.samples():
        height, width = sample.read_image().shape[:2]
        faults: list[Fault] = []
        instances = sample.instances(height, width, faults)
        stored = theirs[sample.name].instances(height, width, faults)
        assert faults == []
        assert unpack_masks(instances.masks) == unpack_masks(stored.masks)
        assert instances.labels.tolist() == stored.labels.tolist()


@pytest.mark.parametrize("form", ["list", "json", "records"])
def test_rows_are_chosen_by_number_in_the_order_asked_for(
    form: str, devkit: Path, coco: Path, voc_records: Path
) -> None:
    path = {
        "list": devkit / "voc_train_lst.txt",
        "json": coco / "annotations" / "instances.json",
        "records": voc_records,
    }
    dataset = open_dataset(path[form])
    names = [sample.name for sample in dataset.samples()]
    assert [sample.name for sample in dataset.samples([7, 0, 3])] == [names[7], names[0], names[3]]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("train_lst.txt", "list"),
        ("list", "list"),
        ("instances.json", "coco"),
        ("manifest.json", "records"),
        ("train.mindrecord3", "records"),
        (".", "records"),
    ],
)
def test_the_name_tells_what_it_is(name: str, kind: str, tmp_path: Path) -> None:
    assert dataset_kind(tmp_path / name) == kind


def test_options_of_another_type_of_data_set_are_refused(devkit: Path, voc_records: Path) -> None:
    with pytest.raises(InvalidInputError, match="a list file, which does not take --images"):
        open_dataset(devkit / "voc_train_lst.txt", images=devkit)
    with pytest.raises(InvalidInputError, match="a record set, which does not take --data_root or class options"):
        open_dataset(voc_records, data_root=devkit, classes=Classes())


def test_a_json_without_a_folder_of_images_beside_it_asks_for_it(coco: Path, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_bytes((coco / "annotations" / "instances.json").read_bytes())
    with pytest.raises(InvalidInputError, match="--images"):
        open_dataset(tmp_path / "x.json")


def test_a_file_outside_its_root_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    with pytest.raises(InvalidInputError, match="is outside the data root") as error:
        File(tmp_path / "data", "../secret").read()
    assert error.value.code == "outside_root"


def test_a_damaged_image_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "x.jpg").write_bytes(b"no image")
    with pytest.raises(InvalidInputError, match="not a readable image"):
        Sample("x", File(tmp_path, "x.jpg")).read_image()
    with pytest.raises(InvalidInputError, match="does not exist"):
        Sample("y", File(tmp_path, "y.jpg")).read_image()


BROKEN_IMAGES: dict[str, Callable[[dict[str, Any]], list[dict[str, Any]]]] = {
    "sizes": lambda image: [image | {"width": float(image["width"])}],
    "ids": lambda image: [image | {"id": str(image["id"])}],
    "none": lambda _image: [],
}


@pytest.mark.parametrize("value_range", [None, Percentiles(1, 99)])
@pytest.mark.parametrize("kind", BROKEN_IMAGES)
def test_of_a_json_without_usable_images_its_own_faults_are_named_and_no_image_folder(
    kind: str, value_range: Percentiles | None, coco: Path, tmp_path: Path
) -> None:
    (tmp_path / "photos").mkdir()
    data = json.loads((coco / "annotations/instances.json").read_bytes())
    images = [image for found in data["images"] for image in BROKEN_IMAGES[kind](found)]
    source = tmp_path / "photos/a.json"
    source.write_text(json.dumps(data | {"images": images}))
    found = {each.code: each.count for each in check(source, value_range=value_range).findings}
    assert found["not_a_dataset"] == 1
    assert found.get("broken_member", 0) == len(images)
    faults: list[Fault] = []
    assert len(open_dataset(source, value_range=value_range, faults=faults)) == 0
    with pytest.raises(InvalidInputError, match=r"fault|contains no images"):
        to_mindrecord(open_dataset(source, value_range=value_range, faults=[]), tmp_path / "r")


def test_a_json_whose_images_are_nowhere_is_refused_with_the_option_that_names_their_folder(
    coco: Path, tmp_path: Path
) -> None:
    (tmp_path / "photos").mkdir()
    shutil.copy(coco / "annotations/instances.json", tmp_path / "photos/a.json")
    with pytest.raises(OptionError, match=r"image folder .+ does not exist\. Name the folder with --images"):
        open_dataset(tmp_path / "photos/a.json", faults=[])
