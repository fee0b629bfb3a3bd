"""Convolutions of stride 1 that train in less memory on a CPU.

MindSpore hands its planes to oneDNN as they are (NCHW). For these oneDNN's backward convolutions write out the columns
of a whole plane (im2col), nine times the input of a 3 x 3 kernel; each layer has such a buffer for either gradient and
keeps it. The forward convolution takes its columns in strips, and the gradient of the input is itself a convolution, of
the output's (Dumoulin and Visin 2016, "A guide to convolution arithmetic for deep learning", section 4).
"""

from __future__ import annotations

from typing import Any

import mindspore as ms
from mindspore import Tensor, nn, ops

#: From this side of the input on, in pixels, the buffers are worth it; smaller planes have many channels, and to turn
#: their weights takes longer.
_LARGE = 128


class Convolution(nn.Conv2d):
    """`mindspore.nn.Conv2d` of stride 1: the same parameters, results and gradients, on a CPU by other means."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, *, padding: int, **options: Any) -> None:
        """Build it, padded by zeros; `options` are ``has_bias``, ``weight_init`` and ``bias_init`` of nn.Conv2d."""
        super().__init__(in_channels, out_channels, kernel_size, pad_mode="pad", padding=padding, **options)
        on_cpu = ms.get_current_device().device_target == "CPU"
        self.by_forward = _GradientByForward(in_channels, kernel_size, padding) if on_cpu else None

    def construct(self, x: Tensor) -> Tensor:
        """Map float ``(N, in_channels, H, W)`` to ``(N, out_channels, H', W')``, less what padding does not make up."""
        if self.by_forward is None or min(x.shape[2:]) < _LARGE:
            return super().construct(x)
        return self.by_forward(super().construct(ops.stop_gradient(x)), x, self.weight)


class _GradientByForward(nn.Cell):
    """What a convolution has found, as it is; its gradient goes on to the convolution's input too."""

    def __init__(self, in_channels: int, kernel_size: int, padding: int) -> None:
        super().__init__()
        # Each pixel of the input met each weight once, at the opposite place.
        self.opposite = ops.Conv2D(in_channels, kernel_size, pad_mode="pad", pad=kernel_size - 1 - padding)

    def construct(self, found: Tensor, x: Tensor, weight: Tensor) -> Tensor:
        return found

    def bprop(
        self, found: Tensor, x: Tensor, weight: Tensor, out: Tensor, gradient: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        turned = ops.flip(weight, (2, 3)).transpose(1, 0, 2, 3)
        return gradient, self.opposite(gradient, turned), ops.zeros_like(weight)
