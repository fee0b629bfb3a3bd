"""The schema of a MindRecord file: the fields of a row, their types, and where in the file each is stored.

Types and rules are those of MindSpore's ``FileWriter.add_schema`` and of ``shard_schema.cc``: a field with a shape, or
of type ``bytes``, is stored in a blob page; every other field is a scalar, stored in a raw page.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
import numpy.typing as npt

from segdata.errors import InvalidInputError

FieldType = Literal["bytes", "float32", "float64", "int32", "int64", "string"]

#: Limit of fields in MindSpore's reader (``kMaxFieldCount``).
FIELDS_MAX = 100

_NAME = re.compile(r"[0-9A-Za-z_]+")


class FieldForm(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Type of a field and, for an array, its shape, in which one length may be -1 (any)."""

    # MindSpore writes keys in alphabetical order.
    shape: tuple[Annotated[int, msgspec.Meta(ge=-1, le=2**31 - 1)], ...] | None = None
    type: FieldType

    @property
    def in_blob(self) -> bool:
        """Whether the field is stored in a blob page."""
        return self.type == "bytes" or self.shape is not None

    @property
    def packed(self) -> bool:
        """Whether the field is an array of integers, which files of version 3.0 pack."""
        return self.shape is not None and self.type in ("int32", "int64")

    @property
    def dtype(self) -> npt.DTypeLike:
        """Data type of an array in the file: little-endian."""
        return np.dtype(self.type).newbyteorder("<")

    def fault(self) -> str | None:
        """Return what is wrong with the shape, or ``None``."""
        if self.shape is None:
            return None
        if self.type in ("bytes", "string"):
            return f"type {self.type} has a shape; expected a shape for numbers only"
        if not self.shape or 0 in self.shape or self.shape.count(-1) > 1:
            return f"shape is {list(self.shape)}; expected one or more lengths from 1 up, of which one may be -1"
        return None


@dataclass(frozen=True)
class RowSchema:
    """The fields of a row, by name in alphabetical order, and a description in words.

    Make one with `row_schema`.
    """

    fields: dict[str, FieldForm]
    description: str = ""

    @cached_property
    def blob_fields(self) -> tuple[str, ...]:
        """Names of the fields in blob pages: bytes and arrays."""
        return tuple(name for name, form in self.fields.items() if form.in_blob)

    @cached_property
    def raw_fields(self) -> tuple[str, ...]:
        """Names of the fields in raw pages: numbers and strings."""
        return tuple(name for name, form in self.fields.items() if not form.in_blob)

    def check_known(self, names: Sequence[str]) -> None:
        """Check that every name is a field.

        Raises:
            InvalidInputError: when one is not.
        """
        if unknown := [name for name in names if name not in self.fields]:
            raise InvalidInputError(f"no field {unknown[0]!r}; expected one of {', '.join(self.fields)}")


def row_schema(fields: Mapping[str, Mapping[str, Any]], description: str = "") -> RowSchema:
    """Return the schema with these fields, in the notation of ``FileWriter.add_schema``.

    >>> row_schema({"label": {"type": "int32", "shape": [-1]}, "file_name": {"type": "string"}}).blob_fields
    ('label',)

    Args:
        fields: type and, for arrays, shape of each field. Names consist of ASCII letters, digits and underscores.
        description: any text; MindRecord stores it in every shard.

    Raises:
        InvalidInputError: when a name, type or shape is not valid.
    """
    if not 1 <= len(fields) <= FIELDS_MAX:
        raise InvalidInputError(f"the schema has {len(fields)} fields; expected 1 to {FIELDS_MAX}")
    forms: dict[str, FieldForm] = {}
    for name, content in sorted(fields.items()):
        if not _NAME.fullmatch(name):
            raise InvalidInputError(f"field {name!r}: expected a name of ASCII letters, digits and underscores")
        try:
            forms[name] = form = msgspec.convert(dict(content), FieldForm, strict=True)
        except msgspec.ValidationError as error:
            raise InvalidInputError(f"field {name!r}: {error}") from error
        surplus = sorted(set(content) - {"type", "shape"})
        if fault := form.fault() or (f"unknown key {surplus[0]!r}; expected type and shape" if surplus else None):
            raise InvalidInputError(f"field {name!r}: {fault}")
    return RowSchema(forms, description)
