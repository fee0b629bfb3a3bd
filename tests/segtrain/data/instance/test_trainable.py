from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from drawn_instances import Object, drawn, rectangle

from segdata.errors import InvalidInputError
from segdata.records.reader import RecordSet, open_set
from segtrain.data.instance.trainable import TrainableRows, trainable_rows

BLACK = np.zeros((40, 60, 3), np.uint8)


def _objects(count: int, *, crowd: bool = False) -> list[Object]:
    return [(rectangle((40, 60), 8 * n, 3, 8 * n + 5, 9), 3, crowd) for n in range(count)]


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> RecordSet:
    """Rows with nothing, with objects, with crowd regions alone, and with both."""
    contents = [[], _objects(1), _objects(2, crowd=True), _objects(5), [], _objects(1) + _objects(2, crowd=True), []]
    return drawn(tmp_path_factory.mktemp("mixed"), [(BLACK, objects) for objects in contents])


def test_rows_with_an_instance_beside_crowd_regions_are_trained_on(mixed: RecordSet) -> None:
    assert trainable_rows(mixed, 9) == TrainableRows(rows=(1, 3, 5), empty=3, crowd_only=1, crowded=0, excess=0)


def test_instances_without_room_are_counted_in_the_rows_that_are_trained_on(mixed: RecordSet) -> None:
    assert trainable_rows(mixed, 4) == TrainableRows(rows=(1, 3, 5), empty=3, crowd_only=1, crowded=1, excess=1)
    # One instance in row 1, five in row 3, three in row 5, and nothing of the crowd regions in row 2.
    assert trainable_rows(mixed, 1) == TrainableRows(rows=(1, 3, 5), empty=3, crowd_only=1, crowded=2, excess=6)


@pytest.mark.parametrize("objects", [[], _objects(2, crowd=True)], ids=["nothing", "crowd regions"])
def test_a_set_without_an_instance_is_refused(tmp_path: Path, objects: list[Object]) -> None:
    records = drawn(tmp_path, [(BLACK, objects)] * 2)
    with pytest.raises(InvalidInputError) as caught:
        trainable_rows(records, 4)
    assert str(caught.value) == (
        "record set set: has no instances; expected at least one to train on. Crowd regions do not count; segdata "
        "stats shows the classes of its instances."
    )


def test_a_semantic_set_is_refused(make_set: Callable[..., Path]) -> None:
    records = open_set(make_set([(np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8), np.uint8))]))
    with pytest.raises(InvalidInputError, match="record set set: is for semantic segmentation; expected instance segm"):
        trainable_rows(records, 4)
