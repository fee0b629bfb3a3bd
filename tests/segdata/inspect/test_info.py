from __future__ import annotations

from pathlib import Path

import pytest

from segdata.errors import InvalidInputError
from segdata.inspect.info import CategoryInfo, SetInfo, SourceInfo, info
from segdata.records.manifest import MANIFEST
from segdata.records.manifest_file import read_manifest


def test_a_record_set_is_its_manifest(voc_records: Path) -> None:
    expected = SetInfo(str(voc_records), read_manifest(voc_records / MANIFEST))
    assert info(voc_records) == info(voc_records / "voc_train.mindrecord1") == expected


def test_a_list_is_counted(devkit: Path) -> None:
    path = devkit / "voc_train_lst.txt"
    assert info(path) == SourceInfo(str(path), "list", "semantic", 10)


def test_a_json_is_counted(coco: Path) -> None:
    found = info(coco / "annotations" / "instances.json")
    assert isinstance(found, SourceInfo)
    assert (found.samples, found.annotations, found.without_annotations) == (12, 20, 1)
    assert sum(each.annotations for each in found.categories) == 20
    assert isinstance(found.categories[0], CategoryInfo)


def test_what_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="no record set"):
        info(tmp_path)
