"""Equivalents of the layers that MindSpore cannot write as ONNX, built from operators that it can.

MindSpore 2.10's exporter supports neither the operator of padded max pooling (MaxPool3DWithArgmax) nor that of
bilinear resizing (ResizeBilinearV2).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from mindspore import Tensor, nn, ops

from segtrain.models.layers import Resize


class PaddedMaxPool(nn.Cell):
    """3x3 max pooling with stride 2 and a padding of one pixel, for non-negative values."""

    def __init__(self) -> None:
        """Build the pooling without padding."""
        super().__init__()
        self.pool = nn.MaxPool2d(kernel_size=3, stride=2, pad_mode="valid")

    def construct(self, x: Tensor) -> Tensor:
        """Map ``(N, C, H, W)`` to ``(N, C, ceil(H / 2), ceil(W / 2))``."""
        count, channels, height, width = x.shape
        # Padding with zero is safe: it never exceeds a non-negative value.
        row = ops.zeros((count, channels, 1, width), x.dtype)
        column = ops.zeros((count, channels, height + 2, 1), x.dtype)
        return self.pool(ops.cat((column, ops.cat((row, x, row), 2), column), 3))


class MatrixResize(nn.Cell):
    """`Resize` as a multiplication by one weight matrix from the left and one from the right."""

    def __init__(self, *, align_corners: bool) -> None:
        """Align the centers of the corner pixels, or else the outer edges of these pixels."""
        super().__init__()
        self.align_corners = align_corners

    def construct(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        """Map ``(N, C, H, W)`` to ``(N, C, *size)``."""
        rows = _weights(x.shape[2], size[0], self.align_corners)
        columns = _weights(x.shape[3], size[1], self.align_corners)
        return ops.matmul(ops.matmul(rows, x), columns.transpose(1, 0))


def replace_layers(network: nn.Cell) -> None:
    """Replace the layers that cannot be written; max pooling must follow a ReLU."""
    for _, cell in list(network.cells_and_names()):
        for name, child in cell.name_cells().items():
            if isinstance(child, Resize):
                setattr(cell, name, MatrixResize(align_corners=child.align_corners))
            elif isinstance(child, nn.MaxPool2d):
                setattr(cell, name, PaddedMaxPool())


def interpolation(size: int, target: int, align_corners: bool = True) -> npt.NDArray[np.float32]:
    """Return the weights ``(target, size)`` of linear interpolation; `MatrixResize` explains the two ways."""
    places = np.arange(target) * (size - 1) / max(target - 1, 1)
    if not align_corners:
        # The center of pixel i is at i + 1/2; beyond the centers of the outer pixels, their values continue.
        places = np.clip((np.arange(target) + 0.5) * size / target - 0.5, 0, size - 1)
    left = np.minimum(places.astype(int), max(size - 2, 0))
    weights = np.zeros((target, size), np.float32)
    weights[np.arange(target), left] = 1 - (places - left)
    if size > 1:
        weights[np.arange(target), left + 1] = places - left
    return weights


def _constant(size: int, target: int, align_corners: bool) -> Tensor:
    return Tensor(interpolation(size, target, align_corners))


_weights = ops.constexpr(_constant)
