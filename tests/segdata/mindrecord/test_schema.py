from __future__ import annotations

from typing import Any

import pytest

from segdata.errors import InvalidInputError
from segdata.mindrecord.schema import row_schema


def test_fields_are_sorted_and_split_into_blob_and_raw() -> None:
    schema = row_schema(
        {
            "width": {"type": "int32"},
            "boxes": {"type": "float32", "shape": [-1, 4]},
            "name": {"type": "string"},
            "data": {"type": "bytes"},
        }
    )
    assert list(schema.fields) == ["boxes", "data", "name", "width"]
    assert schema.blob_fields == ("boxes", "data")
    assert schema.raw_fields == ("name", "width")
    assert schema.fields["boxes"].shape == (-1, 4)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({}, "the schema has 0 fields; expected 1 to 100"),
        ({f"f{n}": {"type": "int32"} for n in range(101)}, "the schema has 101 fields"),
        ({"a-b": {"type": "int32"}}, "field 'a-b': expected a name of ASCII letters"),
        ({"é": {"type": "int32"}}, "field 'é': expected a name of ASCII letters"),
        ({"a": {"type": "uint8"}}, "field 'a': Invalid enum value 'uint8'"),
        ({"a": {}}, "field 'a': Object missing required field `type`"),
        ({"a": {"type": "int32", "shape": []}}, "field 'a': shape is []; expected one or more lengths"),
        ({"a": {"type": "int32", "shape": [0]}}, "shape is [0]"),
        ({"a": {"type": "int32", "shape": [-1, -1]}}, "shape is [-1, -1]"),
        ({"a": {"type": "int32", "shape": [-2]}}, "field 'a'"),
        ({"a": {"type": "bytes", "shape": [-1]}}, "type bytes has a shape; expected a shape for numbers only"),
        ({"a": {"type": "int32", "size": 3}}, "field 'a': unknown key 'size'; expected type and shape"),
    ],
)
def test_a_schema_that_mindspore_refuses_is_refused(fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidInputError) as error:
        row_schema(fields)
    assert sentence in str(error.value)


def test_an_unknown_field_is_named() -> None:
    with pytest.raises(InvalidInputError, match="no field 'b'; expected one of a"):
        row_schema({"a": {"type": "int32"}}).check_known(["a", "b"])
