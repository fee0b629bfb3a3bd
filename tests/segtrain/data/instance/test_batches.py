from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
from drawn_instances import miniature, rectangle

from segdata.errors import InvalidInputError
from segdata.records.reader import RecordSet, open_set, read_rows
from segdata.records.schema import Row
from segtrain.config.config import Config
from segtrain.config.mask_rcnn import MaskRcnn
from segtrain.config.recipes import override, recipe
from segtrain.data.instance.batches import Batch, eval_batches, instance_batches
from segtrain.data.instance.samples import eval_samples
from segtrain.distributed.ranks import Ranks
from segtrain.inference.instance.paste import paste_mask

SETTINGS = MaskRcnn(image_height=64, image_width=96, max_instances=4, mask_crop_size=28)
CONFIG = override(
    recipe("deeplabv3plus_cpu"), {"batch_size": 2, "workers": 1, "image_mean": (0, 0, 0), "image_std": (1, 1, 1)}
)


@pytest.fixture(scope="module")
def coco(tmp_path_factory: pytest.TempPathFactory) -> RecordSet:
    return miniature(tmp_path_factory.mktemp("coco"))


def _epoch(records: RecordSet, config: Config = CONFIG, **options: object) -> list[Batch]:
    settings = msgspec.structs.replace(SETTINGS, expand=bool(options.pop("expand", False)))
    every = {"rows": range(records.manifest.rows), "epoch": 0}
    batches = instance_batches(records, config, settings, **{**every, **options})  # type: ignore[arg-type]
    return [Batch(*(column.asnumpy() for column in batch)) for batch in batches]


def _equal(first: list[Batch], second: list[Batch]) -> bool:
    return len(first) == len(second) and all(
        (one == other).all() for a, b in zip(first, second, strict=True) for one, other in zip(a, b, strict=True)
    )


def _row(records: RecordSet, wanted: int, **options: object) -> Batch:
    """Return the `wanted`-th row of the set as a batch without its first axis."""
    order = np.random.default_rng([CONFIG.seed, options.get("epoch", 0)]).permutation(records.manifest.rows)  # type: ignore[list-item]
    batches = _epoch(records, override(CONFIG, {"batch_size": 1}), **options)
    return Batch(*(column[0] for column in batches[order.tolist().index(wanted)]))


def test_batches_have_static_shapes_and_types(coco: RecordSet) -> None:
    batches = _epoch(coco)
    assert len(batches) == 3
    for batch in batches:
        assert [(column.shape, column.dtype) for column in batch] == [
            ((2, 3, 64, 96), np.float32),
            ((2, 2), np.float32),
            ((2, 4, 4), np.float32),
            ((2, 4), np.int32),
            ((2, 4), np.int32),
            ((2, 4, 28, 28), np.float32),
        ]


def test_rows_that_are_not_used_are_zero_and_boxes_are_in_the_content(coco: RecordSet) -> None:
    for batch in _epoch(coco, expand=True):
        unused = batch.labels == 0
        assert not batch.boxes[unused].any() and not batch.crowd[unused].any() and not batch.masks[unused].any()
        x1, y1, x2, y2 = np.moveaxis(batch.boxes, -1, 0)
        height, width = batch.sizes.T[..., None]
        assert ((x1 >= 0) & (x1 < x2) & (x2 <= width))[~unused].all()
        assert ((y1 >= 0) & (y1 < y2) & (y2 <= height))[~unused].all()
        for planes, (height, width) in zip(batch.images, batch.sizes.astype(int), strict=True):
            assert not planes[:, height:].any() and not planes[..., width:].any()


@pytest.mark.parametrize("epoch", range(6))
def test_image_box_and_mask_of_an_object_stay_together(crowded: RecordSet, epoch: int) -> None:
    batch = _row(crowded, 0, epoch=epoch, expand=True)
    assert batch.labels.tolist() == [2, 0, 0, 0]  # the categories by their original ids: square, bar, dot
    seen, pasted = batch.images[0] > 127, paste_mask(batch.masks[0], batch.boxes[0], 64, 96)
    assert (seen & (pasted > 0)).sum() / (seen | (pasted > 0)).sum() > 0.8


def test_crowd_regions_are_rows_with_a_mark(crowded: RecordSet) -> None:
    batch = _row(crowded, 1)
    assert (batch.labels.tolist(), batch.crowd.tolist()) == ([3, 3, 0, 0], [0, 1, 0, 0])
    assert np.allclose(batch.boxes[1], (0, 0, 96, 32))


def test_of_too_many_instances_the_largest_are_kept(crowded: RecordSet) -> None:
    areas = (batch := _row(crowded, 2)).boxes[:, 2:] - batch.boxes[:, :2]
    assert np.allclose(areas[:, 0], 1.6 * np.array([6, 5, 4, 7]))


