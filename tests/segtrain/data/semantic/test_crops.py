from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from segdata.errors import InvalidInputError
from segdata.records.manifest_file import read_manifest, write_manifest
from segdata.records.reader import open_set
from segtrain.config.config import Config
from segtrain.config.networks import DeepLab
from segtrain.config.recipes import override
from segtrain.data.rows import steps_per_epoch
from segtrain.data.semantic.crops import crop_batches, decode_sample, list_samples, record_samples

if TYPE_CHECKING:
    from tests.segtrain.conftest import Miniature, Rows


def _epoch(path: Path, config: Config, epoch: int = 0, first_step: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
    batches = crop_batches(open_set(path), config, config.model_as(DeepLab), epoch=epoch, first_step=first_step)
    return [(images.asnumpy(), labels.asnumpy()) for images, labels in batches]


def _numbered(count: int) -> Rows:
    """Return rows that can be distinguished: image and label of row ``i`` are ``i`` everywhere."""
    return [(np.full((40, 40, 3), index, np.uint8), np.full((40, 40), index, np.uint8)) for index in range(count)]


def _equal(first: list[tuple[np.ndarray, np.ndarray]], second: list[tuple[np.ndarray, np.ndarray]]) -> bool:
    return len(first) == len(second) and all(
        (one == other).all() for a, b in zip(first, second, strict=True) for one, other in zip(a, b, strict=True)
    )


def test_batches_have_static_shapes_and_leave_out_what_does_not_fill_one(miniature: Miniature, small: Config) -> None:
    batches = _epoch(miniature.train, small)
    assert len(batches) == steps_per_epoch(10, 4) == 2
    for images, labels in batches:
        assert (images.shape, images.dtype) == ((4, 3, 33, 33), np.float32)
        assert (labels.shape, labels.dtype) == ((4, 33, 33), np.int32)


def test_fewer_rows_than_a_batch_are_an_error() -> None:
    with pytest.raises(InvalidInputError, match="batch_size = 4: 3 rows cannot fill one batch; expected 3 or less"):
        steps_per_epoch(3, 4)


def test_an_epoch_takes_every_row_once_in_an_order_of_its_own(make_set: Callable[..., Path], small: Config) -> None:
    path = make_set(_numbered(10), names=tuple(map(str, range(10))))
    config = override(small, {"batch_size": 1, "min_scale": 1.0, "max_scale": 1.0})
    orders = [[int(labels.max()) for _, labels in _epoch(path, config, epoch)] for epoch in (0, 1)]
    assert sorted(orders[0]) == sorted(orders[1]) == list(range(10))
    assert orders[0] != orders[1] != sorted(orders[1])


def test_image_and_label_of_a_row_stay_together(make_set: Callable[..., Path], small: Config) -> None:
    path = make_set(_numbered(6), names=tuple(map(str, range(6))))
    config = override(small, {"image_mean": (0, 0, 0), "image_std": (1, 1, 1)})
    for images, labels in _epoch(path, config):
        inside = labels != 255
        assert (np.abs(images[:, 0] - labels)[inside] < 0.5).all()


def test_batches_do_not_depend_on_the_number_of_workers(miniature: Miniature, small: Config) -> None:
    one, two = (_epoch(miniature.train, override(small, {"workers": count})) for count in (1, 2))
    assert _equal(one, two)


def test_an_epoch_entered_in_its_middle_has_the_same_batches(miniature: Miniature, small: Config) -> None:
    assert _equal(_epoch(miniature.train, small, epoch=3, first_step=1), _epoch(miniature.train, small, epoch=3)[1:])


def test_each_epoch_and_each_seed_crop_a_row_differently(make_set: Callable[..., Path], small: Config) -> None:
    path = make_set(_numbered(10), names=tuple(map(str, range(10))))
    config = override(small, {"batch_size": 1, "crop_size": 65})

    def sizes(config: Config, epoch: int) -> dict[int, int]:
        """Return the number of pixels of each row after the random scaling."""
        seen = [labels[labels != 255] for _, labels in _epoch(path, config, epoch)]
        return {int(pixels[0]): pixels.size for pixels in seen}

    first = sizes(config, 0)
    for other in (sizes(config, 1), sizes(override(config, {"seed": 2}), 0)):
        assert sum(first[row] != other[row] for row in range(10)) > 5


def test_more_workers_than_processors_are_not_asked_of_mindspore(miniature: Miniature, small: Config) -> None:
    assert len(_epoch(miniature.train, override(small, {"workers": 1000}))) == 2


def test_the_record_sets_own_ignore_label_fills_what_is_beyond(make_set: Callable[..., Path], small: Config) -> None:
    rows: Rows = [(np.zeros((8, 8, 3), np.uint8), np.full((8, 8), 9, np.uint8))] * 4
    ((_, labels),) = _epoch(make_set(rows, ignore_label=9), small)
    assert (labels == 9).all()


def test_an_index_that_lacks_a_row_is_a_sentence(make_set: Callable[..., Path], small: Config) -> None:
    path = make_set(_numbered(4))
    (index,) = path.glob("*.db")
    with sqlite3.connect(index) as connection:
        connection.execute("DELETE FROM INDEXES WHERE ROW_ID = 1")
    connection.close()
    with pytest.raises(InvalidInputError, match=r"the index has row 2 in place of row 1; expected the 4 rows"):
        _epoch(path, small)


def test_a_row_with_a_foreign_label_is_named(make_set: Callable[..., Path], small: Config) -> None:
    rows = _numbered(4)
    wide = make_set(rows, names=tuple("abcd"))
    # A set whose manifest names three of its four classes.
    manifest = read_manifest(wide / "manifest.json")
    write_manifest(wide, replace(manifest, classes=manifest.classes[:3]))
    with pytest.raises(InvalidInputError, match=r"3\.bmp\.png: the label holds value 3; expected 0 to 2 or 255"):
        _epoch(wide, small)


def test_every_row_is_read_once_in_the_order_of_the_set_and_of_the_list(miniature: Miniature) -> None:
    records = [sample.name for sample in record_samples(open_set(miniature.val))]
    listed = list(list_samples(miniature.root, miniature.val_lst))
    assert len(records) == len(listed) == 5
    assert sorted(records) == sorted(sample.name for sample in listed)


def test_a_record_set_gives_the_very_bytes_of_the_files(miniature: Miniature) -> None:
    files = {sample.name: sample for sample in list_samples(miniature.root, miniature.val_lst)}
    assert all(files[sample.name] == sample for sample in record_samples(open_set(miniature.val)))


def test_a_mask_in_color_is_refused_with_the_cure(miniature: Miniature) -> None:
    sample = next(list_samples(miniature.root, miniature.val_lst))
    folder = miniature.root / "VOCdevkit" / "VOC2012"
    colored = (folder / "SegmentationClass" / f"{Path(sample.name).stem}.png").read_bytes()
    with pytest.raises(InvalidInputError, match=rf"{sample.name}: 8-bit palette PNG; .* voc-decolor"):
        decode_sample(type(sample)(sample.name, sample.image, colored), num_classes=4, ignore_label=255)
