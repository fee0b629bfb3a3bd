from __future__ import annotations

import numpy as np
import pytest
from mindspore import Tensor

from segtrain.models.mask_rcnn.mask_targets import mask_targets


def _targets(crops: np.ndarray, instances: np.ndarray, boxes: np.ndarray, size: int) -> np.ndarray:
    tensors = [Tensor(np.asarray(one, np.float32)) for one in (crops, instances, boxes)]
    return mask_targets(*tensors, size).asnumpy()


def _by_loops(crop: np.ndarray, instance: np.ndarray, box: np.ndarray, size: int) -> np.ndarray:
    """Return the bilinear samples before the threshold."""
    cells = len(crop)
    found = np.zeros((size, size))
    for row in range(size):
        for column in range(size):
            point = box[:2] + (np.array([column, row]) + 0.5) / size * (box[2:] - box[:2])
            share = (point - instance[:2]) / (instance[2:] - instance[:2])
            if (share < 0).any() or (share > 1).any():
                continue
            x, y = np.clip(share * cells - 0.5, 0, cells - 1)
            left, top = int(x), int(y)
            right, bottom = min(left + 1, cells - 1), min(top + 1, cells - 1)
            above = crop[top, left] * (left + 1 - x) + crop[top, right] * (x - left)
            below = crop[bottom, left] * (left + 1 - x) + crop[bottom, right] * (x - left)
            found[row, column] = above * (top + 1 - y) + below * (y - top)
    return found


def test_targets_are_bilinear_samples_of_the_crop_from_a_half_on() -> None:
    random = np.random.RandomState(3)
    crops = random.uniform(size=(6, 8, 8)).astype(np.float32)
    instances = np.array([[10, 20, 50, 40]] * 6, np.float32)
    boxes = np.array(
        [[10, 20, 50, 40], [0, 0, 60, 60], [20, 25, 30, 30], [30, 10, 90, 35], [48, 38, 52, 42], [60, 60, 70, 70]],
        np.float32,
    )
    found = _targets(crops, instances, boxes, 7)
    expected = np.stack([_by_loops(*one, 7) for one in zip(crops, instances, boxes, strict=True)])
    assert np.abs(expected - 0.5).min() > 2e-4
    assert (found == (expected >= 0.5)).all()
    assert not found[5].any()


def test_the_objects_own_box_gives_its_crop() -> None:
    crop = np.random.RandomState(0).randint(0, 2, (1, 14, 14))
    box = np.array([[3.3, 4.4, 17.7, 33.1]])
    assert (_targets(crop, box, box, 14) == crop).all()


@pytest.mark.parametrize(("box", "share"), [((0, 0, 40, 40), 0.25), ((0, 0, 20, 20), 1), ((10, 10, 30, 30), 0.25)])
def test_a_full_mask_fills_what_the_boxes_share(box: tuple[float, ...], share: float) -> None:
    found = _targets(np.ones((1, 8, 8)), np.array([[0, 0, 20, 20]]), np.array([box]), 28)
    assert found.mean() == share


def test_unused_rows_give_no_object() -> None:
    nothing = np.zeros((1, 4))
    assert not _targets(np.zeros((1, 8, 8)), nothing, nothing, 14).any()