def test_an_epoch_has_each_of_the_chosen_rows_once_and_no_other(crowded: RecordSet) -> None:
    one_each = override(CONFIG, {"batch_size": 1})
    bar, squares = (_row(crowded, row).labels.tolist() for row in (0, 2))
    for epoch in range(3):
        found = [batch.labels[0].tolist() for batch in _epoch(crowded, one_each, rows=[0, 2], epoch=epoch)]
        assert sorted(found) == sorted([bar, squares])


def test_an_image_looks_the_same_whichever_other_rows_are_chosen(crowded: RecordSet) -> None:
    whole = _row(crowded, 2, expand=True)
    (alone,) = _epoch(crowded, override(CONFIG, {"batch_size": 1}), rows=[2], expand=True)
    assert all((one == other[0]).all() for one, other in zip(whole, alone, strict=True))


def test_batches_depend_on_seed_and_epoch_but_not_on_workers(coco: RecordSet) -> None:
    first = _epoch(coco, expand=True)
    assert _equal(first, _epoch(coco, override(CONFIG, {"workers": 2}), expand=True))
    assert not _equal(first, _epoch(coco, expand=True, epoch=1))
    assert not _equal(first, _epoch(coco, override(CONFIG, {"seed": 5}), expand=True))


def test_an_epoch_entered_in_its_middle_has_the_same_batches(coco: RecordSet) -> None:
    assert _equal(_epoch(coco, epoch=2, first_step=1), _epoch(coco, epoch=2)[1:])


def test_ranks_have_parts_of_the_batch_of_one_process(coco: RecordSet) -> None:
    whole = _epoch(coco, override(CONFIG, {"batch_size": 4}))
    parts = [_epoch(coco, ranks=Ranks(rank, 2)) for rank in (0, 1)]
    joined = [Batch(*map(np.concatenate, zip(*pair, strict=True))) for pair in zip(*parts, strict=True)]
    assert _equal(whole, joined)


def test_fewer_rows_than_a_batch_are_an_error(crowded: RecordSet) -> None:
    with pytest.raises(InvalidInputError, match="batch_size = 5: 4 rows cannot fill one batch; expected 4 or less"):
        _epoch(crowded, override(CONFIG, {"batch_size": 5}))


def test_the_loss_of_an_evaluation_sees_the_images_with_an_object_where_the_scores_do(crowded: RecordSet) -> None:
    region = rectangle((40, 60), 0, 0, 60, 20)
    samples = list(eval_samples(crowded, CONFIG, SETTINGS))
    found = dict(eval_batches(crowded, override(CONFIG, {"workers": 2}), SETTINGS))
    assert list(found) == [0, 1, 2]
    for row, batch in found.items():
        assert (batch.images[0] == samples[row].planes).all()
        assert batch.sizes.tolist() == [list(samples[row].content)]
    assert np.allclose(found[0].boxes[0, 0], 1.6 * np.array([10, 5, 50, 15]))
    assert found[1].crowd.tolist() == [[0, 1, 0, 0]]
    assert np.allclose(found[1].boxes[0, 1, 3], 1.6 * region.any(1).sum())
    shares = [[row for row, _ in eval_batches(crowded, CONFIG, SETTINGS, Ranks(rank, 2))] for rank in (0, 1)]
    assert shares == [[0, 2], [1]]


def test_a_semantic_set_is_refused(make_set: Callable[..., Path]) -> None:
    records = open_set(make_set([(np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8), np.uint8))]))
    for use in (_epoch, lambda records: list(eval_samples(records, CONFIG, SETTINGS))):
        with pytest.raises(InvalidInputError, match="set: is for semantic segmentation; expected instance segm"):
            use(records)


def test_a_label_of_no_class_is_named(coco: RecordSet) -> None:
    manifest = dataclasses.replace(coco.manifest, classes=coco.manifest.classes[:1])
    with pytest.raises(InvalidInputError, match=r"0000.*\.jpg: an instance has label [23]; expected 1 to 1"):
        _epoch(dataclasses.replace(coco, manifest=manifest))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"data": b"no image"}, "not a readable image"),
        ({"width": 61}, "the image is 60 x 40 pixels, but its row says 61 x 40; expected the same size"),
        ({"masks": b"\x91\xc4\x011"}, "RLE covers"),
        (
            {"boxes": np.array([[5, 5, 5, 9]], np.float32)},
            r"an instance has box \[5.0, 5.0, 5.0, 9.0\]; expected x1 < x2",
        ),
    ],
)
def test_a_damaged_row_is_named(crowded: RecordSet, monkeypatch: pytest.MonkeyPatch, change: Row, problem: str) -> None:
    def read_damaged(*args: object, **options: object) -> list[Row]:
        bar = next(iter(read_rows(crowded, rows=[0])))
        return [{**bar, **change}] * 4

    monkeypatch.setattr("segtrain.data.instance.batches.read_rows", read_damaged)
    with pytest.raises(InvalidInputError, match=rf"1\.png: .*{problem}"):
        _epoch(crowded)
