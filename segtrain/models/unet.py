"""U-Net (Ronneberger et al. 2015, "U-Net: Convolutional Networks for Biomedical Image Segmentation").

As published, the 3x3 convolutions are valid and have biases, there is no normalization, and the logits are smaller than
the image: they leave out the border where a pixel's receptive field extends beyond the image. The simple form pads with
zeros instead and normalizes each convolution, so that image and logits have the same size and a small network trains
fast. The simple form has two options. With patches, a first convolution without overlap turns each patch of pixels into
several channels, and the last convolution is transposed; this divides the work by the area of a patch and widens the
receptive field by its side. With residual levels, the input of a level is added to the output of its two convolutions
(Zhang et al. 2018, "Road extraction by deep residual U-Net").
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

from mindspore import Tensor, nn, ops
from mindspore.common.initializer import Normal

from segtrain.models.convolution import Convolution
from segtrain.models.layers import batch_norm

#: Makes the layers of a convolution from the numbers of its input and output channels.
_Conv = Callable[[int, int], tuple[nn.Cell, ...]]


class UNetNetwork(nn.Cell):
    """Contracting path, expanding path, and skip connections between them at each level.

    Weights are drawn with a standard deviation of ``sqrt(2 / inputs)`` (section 3.2 of the paper; He et al. 2015), so
    that the signal keeps its magnitude at any width.
    """

    def __init__(
        self,
        *,
        num_classes: int,
        width: int = 64,
        poolings: int = 4,
        in_channels: int = 1,
        same_padding: bool = False,
        patch: int = 1,
        residual: bool = False,
        freeze_bn: bool = False,
        low_memory: bool = False,
    ) -> None:
        """Build the network; the published one, with one input channel and two classes, has 31.03 million parameters.

        Args:
            num_classes: channels of the logits, background included.
            width: channels of the top level; each level below has twice as many. Published: 64.
            poolings: number of levels below the top. Published: 4.
            in_channels: 1 for gray images, 3 for RGB.
            same_padding: build the simple form: padded with zeros, each 3x3 convolution normalized instead of biased.
            patch: side in pixels of the patches that the top level treats as single pixels.
            residual: add the input of each level to the output of its two convolutions; simple form only.
            freeze_bn: normalize with the moving statistics during training too; the published network has no
                normalization.
            low_memory: train with less memory and more time; see `Convolution`.
        """
        super().__init__()
        conv = partial(_conv, same_padding=same_padding, freeze_bn=freeze_bn, low_memory=low_memory)
        convs: Callable[[int, int], nn.Cell] = partial(_Residual if residual else _double_conv, conv)
        # One channel per value in a patch: nothing is lost.
        inputs = in_channels * patch**2
        self.patches = _conv_patches(in_channels, inputs, patch) if patch > 1 else nn.Identity()
        channels = [width * 2**level for level in range(poolings + 1)]
        self.down = nn.CellList(
            [convs(before, after) for before, after in zip([inputs, *channels], channels, strict=False)]
        )
        self.pool = nn.MaxPool2d(2, 2)
        self.up = nn.CellList(
            [nn.SequentialCell(_up_conv(2 * outputs, outputs, 2), nn.ReLU()) for outputs in reversed(channels[:-1])]
        )
        self.joint = nn.CellList([convs(2 * outputs, outputs) for outputs in reversed(channels[:-1])])
        self.classifier = (
            _up_conv(width, num_classes, patch)
            if patch > 1
            else nn.Conv2d(width, num_classes, 1, has_bias=True, weight_init=_he(width), bias_init="zeros")
        )
        self.poolings = poolings

    def construct(self, x: Tensor) -> Tensor:
        """Map float ``(N, in_channels, H, W)`` to logits; `segtrain.config.unet.output_size` gives their sides."""
        x = self.patches(x)
        skipped = []
        for level in range(self.poolings):
            x = self.down[level](x)
            skipped.append(x)
            x = self.pool(x)
        x = self.down[self.poolings](x)
        for level in range(self.poolings):
            x = self.up[level](x)
            skip = _center(skipped[self.poolings - 1 - level], x.shape[2], x.shape[3])
            x = self.joint[level](ops.cat((skip, x), 1))
        return self.classifier(x)


def _center(x: Tensor, height: int, width: int) -> Tensor:
    top, left = (x.shape[2] - height) // 2, (x.shape[3] - width) // 2
    return x[:, :, top : top + height, left : left + width]


class _Residual(nn.Cell):
    """Two padded, normalized convolutions; the input, by 1x1 if channels differ, is added before the last ReLU."""

    def __init__(self, conv: _Conv, inputs: int, outputs: int) -> None:
        super().__init__()
        convs = (*conv(inputs, outputs), *conv(outputs, outputs))
        self.convs = nn.SequentialCell(*convs[:-1])
        self.shortcut = (
            nn.Identity()
            if inputs == outputs
            else nn.Conv2d(inputs, outputs, 1, has_bias=False, weight_init=_he(inputs))
        )

    def construct(self, x: Tensor) -> Tensor:
        return ops.relu(self.convs(x) + self.shortcut(x))


def _double_conv(conv: _Conv, inputs: int, outputs: int) -> nn.SequentialCell:
    return nn.SequentialCell(*conv(inputs, outputs), *conv(outputs, outputs))


def _conv(inputs: int, outputs: int, *, same_padding: bool, freeze_bn: bool, low_memory: bool) -> tuple[nn.Cell, ...]:
    conv = Convolution(
        inputs,
        outputs,
        3,
        padding=1 if same_padding else 0,
        low_memory=low_memory,
        has_bias=not same_padding,
        weight_init=_he(9 * inputs),
        bias_init="zeros",
    )
    return (conv, batch_norm(outputs, freeze_bn=freeze_bn), nn.ReLU()) if same_padding else (conv, nn.ReLU())


def _up_conv(inputs: int, outputs: int, size: int) -> nn.Conv2dTranspose:
    # Kernel and stride are equal: each output pixel has one tap.
    return nn.Conv2dTranspose(
        inputs, outputs, size, size, pad_mode="valid", has_bias=True, weight_init=_he(inputs), bias_init="zeros"
    )


def _conv_patches(inputs: int, outputs: int, size: int) -> nn.Conv2d:
    fan_in = inputs * size**2
    return nn.Conv2d(inputs, outputs, size, size, pad_mode="valid", has_bias=False, weight_init=_he(fan_in))


def _he(fan_in: int) -> Normal:
    return Normal(math.sqrt(2 / fan_in))
