"""Layers shared by the networks: convolution, normalization, resizing, dropout."""

from __future__ import annotations

import numpy as np
from mindspore import Parameter, Tensor, dtype, nn, ops

from segtrain.distributed.ranks import current
from segtrain.models.normalization import BatchNorm2d


def conv(
    in_channels: int,
    out_channels: int,
    kernel_size: int,
    *,
    stride: int = 1,
    dilation: int = 1,
    has_bias: bool = False,
) -> nn.Conv2d:
    """Return a convolution to ``ceil(size / stride)`` with Xavier-uniform weights, as published; a bias starts at 0."""
    return nn.Conv2d(
        in_channels,
        out_channels,
        kernel_size,
        stride=stride,
        pad_mode="pad",
        padding=dilation * (kernel_size // 2),
        dilation=dilation,
        has_bias=has_bias,
        weight_init="xavier_uniform",
        bias_init="zeros",
    )


def batch_norm(channels: int, *, freeze_bn: bool) -> BatchNorm2d:
    """Return a batch normalization that follows train and eval mode, or with `freeze_bn` always uses moving statistics.

    MindSpore's momentum 0.9 is PyTorch's 0.1. A frozen layer still trains its scale and offset, as published.
    """
    return BatchNorm2d(channels, eps=1e-5, momentum=0.9, use_batch_statistics=False if freeze_bn else None)


class ConvBNReLU(nn.SequentialCell):
    """Convolution, batch normalization, ReLU: ``(N, in, H, W)`` to ``(N, out, H, W)``."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, *, dilation: int = 1, freeze_bn: bool = False
    ) -> None:
        """Build the three layers; they keep the spatial size."""
        super().__init__(
            conv(in_channels, out_channels, kernel_size, dilation=dilation),
            batch_norm(out_channels, freeze_bn=freeze_bn),
            nn.ReLU(),
        )


class Resize(nn.Cell):
    """Bilinear resizing."""

    def __init__(self, *, align_corners: bool = True) -> None:
        """Align the centers of the corner pixels, as published, or else the outer edges of these pixels."""
        super().__init__()
        self.align_corners = align_corners

    def construct(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        """Map ``(N, C, H, W)`` to ``(N, C, *size)``."""
        return ops.interpolate(x, size=size, mode="bilinear", align_corners=self.align_corners)


class Dropout(nn.Cell):
    """Dropout whose masks depend only on a seed and a counter, so that they resume from a checkpoint.

    MindSpore's own dropout varies between runs on more than one core, and checkpoints do not save the state of its
    random operators, so a resumed run could not match an uninterrupted one. Here the counter is a parameter
    (``counter``, int32, not trained), and the mask is a hash of the counter and the element's position: two rounds of
    the xor-shift-multiply finalizer of MurmurHash3 in wrapping 32-bit integers. Positions count through the batches of
    all devices, one after the other, so that each device drops different elements.
    """

    def __init__(self, drop: float) -> None:
        """Drop each element with probability ``drop`` in [0, 1); the seed comes from ``mindspore.set_seed``."""
        super().__init__()
        self.keep = 1.0 - drop
        self.threshold = int(self.keep * 2**31)
        self.counter = random_counter("counter")
        self.rank = current().rank

    def construct(self, x: Tensor) -> Tensor:
        """Return ``x`` in eval mode, and ``x / keep`` with dropped elements set to 0 in training. Any shape."""
        if not self.training:
            return x
        kept = ops.bitwise_and(random_bits(self.counter, x, self.rank), 0x7FFFFFFF) < self.threshold
        return ops.select(kept, x / self.keep, ops.zeros_like(x))


def random_counter(name: str) -> Parameter:
    """Return a counter for `random_bits`; its start is drawn from the seed of ``mindspore.set_seed``."""
    # mindspore.set_seed seeds NumPy's global generator too.
    start = int(np.random.randint(-(2**31), 2**31))
    return Parameter(Tensor(start, dtype.int32), name=name, requires_grad=False)


def random_bits(counter: Parameter, like: Tensor, rank: int) -> Tensor:
    """Return random int32 in the shape of ``like``, different on each rank and in each call; advances the counter."""
    # The counter advances by an odd number, so that it takes all 2^32 values before it repeats.
    step = ops.assign_add(counter, Tensor(-1640531527, dtype.int32))
    position = ops.arange(rank * like.size, (rank + 1) * like.size).astype(dtype.int32).reshape(like.shape)
    # Adding the counter between the rounds keeps the bits of different steps from being shifted copies of each other.
    return _scramble(_scramble(position) + step)


def _scramble(bits: Tensor) -> Tensor:
    """Return a bijection of int32 that spreads every bit over all others."""
    bits = ops.bitwise_xor(bits, ops.bitwise_right_shift(bits, 16)) * -2048144789
    bits = ops.bitwise_xor(bits, ops.bitwise_right_shift(bits, 13)) * -1028477387
    return ops.bitwise_xor(bits, ops.bitwise_right_shift(bits, 16))


def fixed_bits(number: int) -> Tensor:
    """Return ``number`` int32 that look random, and are the same in each call and on each rank."""
    return _scramble(_scramble(ops.arange(number).astype(dtype.int32)))
