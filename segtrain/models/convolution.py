"""Convolutions of stride 1 that need less memory for training on a CPU.

MindSpore passes planes to oneDNN unchanged (NCHW). For this layout, oneDNN's backward convolutions write out the
columns of an entire plane (im2col), nine times the size of the input for a 3 x 3 kernel, and each layer keeps such a
buffer for each of its two gradients. The forward convolution processes columns in strips, and the gradient of the input
is itself a convolution of the gradient of the output (Dumoulin and Visin 2016, "A guide to convolution arithmetic for
deep learning", section 4).
"""

from __future__ import annotations

from typing import Any

import mindspore as ms
from mindspore import Tensor, nn, ops

#: Smallest side of the input in pixels for which saving the buffer pays off; smaller planes have many channels, and
#: flipping their weights takes longer.
_LARGE = 128


class Convolution(nn.Conv2d):
    """`mindspore.nn.Conv2d` of stride 1 with the same parameters, results and gradients, but less memory on a CPU."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, *, padding: int, **options: Any) -> None:
        """Pad with zeros; `options` are ``has_bias``, ``weight_init`` and ``bias_init`` of nn.Conv2d."""
        super().__init__(in_channels, out_channels, kernel_size, pad_mode="pad", padding=padding, **options)
        on_cpu = ms.get_current_device().device_target == "CPU"
        self.by_forward = _GradientByForward(in_channels, kernel_size, padding) if on_cpu else None

    def construct(self, x: Tensor) -> Tensor:
        """Map float ``(N, in_channels, H, W)`` to ``(N, out_channels, H', W')``; the padding determines H' and W'."""
        if self.by_forward is None or min(x.shape[2:]) < _LARGE:
            return super().construct(x)
        return self.by_forward(super().construct(ops.stop_gradient(x)), x, self.weight)


class _GradientByForward(nn.Cell):
    """Return the output of a convolution unchanged, and propagate its gradient to the convolution's input too."""

    def __init__(self, in_channels: int, kernel_size: int, padding: int) -> None:
        super().__init__()
        # Each pixel of the input met each weight once, at the opposite position.
        self.opposite = ops.Conv2D(in_channels, kernel_size, pad_mode="pad", pad=kernel_size - 1 - padding)

    def construct(self, found: Tensor, x: Tensor, weight: Tensor) -> Tensor:
        return found

    def bprop(
        self, found: Tensor, x: Tensor, weight: Tensor, out: Tensor, gradient: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        turned = ops.flip(weight, (2, 3)).transpose(1, 0, 2, 3)
        return gradient, self.opposite(gradient, turned), ops.zeros_like(weight)
