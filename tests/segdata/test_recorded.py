"""A set without a manifest is a data set like any other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from foreign_sets import MASK_RCNN, mask_rcnn_rows, write_foreign, zoo_rows

from segdata.errors import InvalidInputError, OptionError
from segdata.images.values import Percentiles, ValueRange
from segdata.inspect.check import check
from segdata.inspect.preview import preview
from segdata.inspect.stats import stats
from segdata.labels.classes import Classes
from segdata.opening import open_dataset
from segdata.recorded import ForeignDataset
from segdata.records.convert import to_mindrecord


@pytest.fixture
def shard(voc_records: Path, tmp_path: Path) -> Path:
    return write_foreign(tmp_path / "zoo", zoo_rows(voc_records), name="vocaug_mindrecord")


@pytest.fixture
def masks(coco_records: Path, tmp_path: Path) -> Path:
    return write_foreign(tmp_path / "masks", mask_rcnn_rows(coco_records), MASK_RCNN)


def test_it_has_the_samples_of_its_rows(shard: Path, voc_records: Path) -> None:
    found, known = open_dataset(shard), open_dataset(voc_records)
    assert isinstance(found, ForeignDataset)
    assert (found.kind, found.task, len(found)) == ("records", "semantic", 10)
    for ours, theirs in zip(found.samples(), known.samples(), strict=True):
        assert np.array_equal(ours.read_image(), theirs.read_image())
        assert np.array_equal(ours.read_label(), theirs.read_label())
    names = [name for name, _ in found.files()]
    assert [sample.name for sample in found.samples([7, 0])] == [names[7], names[0]]


def test_classes_that_are_not_told_are_numbered_and_reports_say_so(shard: Path, voc_records: Path) -> None:
    known, found = stats(open_dataset(voc_records)), stats(open_dataset(shard))
    assert [each.name for each in found.classes] == [f"class_{id_}" for id_ in range(len(found.classes))]
    assert [each.pixels for each in found.classes] == [each.pixels for each in known.classes][: len(found.classes)]
    assert not any(each.pixels for each in known.classes[len(found.classes) :])
    report = check(open_dataset(shard))
    assert (report.errors, report.warnings, report.kind) == (0, 0, "records")
    assert found.unknown == report.unknown
    assert [fact.partition(":")[0] for fact in report.unknown] == [
        "class names",
        "ignore label",
        "fingerprint of the inputs",
    ]
    told = check(shard, classes=Classes(("background", "thing")))
    assert {finding.code for finding in told.findings} == {"value_outside_classes"}
    assert [fact.partition(":")[0] for fact in told.unknown] == ["fingerprint of the inputs"]


def test_raw_masks_are_instances(masks: Path, coco_records: Path, tmp_path: Path) -> None:
    known, found = stats(open_dataset(coco_records)), stats(open_dataset(masks))
    assert [(each.pixels, each.instances) for each in found.classes] == [
        (each.pixels, each.instances) for each in known.classes
    ]
    assert (found.task, found.crowds) == ("instance", known.crowds)
    report = preview(open_dataset(masks), out=tmp_path / "sheet.png", count=4)
    assert (len(report.shown), report.unknown) == (4, found.unknown)
    outside = check(masks, classes=Classes(("one", "two")))
    assert [str(finding.examples[0].what) for finding in outside.findings if finding.severity == "error"] == [
        "labels 3; expected 1 to 2"
    ]


def test_damaged_rows_are_findings(shard: Path) -> None:
    data = bytearray(shard.read_bytes())
    at = data.index(b"\xff\xd8\xff") - 8
    data[at : at + 8] = b"\xff" * 8
    shard.write_bytes(data)
    findings = check(shard).findings
    assert [(finding.code, finding.count) for finding in findings] == [("record_damaged", 1)]


def test_options_that_do_not_apply_are_refused(shard: Path, voc_records: Path, devkit: Path) -> None:
    with pytest.raises(OptionError, match="which does not take --data_root"):
        open_dataset(shard, data_root=devkit)
    with pytest.raises(OptionError, match="which does not take --image_field"):
        open_dataset(voc_records, image_field="data")
    with pytest.raises(OptionError, match="percentiles need image files"):
        open_dataset(shard, value_range=Percentiles(0, 100))
    assert open_dataset(shard, value_range=ValueRange(0, 255)).value_range == ValueRange(0, 255)
    with pytest.raises(OptionError, match="take it apart with segdata unpack first"):
        to_mindrecord(open_dataset(shard), devkit / "new")


def test_fields_are_told(shard: Path) -> None:
    assert len(open_dataset(shard, image_field="data", label_field="label")) == 10
    with pytest.raises(InvalidInputError, match="no field 'truth'"):
        open_dataset(shard, label_field="truth")
