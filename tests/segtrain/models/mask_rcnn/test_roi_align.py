from __future__ import annotations

import mask_rcnn_cases as cases
import numpy as np
import pytest
from mindspore import Parameter, ParameterTuple, Tensor, nn, ops

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
def test_a_box_of_224_pixels_is_read_two_levels_above_the_finest(side: float, level: int) -> None:
    boxes = Tensor(np.array([[0, 0, 2 * side, side / 2]], np.float32))
    assert box_level(boxes, 56, 4).asnumpy().tolist() == [level]


def test_a_pyramid_may_have_one_level() -> None:
    canvas = Canvas([(4, 6)], [4], 56)
    level = np.arange(24, dtype=np.float32).reshape(1, 1, 4, 6)
    assert (canvas([Tensor(level)]).asnumpy() == np.pad(level, ((0, 0), (0, 0), (1, 1), (1, 1)), "edge")).all()


class _CanvasGradients(nn.Cell):
    """Gradients of the sum of the squares on a canvas, in one graph, as in a training step."""

    def __init__(self, levels: list[np.ndarray]) -> None:
        super().__init__()
        self.canvas = Canvas([level.shape[2:] for level in levels], [4, 8, 16], 56.0)
        self.fine, self.middle, self.coarse = (
            Parameter(Tensor(level), name=f"level{number}") for number, level in enumerate(levels)
        )
        weights = ParameterTuple([self.fine, self.middle, self.coarse])
        self.differentiate = ops.value_and_grad(self.squares, None, weights)

    def squares(self, scale: Tensor) -> Tensor:
        return (self.canvas([self.fine, self.middle, self.coarse]) ** 2).sum() * scale

    def construct(self, scale: Tensor) -> tuple[Tensor, ...]:
        return self.differentiate(scale)[1]


def test_the_gradient_of_the_canvas_is_the_same_in_every_step() -> None:
    # With MindSpore's own pad, the levels that are extended had wrong gradients from the third step on.
    random = np.random.RandomState(3)
    levels = [random.normal(size=(2, 4, *shape)).astype(np.float32) for shape in ((16, 24), (12, 10), (4, 6))]
    gradients = _CanvasGradients(levels)
    for _ in range(4):
        for level, found in zip(levels, gradients(Tensor(1.0)), strict=True):
            # The border repeats the outermost cells: at an edge a cell counts twice, in a corner four times.
            times = np.ones(level.shape[2:])
            times[[0, -1]] *= 2
            times[:, [0, -1]] *= 2
            assert np.allclose(found.asnumpy(), 2 * level * times, atol=1e-5)
