from __future__ import annotations

import numpy as np
import pytest
from mindspore import Tensor, nn

from segtrain.exporting.onnx import MatrixResize, PaddedMaxPool, interpolation, replace_layers
from segtrain.models.layers import Resize


class Stem(nn.Cell):
    def __init__(self, align_corners: bool) -> None:
        super().__init__()
        self.blocks = nn.SequentialCell(nn.ReLU(), nn.MaxPool2d(3, 2, pad_mode="pad", padding=1))
        self.resize = Resize(align_corners=align_corners)

    def construct(self, x: Tensor) -> Tensor:
        return self.resize(self.blocks(x), x.shape[2:])


@pytest.mark.parametrize("align_corners", [True, False])
@pytest.mark.parametrize("size", [(7, 8), (8, 7), (33, 1)])
def test_the_replaced_layers_compute_the_same(size: tuple[int, int], align_corners: bool) -> None:
    x = Tensor(np.random.default_rng(0).standard_normal((2, 3, *size), np.float32))
    network = Stem(align_corners)
    before = network(x).asnumpy()
    replaced = Stem(align_corners)
    replace_layers(replaced)
    kinds = {type(cell) for _, cell in replaced.cells_and_names()}
    assert {PaddedMaxPool, MatrixResize} < kinds
    assert Resize not in kinds
    # MindSpore computes positions without aligned corners in float32.
    np.testing.assert_allclose(replaced(x).asnumpy(), before, atol=1e-6 if align_corners else 4e-6)


@pytest.mark.parametrize(("size", "target"), [(3, 5), (9, 4), (1, 4), (4, 1), (6, 6)])
def test_weights_interpolate_with_corners_on_corners(size: int, target: int) -> None:
    values = np.random.default_rng(0).standard_normal(size)
    expected = np.interp(np.linspace(0, size - 1, target) if target > 1 else [0], np.arange(size), values)
    np.testing.assert_allclose(interpolation(size, target) @ values, expected, atol=1e-6)
