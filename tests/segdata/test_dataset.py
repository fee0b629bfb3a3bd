"""A list, a JSON and a record set of the same data give the same samples."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from segdata.dataset import Dataset
from segdata.encoded import File
from segdata.errors import Fault, InvalidInputError
from segdata.labels.classes import Classes
from segdata.opening import dataset_kind, open_dataset
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


def test_options_of_another_kind_are_refused(devkit: Path, voc_records: Path) -> None:
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
    with pytest.raises(InvalidInputError, match="missing"):
        Sample("y", File(tmp_path, "y.jpg")).read_image()
