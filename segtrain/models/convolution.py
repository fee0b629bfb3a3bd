"""Convolutions of stride 1 that need less memory for training on a CPU.

MindSpore passes planes to oneDNN unchanged (NCHW). For this layout, oneDNN's backward convolutions write out the
columns of an entire plane (im2col), nine times the size of the input for a 3 x 3 kernel, and each layer keeps such a
buffer for each of its two gradients. The forward convolution processes columns in strips, and the gradient of the input
is itself a convolution of the gradient of the output (Dumoulin and Visin 2016, "A guide to convolution arithmetic for
deep learning", section 4). So is the gradient of the weights, of the input with the gradient of the output; this one
takes longer than oneDNN's.
"""

from __future__ import annotations

from typing import Any

import mindspore as ms
from mindspore import Tensor, nn, ops

#: Smallest side of the input in pixels for which saving the buffer pays off; smaller planes have many channels, and
#: flipping their weights takes longer.
_LARGE = 128

#: Bytes of the columns of an image from which on the gradient of the weights avoids them, too, if memory is short: in 5
#: of the 18 convolutions of U-Net at 572 pixels, with two thirds of all columns.
_MANY_COLUMNS = 300 << 20


class Convolution(nn.Conv2d):
    """`mindspore.nn.Conv2d` of stride 1 with the same parameters, results and gradients, but less memory on a CPU."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        padding: int,
        low_memory: bool = False,
        **options: Any,
    ) -> None:
        """Pad with zeros; `options` are ``has_bias``, ``weight_init`` and ``bias_init`` of nn.Conv2d.

        With `low_memory`, large planes take still less memory, and more time.
        """
        super().__init__(in_channels, out_channels, kernel_size, pad_mode="pad", padding=padding, **options)
        on_cpu = ms.get_current_device().device_target == "CPU"
        self.by_forward = _GradientByForward(in_channels, kernel_size, padding) if on_cpu else None
        self.both_by_forward = _GradientsByForward(in_channels, kernel_size, padding) if on_cpu and low_memory else None

    def construct(self, x: Tensor) -> Tensor:
        """Map float ``(N, in_channels, H, W)`` to ``(N, out_channels, H', W')``; the padding determines H' and W'."""
        if self.by_forward is None or min(x.shape[2:]) < _LARGE:
            return super().construct(x)
        if self.both_by_forward is None or self._column_bytes(x) < _MANY_COLUMNS:
            return self.by_forward(super().construct(ops.stop_gradient(x)), x, self.weight)
        found = self.conv2d(ops.stop_gradient(x), ops.stop_gradient(self.weight))
        return self.both_by_forward(self.bias_add(found, self.bias) if self.has_bias else found, x, self.weight)

    def _column_bytes(self, x: Tensor) -> int:
        """Return the size of the columns of an image: a float32 for each weight of each pixel of the output."""
        margin = 2 * self.padding - self.kernel_size[0] + 1
        taps = x.shape[1] * self.kernel_size[0] ** 2
        found: int = 4 * taps * (x.shape[2] + margin) * (x.shape[3] + margin)
        return found


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
        return gradient, self.of_input(weight, gradient), ops.zeros_like(weight)

    def of_input(self, weight: Tensor, gradient: Tensor) -> Tensor:
        turned = ops.flip(weight, (2, 3)).transpose(1, 0, 2, 3)
        return self.opposite(gradient, turned)


class _GradientsByForward(_GradientByForward):
    """Propagate the gradient to the convolution's weights as well."""

    def __init__(self, in_channels: int, kernel_size: int, padding: int) -> None:
        super().__init__(in_channels, kernel_size, padding)
        self.padding = padding

    def bprop(
        self, found: Tensor, x: Tensor, weight: Tensor, out: Tensor, gradient: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        # Channels and images change places: the sum is over the pixels of all images.
        pixels, kernels = x.transpose(1, 0, 2, 3), gradient.transpose(1, 0, 2, 3)
        of_weight = ops.conv2d(pixels, kernels, pad_mode="pad", padding=self.padding).transpose(1, 0, 2, 3)
        return gradient, self.of_input(weight, gradient), of_weight
