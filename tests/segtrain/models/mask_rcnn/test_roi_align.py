from __future__ import annotations

import mask_rcnn_cases as cases
import numpy as np
import pytest
from mindspore import Tensor, nn, ops

from segtrain.models.mask_rcnn.roi_align import Canvas, RoiAlign, box_level


class _Weighted(nn.Cell):
    """The sum of weighted RoI features, whose gradient is compared; a place more, which is not used, has none."""

    def __init__(self, boxes: np.ndarray, usable: np.ndarray, weights: np.ndarray) -> None:
        super().__init__()
        self.canvas = Canvas(cases.SHAPES, cases.STRIDES, cases.FINEST_SCALE)
        self.align = RoiAlign(cases.SIZE, cases.SAMPLES)
        self.boxes, self.usable, self.weights = Tensor(boxes), Tensor(usable), Tensor(weights)

    def construct(self, *levels: Tensor) -> tuple[Tensor, Tensor]:
        aligned = self.align(self.canvas(levels), self.canvas.place(self.boxes, self.usable))
        return (aligned * self.weights).sum(), aligned


def test_features_and_gradients_are_those_of_torchvision() -> None:
    with np.load(cases.GOLDEN) as file:
        golden = dict(file)
    boxes = np.array(cases.BOXES, np.float32)
    count = boxes.shape[1]
    # One place more in each image, whose box must not count.
    boxes = np.concatenate([boxes, boxes[:, :1]], 1)
    usable = np.arange(count + 1)[None].repeat(2, 0) < count
    weights = np.ones((2, count + 1, *golden["upstream"].shape[1:]), np.float32)
    weights[:, :count] = golden["upstream"].reshape(2, count, *weights.shape[2:])
    cell = _Weighted(boxes, usable, weights.reshape(-1, *weights.shape[2:]))
    levels = [Tensor(golden[f"level{i}"]) for i in range(len(cases.SHAPES))]
    (_, aligned), gradients = ops.value_and_grad(cell, (0, 1, 2, 3), has_aux=True)(*levels)
    found = aligned.asnumpy().reshape(weights.shape)
    assert found[:, :count].reshape(golden["aligned"].shape) == pytest.approx(golden["aligned"], abs=1e-4)
    assert not found[:, count].any()
    for i, gradient in enumerate(gradients):
        assert gradient.asnumpy() == pytest.approx(golden[f"gradient{i}"], abs=1e-4)


@pytest.mark.parametrize(
    ("side", "level"), [(0, 0), (20, 0), (111.9, 0), (112.1, 1), (223.9, 1), (224.1, 2), (447, 2), (449, 3), (4000, 3)]
)
def test_a_box_of_224_pixels_is_looked_at_two_levels_above_the_finest(side: float, level: int) -> None:
    boxes = Tensor(np.array([[0, 0, 2 * side, side / 2]], np.float32))
    assert box_level(boxes, 56, 4).asnumpy().tolist() == [level]


def test_a_pyramid_may_have_one_level() -> None:
    canvas = Canvas([(4, 6)], [4], 56)
    level = np.arange(24, dtype=np.float32).reshape(1, 1, 4, 6)
    assert (canvas([Tensor(level)]).asnumpy() == np.pad(level, ((0, 0), (0, 0), (1, 1), (1, 1)), "edge")).all()
