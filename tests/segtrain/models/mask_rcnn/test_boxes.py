from __future__ import annotations

import mask_rcnn_cases as cases
import numpy as np
import pytest
from hypothesis import given, strategies as st
from mindspore import Tensor
from pycocotools import mask as coco_mask

from segtrain.models.mask_rcnn.boxes import MAX_LOG_RATIO, clip, coverage, decode, encode, gather_rows, iou


@pytest.fixture(scope="module")
def golden() -> dict[str, np.ndarray]:
    with np.load(cases.GOLDEN) as file:
        return dict(file)


def _pairs(seed: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.RandomState(seed)
    return cases.random_boxes(random, 20, 60, 80), cases.random_boxes(random, 7, 60, 80)


def _by_coco(boxes: np.ndarray, others: np.ndarray, crowd: int) -> np.ndarray:
    first, second = (np.concatenate([b[:, :2], b[:, 2:] - b[:, :2]], 1).astype(np.float64) for b in (boxes, others))
    return coco_mask.iou(first, second, [crowd] * len(others))


def test_iou_is_that_of_pycocotools() -> None:
    boxes, others = _pairs(1)
    found = iou(Tensor(boxes[None]), Tensor(others[None])).asnumpy()
    assert found[0] == pytest.approx(_by_coco(boxes, others, 0), abs=1e-5)


def test_coverage_is_what_pycocotools_takes_for_crowds() -> None:
    boxes, others = _pairs(2)
    found = coverage(Tensor(boxes[None]), Tensor(others[None])).asnumpy()
    assert found[0] == pytest.approx(_by_coco(boxes, others, 1), abs=1e-5)


def test_every_image_is_compared_with_its_own_boxes() -> None:
    first, second = _pairs(3), _pairs(4)
    both = [Tensor(np.stack(pair)) for pair in zip(first, second, strict=True)]
    found = iou(*both).asnumpy()
    assert found[1] == pytest.approx(_by_coco(*second, 0), abs=1e-5)


def test_empty_boxes_overlap_nothing_not_even_themselves() -> None:
    empty, box = [[5.0, 5, 5, 5]], [[0.0, 0, 10, 10]]
    boxes = Tensor(np.array([empty + box], np.float32))
    assert iou(boxes, boxes).asnumpy()[0].tolist() == [[0, 0], [0, 1]]


def test_encoding_is_that_of_torchvision(golden: dict[str, np.ndarray]) -> None:
    found = encode(Tensor(golden["boxes"]), Tensor(golden["anchors"]), cases.STDS).asnumpy()
    assert found == pytest.approx(golden["encoded"], rel=1e-4, abs=1e-4)


def test_decoding_is_that_of_torchvision_its_limit_included(golden: dict[str, np.ndarray]) -> None:
    found = decode(Tensor(golden["offsets"]), Tensor(golden["anchors"]), cases.STDS).asnumpy()
    assert found == pytest.approx(golden["decoded"], rel=1e-4, abs=1e-3)
    assert golden["offsets"].max() * cases.STDS[2] > MAX_LOG_RATIO


@given(st.integers(0, 2**31))
def test_decoding_undoes_encoding(seed: int) -> None:
    random = np.random.RandomState(seed)
    # Of at least a pixel and at most sixty, no box is too large for its anchor.
    boxes, anchors = (Tensor(_at_least_a_pixel(cases.random_boxes(random, 5, 60, 60))) for _ in range(2))
    stds = (0.1, 0.2, 0.3, 0.4)
    found = decode(encode(boxes, anchors, stds), anchors, stds).asnumpy()
    assert found == pytest.approx(boxes.asnumpy(), rel=1e-3, abs=1e-2)


def _at_least_a_pixel(boxes: np.ndarray) -> np.ndarray:
    return np.concatenate([boxes[:, :2], np.maximum(boxes[:, 2:], boxes[:, :2] + 1)], 1)


def test_coding_an_unused_row_stays_finite() -> None:
    nothing = Tensor(np.zeros((1, 4), np.float32))
    assert np.isfinite(encode(nothing, nothing, cases.STDS).asnumpy()).all()


def test_clipping_cuts_boxes_to_the_content_of_their_image() -> None:
    boxes = Tensor(np.array([[[-5, -6, 70, 80]], [[10, 20, 70, 80]]], np.float32))
    sizes = Tensor(np.array([[50, 60], [90, 30]], np.float32))
    assert clip(boxes, sizes).asnumpy().tolist() == [[[0, 0, 60, 50]], [[10, 20, 30, 80]]]


def test_rows_are_taken_from_their_own_image() -> None:
    rows = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    chosen = np.array([[2, 0], [1, 1]], np.int32)
    assert (gather_rows(Tensor(rows), Tensor(chosen)).asnumpy() == [rows[0][[2, 0]], rows[1][[1, 1]]]).all()
