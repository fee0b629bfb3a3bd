"""Each fault of a COCO JSON and its images is found with the right code, and nothing else is."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from planted_coco import (
    FAULTS,
    WITH_OPTION,
    Planted,
    broken_image,
    change,
    counts,
    far_box,
    planted_copy,
    same_file,
    second,
)

from segdata.coco.file import read_coco
from segdata.errors import Fault, FaultsError, OnError, OptionError
from segdata.inspect.check import check
from segdata.inspect.check.findings import ERRORS
from segdata.mindrecord.header import PAGE_SIZES
from segdata.miniature.coco import write_coco
from segdata.opening import open_dataset
from segdata.parallel import silent
from segdata.records.convert import to_mindrecord
from segdata.sources.coco.masks import coco_to_masks
from segdata.sources.coco.select import Choice
from segdata.sources.coco.subset import coco_subset

IMAGES = 48


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("coco") / "data"
    write_coco(root, images=IMAGES + 1)
    return root


@pytest.fixture
def planted(sample: Path, tmp_path: Path) -> Planted:
    return planted_copy(sample, tmp_path / "data")


#: Number of the first image to plant faults into; the earlier ones have objects in parts and a crowd.
FIRST = 2


def test_nothing_is_found_in_a_clean_set(planted: Planted) -> None:
    report = planted.check(hash=True, decode=True)
    assert report.findings == ()
    assert (report.kind, report.task, report.samples) == ("coco", "instance", IMAGES)


def test_of_the_miniature_the_image_without_annotations_is_told(sample: Path) -> None:
    assert counts(check(sample / "annotations" / "instances.json")) == {"no_annotation": 1}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found_as_what_it_is_and_alone(planted: Planted, fault: str) -> None:
    code, plant = FAULTS[fault]
    plant(planted, FIRST)
    assert counts(planted.check()) == {code: 1}


@pytest.mark.parametrize("fault", WITH_OPTION)
def test_a_fault_that_an_option_finds(planted: Planted, fault: str) -> None:
    code, plant, option = WITH_OPTION[fault]
    plant(planted, FIRST)
    assert counts(planted.check()) == {}
    assert counts(planted.check(**{option: True})) == {code: 1}


def test_all_faults_at_once_are_all_found_whatever_the_workers(planted: Planted) -> None:
    plants = [*(found[:2] for found in WITH_OPTION.values()), *FAULTS.values()]
    for number, (_, plant) in enumerate(plants, start=FIRST):
        plant(planted, number)
    report = planted.check(hash=True, decode=True, workers=1)
    codes = [code for code, _ in plants]
    assert counts(report) == {code: codes.count(code) for code in codes}
    assert report == planted.check(hash=True, decode=True, workers=4)
    assert report.errors + report.warnings == len(plants)


#: Faults that are found only by comparison with another data set, or of the bytes of all images.
COMPARED = {"overlap", "overlap_content", "label_conflict"}

#: What coco-subset does not look for: it parses no polygon and no run lengths.
NOT_PARSED = {
    "polygon of two points",
    "polygon of odd coordinates",
    "polygon of words",
    "polygon far outside",
    "runs of another size",
    "runs that do not fill",
    "runs in a damaged string",
    "mask without a pixel",
}


def refused(planted: Planted, convert: Callable[[], Any], code: str) -> bool:
    """Return whether a converter refuses the planted data set because of a fault with this code."""
    planted.write()
    try:
        convert()
    except FaultsError as error:
        assert {found.code for found in error.faults} == {code}
        return True
    return False


@pytest.mark.parametrize("fault", [*FAULTS, *WITH_OPTION])
def test_converters_refuse_what_is_an_error_and_nothing_else(planted: Planted, tmp_path: Path, fault: str) -> None:
    code, plant, *options = (FAULTS | WITH_OPTION)[fault]
    plant(planted, FIRST)
    decode = options == ["decode"]
    error = code in ERRORS and code not in COMPARED
    places = (planted.json, planted.root / "images", tmp_path / "out")

    def records() -> None:
        to_mindrecord(open_dataset(planted.json, faults=[]), tmp_path / "set", dry_run=True, decode=decode)

    assert refused(planted, records, code) == error
    assert refused(planted, lambda: coco_to_masks(*places, dry_run=True), code) == (error and not decode)
    subset = error and not decode and fault not in NOT_PARSED
    assert refused(planted, lambda: coco_subset(*places, choice=Choice(keep_empty=True), dry_run=True), code) == subset


@pytest.mark.parametrize("on_error", ["fail", "skip"])
def test_several_objects_of_one_file_cannot_be_skipped(planted: Planted, tmp_path: Path, on_error: OnError) -> None:
    same_file(planted, FIRST)
    source = open_dataset(planted.write())
    with pytest.raises(FaultsError, match="named by the image ids"):
        to_mindrecord(source, tmp_path / "set", on_error=on_error, dry_run=True)


def test_faults_of_all_kinds_are_named_in_one_round(planted: Planted, tmp_path: Path) -> None:
    second(planted, FIRST, "images")
    broken_image(planted, FIRST + 1)
    planted.file(FIRST + 2).unlink()
    change(segmentation=[])(planted, FIRST + 3)
    same_file(planted, FIRST + 4)
    codes = ["duplicate_image", "broken_member", "duplicate_id", "missing_image", "no_segmentation"]
    with pytest.raises(FaultsError, match="5 faults; nothing was written") as caught:
        to_mindrecord(open_dataset(planted.write(), faults=[]), tmp_path / "set")
    assert sorted(found.code for found in caught.value.faults) == sorted(codes)


def test_an_image_in_two_spellings_of_its_path_is_there_twice(planted: Planted) -> None:
    same_file(planted, 7, prefix=".//")
    assert counts(planted.check()) == {"duplicate_image": 1}


@pytest.mark.parametrize("options", [{}, {"decode": True}, {"hash": True}])
def test_an_image_that_is_a_fifo_is_named_instead_of_waited_for(planted: Planted, options: dict[str, bool]) -> None:
    planted.file(7).unlink()
    os.mkfifo(planted.file(7))
    (finding,) = planted.check(**options).findings
    name = planted.image(7)["file_name"]
    assert (finding.code, tuple(map(str, finding.examples))) == (
        "unreadable",
        (f"{name}: is a FIFO; expected a regular file",),
    )


def test_a_row_beyond_the_limit_of_mindrecord_is_named_with_its_size(planted: Planted) -> None:
    planted.write()
    dataset = open_dataset(planted.json)
    row = dataset.check_rows(decode=False, drop_empty=False, boxes="json", workers=1, progress=silent).sizes[7, 0]
    room = PAGE_SIZES[1] - int(row) + planted.file(7).stat().st_size
    os.truncate(planted.file(7), room)
    assert counts(planted.check()) == {}
    os.truncate(planted.file(7), room + 1)
    (finding,) = planted.check().findings
    assert (finding.code, tuple(map(str, finding.examples))) == (
        "too_large",
        (
            f"{planted.image(7)['file_name']}: its row would have 268,435,457 bytes; expected at most 268,435,456 "
            "(256 MiB), the limit of MindRecord",
        ),
    )


def test_categories_that_nothing_uses_or_that_share_a_name_are_told(planted: Planted) -> None:
    planted.members["categories"].append({"id": 77, "name": "star"})
    (finding,) = planted.check().findings
    assert (finding.code, tuple(map(str, finding.examples))) == (
        "class_unused",
        ("class 'star': appears in no sample",),
    )
    planted.members["categories"][-1] = dict(planted.members["categories"][0], id=77)
    planted.annotation(FIRST)["category_id"] = 77
    assert counts(planted.check()) == {"duplicate_category": 1}


def test_a_sentence_names_the_annotation_and_its_image(planted: Planted) -> None:
    far_box(planted, FIRST)
    (finding,) = planted.check().findings
    id_, name = planted.annotation(FIRST)["id"], planted.image(FIRST)["file_name"]
    assert str(finding.examples[0]).startswith(f"annotation {id_} ({name}): box [0, 0, ")


def test_what_refers_to_a_broken_object_is_left_out_with_it(planted: Planted) -> None:
    del planted.members["categories"][0]["name"]
    found = counts(planted.check())
    assert (found.pop("broken_member"), found.keys()) == (1, {"no_annotation"})


@pytest.mark.parametrize(("box", "area"), [([9, 9, 4, 3], 9), ([12, 11, 1, 1], 1)])
def test_a_few_pixels_are_rounding(planted: Planted, box: list[int], area: int) -> None:
    change(segmentation=[[10, 10, 13, 10, 13, 12, 10, 12]], bbox=box, area=area)(planted, FIRST)
    assert counts(planted.check()) == {}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "damaged JSON"),
        ("", "is empty; expected COCO instances"),
        ("[]", "not a COCO instances file"),
        ('{"images": [], "categories": []}', "has no list 'annotations'"),
        ('{"images": [], "annotations": [], "categories": []}', "contains no images"),
    ],
)
def test_a_file_that_is_not_coco_is_a_finding(planted: Planted, text: str, sentence: str) -> None:
    planted.json.write_text(text)
    (finding,) = check(planted.json).findings
    assert (finding.code, finding.count) == ("not_a_dataset", 1)
    assert sentence in str(finding.examples[0])


def test_no_folder_of_images_asks_for_it(planted: Planted, tmp_path: Path) -> None:
    shutil.copy(planted.write(), tmp_path / "x.json")
    with pytest.raises(OptionError, match="--images"):
        check(tmp_path / "x.json")
    assert counts(check(tmp_path / "x.json", images=planted.root / "images")) == {}


def test_reading_with_a_place_for_faults_is_reading(planted: Planted) -> None:
    faults: list[Fault] = []
    strict, lenient = read_coco(planted.write()), read_coco(planted.json, faults=faults)
    assert faults == []
    assert (strict.images, strict.categories) == (lenient.images, lenient.categories)
    assert [bytes(raw) for raw in strict.annotations.raw] == [bytes(raw) for raw in lenient.annotations.raw]
    assert np.array_equal(strict.annotations.image, lenient.annotations.image)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=8) | st.dictionaries(st.sampled_from(["size", "counts", "id"]), inner),
    max_leaves=12,
)


@settings(max_examples=150)
@given(data=st.data())
def test_any_value_in_any_place_is_reported_and_nothing_raised(
    sample: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    members = json.loads((sample / "annotations" / "instances.json").read_text())
    key = data.draw(st.sampled_from(["images", "annotations", "categories"]))
    members = {name: members[name][:4] for name in ("images", "annotations", "categories")}
    item = members[key][data.draw(st.integers(0, len(members[key]) - 1))]
    item[data.draw(st.sampled_from(sorted(item)))] = data.draw(values)
    path = tmp_path_factory.mktemp("any") / "x.json"
    path.write_text(json.dumps(members))
    report = check(path, images=sample / "images", hash=True)
    assert all(finding.code != "invalid" for finding in report.findings)


@pytest.mark.parametrize(
    ("annotations", "images", "expected"),
    [
        ("tiny_coco_dataset/annotations/instances_train2017.json", "tiny_coco_dataset/train2017", (31, 1)),
        ("tiny_coco_dataset/annotations/instances_val2017.json", "tiny_coco_dataset/val2017", (32, 2)),
        (
            "enginbozaba_tiny_coco/annotations/instances_train2017.json",
            "enginbozaba_tiny_coco/images/train2017",
            (39, 2),
        ),
        ("enginbozaba_tiny_coco/annotations/instances_val2017.json", "enginbozaba_tiny_coco/images/val2017", (64, 0)),
    ],
)
def test_of_real_sets_unused_classes_and_images_without_annotations_are_told(
    real_data: Path, annotations: str, images: str, expected: tuple[int, int]
) -> None:
    report = check(real_data / "coco" / annotations, images=real_data / "coco" / images, hash=True)
    assert counts(report) == {code: n for code, n in zip(("class_unused", "no_annotation"), expected, strict=True) if n}
