"""The evaluation loss is a mean over images with objects; of what, the tests of the network say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from drawn_instances import Object, drawn, rectangle

from segdata.records.reader import RecordSet
from segtrain.config.recipes import override, recipe
from segtrain.data.instance.batches import Batch
from segtrain.distributed.ranks import Ranks
from segtrain.evaluation.instance.loss import mean_loss

CONFIG = override(
    recipe("mask_rcnn_cpu"), {"image_height": 64, "image_width": 96, "max_instances": 4, "mask_crop_size": 8}
)
OBJECT: Object = (rectangle((40, 60), 5, 5, 30, 20), 3, False)
CROWD: Object = (rectangle((40, 60), 5, 5, 30, 20), 3, True)


def _objects(batch: Batch) -> float:
    return float((batch.labels > 0).sum()) / 3


def _set(directory: Path, rows: list[list[Object]]) -> RecordSet:
    return drawn(directory, [(np.zeros((40, 60, 3), np.uint8), objects) for objects in rows])


@pytest.fixture
def records(tmp_path: Path) -> RecordSet:
    return _set(tmp_path, [[OBJECT], [], [OBJECT] * 2, [CROWD], [OBJECT] * 3])


def test_it_is_the_mean_over_the_images_with_an_object(records: RecordSet) -> None:
    assert mean_loss(_objects, records, CONFIG) == pytest.approx((1 + 2 + 3) / 3 / 3)


def test_it_is_the_same_for_any_number_of_processes(records: RecordSet) -> None:
    parts: list[npt.NDArray[np.int64]] = []

    class Both(Ranks):
        """One of two, which leaves its part here, and adds to it what is there."""

        def sum(self, counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
            parts.append(counts)
            return np.sum(parts, 0)

    mean_loss(_objects, records, CONFIG, ranks=Both(1, 2))
    assert mean_loss(_objects, records, CONFIG, ranks=Both(0, 2)) == mean_loss(_objects, records, CONFIG)


def test_a_loss_that_is_not_a_number_is_not_lost(records: RecordSet) -> None:
    found = mean_loss(lambda batch: float("nan"), records, CONFIG)
    assert found is not None and np.isnan(found)


def test_without_objects_there_is_no_loss(tmp_path: Path) -> None:
    assert mean_loss(_objects, _set(tmp_path, [[], [CROWD]]), CONFIG) is None
