"""MindRecord files without a manifest: which set a path names, and what its fields mean."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from foreign_sets import MASK_RCNN, write_foreign, zoo_rows

from segdata.errors import InvalidInputError, OptionError
from segdata.mindrecord.schema import row_schema
from segdata.records.fields import FieldNames, find_fields
from segdata.records.foreign import is_foreign, open_foreign, open_shards
from segdata.records.manifest import MANIFEST
from segdata.records.reader import open_set
from segdata.records.schema import INSTANCE, SEMANTIC

BYTES, NUMBER = {"type": "bytes"}, {"type": "int64"}


@pytest.fixture
def shard(voc_records: Path, tmp_path: Path) -> Path:
    return write_foreign(tmp_path / "zoo", zoo_rows(voc_records))


@pytest.mark.parametrize("name", ["", "voc.mindrecord0", "voc.mindrecord1", "voc.mindrecord0.db"])
def test_directory_and_all_files_name_the_set(shard: Path, name: str) -> None:
    assert is_foreign(shard.parent / name)
    assert len(open_foreign(shard.parent / name)) == 10


def test_a_set_with_a_manifest_is_ours_but_a_set_beside_it_is_foreign(
    record_set: Path, voc_records: Path, tmp_path: Path
) -> None:
    for path in (record_set, record_set / MANIFEST, record_set / "train.mindrecord2", record_set / "missing"):
        assert not is_foreign(path)
    assert is_foreign(write_foreign(record_set, zoo_rows(voc_records), name="other.mindrecord"))
    (tmp_path / "empty").mkdir()
    assert not is_foreign(tmp_path / "empty")


@pytest.mark.parametrize("name", ["nowhere", "set.mindrecord0", "set.mindrecord0.db"])
def test_a_path_that_does_not_exist_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidInputError, match=f"{name.removesuffix('.db')}: does not exist"):
        open_shards(tmp_path / name)


def test_a_set_without_rows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="has no rows"):
        open_foreign(write_foreign(tmp_path, []))


@pytest.mark.parametrize(
    ("schema", "form"),
    [
        (SEMANTIC, FieldNames("semantic", "data", "label", "file_name")),
        ({"data": BYTES, "label": BYTES}, FieldNames("semantic", "data", "label", None)),
        (INSTANCE, FieldNames("instance", "data", "labels", "file_name")),
        (MASK_RCNN, FieldNames("mask_rcnn", "image", "annotation", None)),
        ({**MASK_RCNN, "file_name": {"type": "string"}}, FieldNames("mask_rcnn", "image", "annotation", "file_name")),
    ],
)
def test_known_forms(schema: dict[str, Any], form: FieldNames) -> None:
    assert find_fields(row_schema(schema)) == form


@pytest.mark.parametrize(
    ("schema", "told", "kind", "sentence"),
    [
        ({"data": BYTES, "label": NUMBER}, (None, None), InvalidInputError, "'label' is int64; expected bytes"),
        ({"x": BYTES, "y": BYTES}, ("x", None), InvalidInputError, "no field 'label'.*--label_field"),
        ({"x": BYTES, "y": BYTES}, ("z", "y"), OptionError, r"no field 'z'.*x \(bytes\), y \(bytes\)"),
        ({"x": BYTES, "y": BYTES}, ("x", "x"), OptionError, "cannot be both"),
    ],
)
def test_other_fields_are_refused(
    schema: dict[str, Any], told: tuple[str | None, str | None], kind: type[Exception], sentence: str
) -> None:
    with pytest.raises(InvalidInputError, match=sentence) as error:
        find_fields(row_schema(schema), *told)
    assert type(error.value) is kind


def test_instances_whose_fields_contradict_each_other_are_refused(coco_records: Path, tmp_path: Path) -> None:
    rows = list(open_set(coco_records))
    full = next(number for number, row in enumerate(rows) if len(row["labels"]))
    rows[full]["labels"] = rows[full]["labels"][1:]
    other = 0 if full else 1
    rows[other]["masks"] = b"\xc1"
    found = open_foreign(write_foreign(tmp_path, rows, INSTANCE))
    with pytest.raises(InvalidInputError, match=f"row {full}: field 'labels' has"):
        found[full]
    with pytest.raises(InvalidInputError, match="field 'masks' cannot be read"):
        found[other]
