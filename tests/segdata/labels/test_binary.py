from __future__ import annotations

from segdata.errors import Fault
from segdata.labels.binary import BinaryLabels
from segdata.labels.classes import Classes

TWO = Classes(("ground", "road"))


def faults(classes: Classes, *labels: set[int]) -> list[Fault]:
    """Return the faults of labels, named by their number."""
    search = BinaryLabels(classes)
    for number, values in enumerate(labels):
        search.add(str(number), values)
    return list(search.faults())


def test_masks_of_black_and_white_among_class_ids_are_named() -> None:
    what = "the label contains only 0 and 255, others contain classes, and none has 255 beside a class"
    found = [Fault("binary_among_classes", name, what) for name in ("1", "3")]
    assert faults(TWO, {0, 1}, {0, 255}, {0}, {0, 255}, {255}) == found


def test_white_is_ignored_where_a_label_has_it_beside_a_class() -> None:
    assert faults(TWO, {0, 1}, {0, 255}, {1, 255}) == []


def test_a_set_of_one_encoding_passes() -> None:
    assert faults(TWO, {0, 255}, {0, 255}) == []
    assert faults(TWO, {0, 1}, {1}, {0}) == []
    assert faults(Classes(("ground", "road"), ignore_label=100), {0, 1}, {0, 255}) == []
