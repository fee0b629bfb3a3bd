"""Meaning of the fields of a record set that another program wrote."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from segdata.errors import InvalidInputError, OptionError
from segdata.mindrecord.schema import FieldForm, RowSchema
from segdata.records.mask_rcnn import MASK_RCNN
from segdata.records.schema import ROW_SCHEMAS, TaskName

#: The forms of rows that are known: encoded image and index PNG; our instances; those of the model zoo's Mask R-CNN.
RowForm = Literal["semantic", "instance", "mask_rcnn"]

_NAME = "file_name"


@dataclass(frozen=True)
class FieldNames:
    """Names of the fields that make a sample.

    Attributes:
        form: the form of the rows.
        image: field of the encoded image.
        label: field of the index PNG, or of the labels of the instances.
        name: field of the image's path; None if rows have none.
    """

    form: RowForm
    image: str
    label: str
    name: str | None

    @property
    def task(self) -> TaskName:
        """The task that the rows are for."""
        return "semantic" if self.form == "semantic" else "instance"


def find_fields(schema: RowSchema, image_field: str | None = None, label_field: str | None = None) -> FieldNames:
    """Return what the fields of a schema mean: those that are told, or those of segdata and of the model zoo.

    Raises:
        InvalidInputError: when there is no field of encoded images or of labels; names all fields.
    """
    name = _NAME if schema.fields.get(_NAME) == FieldForm(type="string") else None
    if not image_field and not label_field:
        if _has_all(schema, ROW_SCHEMAS["instance"]):
            return FieldNames("instance", "data", "labels", name)
        if _has_all(schema, MASK_RCNN):
            return FieldNames("mask_rcnn", "image", "annotation", name)
    image = _bytes_field(schema, image_field, "data", "an encoded image", "--image_field")
    label = _bytes_field(schema, label_field, "label", "an index PNG", "--label_field")
    if image == label:
        raise OptionError(f"field {image!r} cannot be both image and label; expected two fields")
    return FieldNames("semantic", image, label, name)


def _has_all(schema: RowSchema, wanted: RowSchema) -> bool:
    return all(schema.fields.get(name) == form for name, form in wanted.fields.items())


def _bytes_field(schema: RowSchema, told: str | None, usual: str, what: str, option: str) -> str:
    name = told or usual
    form = schema.fields.get(name)
    if form and form.type == "bytes":
        return name
    found = f"field {name!r} is {describe_form(form)}; expected bytes" if form else f"no field {name!r}"
    message = f"{found} with {what}. Its fields are {describe_fields(schema)}; name one with {option}."
    raise OptionError(message) if told else InvalidInputError(message)


def describe_form(form: FieldForm) -> str:
    """Return the type of a field with the shape of an array.

    >>> describe_form(FieldForm(type="int32", shape=(-1, 6)))
    'int32 [-1, 6]'
    """
    return form.type if form.shape is None else f"{form.type} {list(form.shape)}"


def describe_fields(schema: RowSchema) -> str:
    """Return the names of all fields with their types."""
    return ", ".join(f"{name} ({describe_form(form)})" for name, form in schema.fields.items())
