from __future__ import annotations

from pathlib import Path

import pytest
from foreign_sets import MASK_RCNN, mask_rcnn_rows, write_foreign, zoo_rows

from segdata.errors import OptionError
from segdata.inspect.foreign_info import ForeignInfo
from segdata.inspect.info import info


def test_a_set_without_a_manifest_shows_fields_shards_and_first_rows(voc_records: Path, tmp_path: Path) -> None:
    rows = zoo_rows(voc_records)
    found = info(write_foreign(tmp_path, rows))
    assert isinstance(found, ForeignInfo)
    assert (found.name, found.task, found.rows, found.version) == ("voc", "semantic", 10, "3.0")
    assert [(field.name, field.type, field.role) for field in found.fields] == [
        ("data", "bytes", "image"),
        ("file_name", "string", "name"),
        ("label", "bytes", "label"),
    ]
    assert [(shard.file, shard.rows) for shard in found.shards] == [("voc.mindrecord0", 5), ("voc.mindrecord1", 5)]
    assert [row["file_name"] for row in found.first] == [row["file_name"] for row in rows[:3]]
    assert found.first[0]["data"].startswith("JPEG, ") and found.first[0]["label"].startswith("PNG, ")
    assert [fact.partition(":")[0] for fact in found.unknown] == [
        "class names",
        "ignore label",
        "fingerprint of the inputs",
    ]


def test_large_arrays_are_described(coco_records: Path, tmp_path: Path) -> None:
    found = info(write_foreign(tmp_path, mask_rcnn_rows(coco_records), MASK_RCNN))
    assert isinstance(found, ForeignInfo)
    assert (found.task, found.fields[0].type) == ("instance", "int32 [-1, 6]")
    assert "image names: images are numbered by row" in found.unknown


def test_fields_without_labels_are_shown_all_the_same(tmp_path: Path) -> None:
    schema = {"data": {"type": "bytes"}, "label": {"type": "int64"}}
    shard = write_foreign(tmp_path, [{"data": b"x" * 9, "label": 7}], schema, shards=1)
    found = info(shard)
    assert isinstance(found, ForeignInfo)
    assert (found.task, found.first) == (None, ({"data": "9 bytes", "label": 7},))
    assert "field 'label' is int64" in found.unknown[0]
    with pytest.raises(OptionError, match="no field 'x'"):
        info(shard, image_field="x")
