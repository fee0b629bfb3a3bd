"""Mask R-CNN trains on the images that have instances, and on nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from drawn_instances import Object, drawn, rectangle

from segdata.records.reader import RecordSet
from segtrain.config.config import Config
from segtrain.config.mask_rcnn import MaskRcnn
from segtrain.config.recipes import override, recipe
from segtrain.data.instance.samples import eval_samples
from segtrain.distributed.ranks import ALONE, Ranks
from segtrain.tasks import instance

OBJECT: list[Object] = [(rectangle((40, 60), 5, 5, 30, 20), 3, False)]
CROWD: list[Object] = [(rectangle((40, 60), 5, 5, 30, 20), 3, True)]
NOTHING: list[Object] = []


@pytest.fixture(scope="module")
def config() -> Config:
    settings = ["mask_rcnn.image_height=64", "mask_rcnn.image_width=96", "mask_rcnn.max_instances=2"]
    flags = {"seed": 1, "batch_size": 1, "workers": 1, "image_mean": (0, 0, 0), "image_std": (1, 1, 1)}
    return override(recipe("mask_rcnn_cpu"), {**flags, "num_classes": 4}, [*settings, "mask_rcnn.mask_crop_size=8"])


def _set(directory: Path, rows: list[list[Object]]) -> RecordSet:
    """Write a record set with these objects; all pixels of an image have the number of its row."""
    return drawn(directory, [(np.full((40, 60, 3), row, np.uint8), objects) for row, objects in enumerate(rows)])


def _rows(records: RecordSet, config: Config, *, epoch: int = 0, ranks: Ranks = ALONE) -> list[int]:
    """Return the rows that an epoch trains on, in order, as seen in the batches."""
    batches = instance.training_set(records, config).batches(epoch=epoch, first_step=0, ranks=ranks)
    return [int(image.max()) for images, *_ in batches for image in images.asnumpy()]


def test_every_epoch_has_the_images_with_instances_and_no_other(tmp_path: Path, config: Config) -> None:
    records = _set(tmp_path, [NOTHING, OBJECT, CROWD, OBJECT + CROWD, NOTHING, OBJECT])
    assert instance.training_set(records, config).rows == 3
    assert [sorted(_rows(records, config, epoch=epoch)) for epoch in range(4)] == [[1, 3, 5]] * 4
    assert len({tuple(_rows(records, config, epoch=epoch)) for epoch in range(4)}) > 1


def test_evaluation_has_every_image(tmp_path: Path, config: Config) -> None:
    records = _set(tmp_path, [NOTHING, OBJECT, CROWD, OBJECT])
    samples = eval_samples(records, config, config.model_as(MaskRcnn))
    assert [int(sample.image.max()) for sample in samples] == [0, 1, 2, 3]


def test_all_ranks_leave_out_the_same_images(tmp_path: Path, config: Config) -> None:
    records = _set(tmp_path, [OBJECT, NOTHING, OBJECT, OBJECT, CROWD, OBJECT])
    parts = [_rows(records, config, epoch=1, ranks=Ranks(rank, 2)) for rank in (0, 1)]
    assert np.transpose(parts).ravel().tolist() == _rows(records, config, epoch=1)


def test_what_is_left_out_is_said_in_one_sentence_for_each_reason(tmp_path: Path, config: Config) -> None:
    records = _set(tmp_path, [OBJECT * 5, NOTHING, CROWD, NOTHING, OBJECT])
    assert instance.training_set(records, config).left_out == (
        "left out 2 of 5 images, which have no instances",
        "left out 1 of 5 images, which has only crowd regions",
        "left out 3 instances in 1 image: the smallest ones where an image has more than mask_rcnn.max_instances = 2",
    )


@pytest.mark.parametrize(("epoch", "order"), [(0, [5, 0, 1, 4, 2, 6, 3]), (1, [6, 1, 4, 0, 3, 2, 5])])
def test_a_set_in_which_every_image_has_instances_trains_as_it_always_did(
    tmp_path: Path, config: Config, epoch: int, order: list[int]
) -> None:
    """The orders are those from before any row was left out."""
    records = _set(tmp_path, [OBJECT] * 7)
    training_set = instance.training_set(records, config)
    assert (training_set.rows, training_set.left_out) == (7, ())
    assert _rows(records, config, epoch=epoch) == order


def test_images_without_instances_at_the_end_of_a_set_change_no_batch(tmp_path: Path, config: Config) -> None:
    without, with_empty = _set(tmp_path / "a", [OBJECT] * 4), _set(tmp_path / "b", [OBJECT] * 4 + [NOTHING] * 3)
    epochs = [
        list(instance.training_set(records, config).batches(epoch=2, first_step=0, ranks=ALONE))
        for records in (without, with_empty)
    ]
    assert len(epochs[0]) == 4
    for one, other in zip(*epochs, strict=True):
        assert all((column.asnumpy() == again.asnumpy()).all() for column, again in zip(one, other, strict=True))
