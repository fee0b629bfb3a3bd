"""Meaning of the values of a mask: which of them are objects, of which category."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from segdata.errors import FaultsError, InvalidInputError
from segdata.labels.colormap import IGNORE
from segdata.sources.instance_masks.regions import number_parts
from segdata.sources.instance_masks.values import Values
from segdata.sources.instances import is_background
from segdata.text import plural

#: What the values of a mask are: ids of objects, one object, class ids whose connected parts are objects, or
#: Cityscapes' ids.
MaskKind = Literal["objects", "folders", "components", "cityscapes"]

#: Classes with objects in ``cityscapesscripts/helpers/labels.py``. A value of 1000 or more is 1000 times the class plus
#: a number; a group of objects has the class id alone.
CITYSCAPES = {
    24: "person",
    25: "rider",
    26: "car",
    27: "truck",
    28: "bus",
    29: "caravan",
    30: "trailer",
    31: "train",
    32: "motorcycle",
    33: "bicycle",
}
_PER_CLASS = 1000

#: What reports call pixels of no object.
VOID = "void pixels"


@dataclass(frozen=True)
class Regions:
    """The objects of a mask.

    Attributes:
        values: ``(H, W)``; equal values are one object.
        category: category of each value that is an object.
        crowds: those of these values that are groups of objects.
        left_out: number of values that are not objects, by what they are.
    """

    values: Values
    category: dict[int, str]
    crowds: frozenset[int] = frozenset()
    left_out: Counter[str] = field(default_factory=Counter)


def objects_of_one(values: Values, category: str) -> Regions:
    """Return the objects of a mask in which each value but 0 is an object of one category."""
    return Regions(values, {value: category for value in np.unique(values).tolist() if value})


def objects_by_class(values: Values, classes: Values, names: Sequence[str]) -> Regions:
    """Return the objects of a mask, as VOC's ``SegmentationObject``, whose classes are in another mask.

    Args:
        values: ``(H, W)``, the number of the object; 0 is background, 255 is void unless there are higher numbers.
        classes: ``(H, W)``, the class of each pixel; 255 is void.
        names: class names by id; 0 is background.

    Raises:
        FaultsError: when the pixels of an object have several classes, class 0 or an unknown one.
    """
    void = (values > 0) & (classes == IGNORE)
    if values.max() <= IGNORE:
        void |= values == IGNORE
    inside = (values > 0) & ~void
    found: dict[int, list[int]] = {}
    # One number for each pair sorts much faster than pairs.
    base = int(classes.max()) + 1
    for pair in np.unique(values[inside].astype(np.int64) * base + classes[inside]).tolist():
        value, id_ = divmod(pair, base)
        found.setdefault(value, []).append(id_)
    faults = [
        f"object {value} has class {', '.join(map(str, ids))}; expected one of 1 to {len(names) - 1}"
        for value, ids in found.items()
        if len(ids) > 1 or not 0 < ids[0] < len(names)
    ]
    if faults:
        raise FaultsError(f"{plural(len(faults), 'object')} without one class", faults)
    left_out = Counter({VOID: int(np.count_nonzero(void))})
    return Regions(np.where(void, 0, values), {value: names[ids[0]] for value, ids in found.items()}, left_out=left_out)


def connected_objects(values: Values, names: Sequence[str]) -> Regions:
    """Return the connected parts of an index mask: class ids, 0 is background and 255 is void.

    Raises:
        InvalidInputError: when a class has no name.
    """
    unknown = [id_ for id_ in np.unique(values).tolist() if id_ >= len(names) and id_ != IGNORE]
    if unknown:
        raise InvalidInputError(
            f"has class {unknown[0]}; expected 0 to {len(names) - 1} or {IGNORE}. Name all classes with --class_names.",
            "value_outside_classes",
        )
    parts, class_of = number_parts(values, IGNORE)
    left_out = Counter({VOID: int(np.count_nonzero(values == IGNORE))})
    if not is_background(names[0]):
        left_out[f"pixels of class 0 ({names[0]})"] = int(np.count_nonzero(values == 0))
    return Regions(parts, {part: names[id_] for part, id_ in enumerate(class_of, start=1)}, left_out=left_out)


def cityscapes_objects(values: Values) -> Regions:
    """Return the objects of Cityscapes' ``instanceIds``; groups are crowds.

    Raises:
        InvalidInputError: when an object has a class without objects.
    """
    category: dict[int, str] = {}
    for value in np.unique(values).tolist():
        class_id = value // _PER_CLASS if value >= _PER_CLASS else value
        if class_id in CITYSCAPES:
            category[value] = CITYSCAPES[class_id]
        elif value >= _PER_CLASS:
            raise InvalidInputError(
                f"has value {value}, an object of class {class_id}; expected {min(CITYSCAPES)} to {max(CITYSCAPES)}",
                "value_outside_classes",
            )
    return Regions(values, category, frozenset(value for value in category if value < _PER_CLASS))
