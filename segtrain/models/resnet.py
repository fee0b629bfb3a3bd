"""ResNet as a dilated feature extractor (He et al. 2016; Chen et al. 2017, "Rethinking Atrous Convolution")."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from mindspore import Tensor, nn

from segtrain.models.layers import batch_norm, conv

#: Published backbone names and their numbers of layers.
BACKBONES = {"resnet18": 18, "resnet50": 50, "resnet101": 101}

OutputStride = Literal[8, 16, 32]

#: Published factors on the base dilation for the blocks of layer4.
MULTI_GRID = (1, 2, 4)


class BasicBlock(nn.Cell):
    """Two 3x3 convolutions and a shortcut; both convolutions are dilated."""

    expansion = 1

    def __init__(self, in_channels: int, width: int, *, stride: int, dilation: int, freeze_bn: bool) -> None:
        """Map ``in_channels`` to ``width``; the first convolution has the stride."""
        super().__init__()
        self.conv1 = conv(in_channels, width, 3, stride=stride, dilation=dilation)
        self.bn1 = batch_norm(width, freeze_bn=freeze_bn)
        self.conv2 = conv(width, width, 3, dilation=dilation)
        self.bn2 = batch_norm(width, freeze_bn=freeze_bn)
        self.relu = nn.ReLU()
        self.downsample = _shortcut(in_channels, width, stride, freeze_bn)

    def construct(self, x: Tensor) -> Tensor:
        """Map ``(N, in_channels, H, W)`` to ``(N, width, ceil(H / stride), ceil(W / stride))``."""
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return self.relu(y + self.downsample(x))


class Bottleneck(nn.Cell):
    """1x1, 3x3, 1x1 convolutions and a shortcut; the 3x3 has the stride and the dilation, as in torchvision."""

    expansion = 4

    def __init__(self, in_channels: int, width: int, *, stride: int, dilation: int, freeze_bn: bool) -> None:
        """Map ``in_channels`` to ``4 * width``."""
        super().__init__()
        out_channels = width * self.expansion
        self.conv1 = conv(in_channels, width, 1)
        self.bn1 = batch_norm(width, freeze_bn=freeze_bn)
        self.conv2 = conv(width, width, 3, stride=stride, dilation=dilation)
        self.bn2 = batch_norm(width, freeze_bn=freeze_bn)
        self.conv3 = conv(width, out_channels, 1)
        self.bn3 = batch_norm(out_channels, freeze_bn=freeze_bn)
        self.relu = nn.ReLU()
        self.downsample = _shortcut(in_channels, out_channels, stride, freeze_bn)

    def construct(self, x: Tensor) -> Tensor:
        """Map ``(N, in_channels, H, W)`` to ``(N, 4 * width, ceil(H / stride), ceil(W / stride))``."""
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return self.relu(y + self.downsample(x))


def _shortcut(in_channels: int, out_channels: int, stride: int, freeze_bn: bool) -> nn.Cell:
    if stride == 1 and in_channels == out_channels:
        return nn.Identity()
    return nn.SequentialCell(
        conv(in_channels, out_channels, 1, stride=stride), batch_norm(out_channels, freeze_bn=freeze_bn)
    )


_BLOCKS: dict[int, tuple[type[BasicBlock] | type[Bottleneck], tuple[int, int, int, int]]] = {
    18: (BasicBlock, (2, 2, 2, 2)),
    50: (Bottleneck, (3, 4, 6, 3)),
    101: (Bottleneck, (3, 4, 23, 3)),
}


class ResNet(nn.Cell):
    """ResNet without its classifier, with dilation in place of the last strides.

    Parameters have the names of torchvision's checkpoints (``conv1``, ``bn1``, ``layer1.0.conv1``,
    ``layer1.0.downsample.0``; a BN has ``gamma``, ``beta``, ``moving_mean``, ``moving_variance``).

    Attributes:
        low_level_channels: channels of the stride-4 features: 64 (18 layers) or 256; each further stage doubles them.
        out_channels: channels of the final features: 512 (18 layers) or 2048.
    """

    def __init__(
        self,
        depth: int,
        output_stride: OutputStride,
        multi_grid: Sequence[int] = MULTI_GRID,
        freeze_bn: bool = False,
        gradual: bool = False,
    ) -> None:
        """Build 18, 50 or 101 layers.

        Args:
            depth: 18, 50 or 101.
            output_stride: input size divided by the size of the final features. 32: strides as in classification, base
                dilation 1; 16: layer4 has stride 1 and base dilation 2; 8: layer3 has stride 1 and dilation 2, layer4
                stride 1 and base dilation 4.
            multi_grid: factors on the base dilation for the blocks of layer4, in order. ResNet-18 has two blocks there
                and uses the first two factors, in both convolutions of a block.
            freeze_bn: normalize with the moving statistics during training too.
            gradual: the first block of layer3 and layer4 has the base dilation of the layer before, as in torchvision.
        """
        super().__init__()
        block, counts = _BLOCKS[depth]
        strides = {32: (1, 2, 2, 2), 16: (1, 2, 2, 1), 8: (1, 2, 1, 1)}[output_stride]
        base = 32 // output_stride
        dilations = [
            [1] * counts[0],
            [1] * counts[1],
            [max(1, base // 2)] * counts[2],
            [base * factor for factor in multi_grid[: counts[3]]],
        ]
        if gradual:
            dilations[2][0], dilations[3][0] = max(1, base // 4), max(1, base // 2)
        self.low_level_channels = 64 * block.expansion
        self.out_channels = 512 * block.expansion

        self.conv1 = conv(3, 64, 7, stride=2)
        self.bn1 = batch_norm(64, freeze_bn=freeze_bn)
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, pad_mode="pad", padding=1)

        stages = []
        channels = 64
        for width, stride, stage_dilations in zip((64, 128, 256, 512), strides, dilations, strict=True):
            blocks = []
            for index, dilation in enumerate(stage_dilations):
                first_stride = stride if index == 0 else 1
                blocks.append(block(channels, width, stride=first_stride, dilation=dilation, freeze_bn=freeze_bn))
                channels = width * block.expansion
            stages.append(nn.SequentialCell(blocks))
        self.layer1, self.layer2, self.layer3, self.layer4 = stages

    def construct(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return stride-4 and final features of an image batch.

        Args:
            x: float ``(N, 3, H, W)``, normalized RGB.

        Returns:
            The output of layer1, ``(N, low_level_channels, ceil(H/4), ceil(W/4))``, and of layer4,
            ``(N, out_channels, ceil(H/stride), ceil(W/stride))``.
        """
        # Do not call `stages` here: MindSpore's compiler (2.10) warns about lost side effects when results are unused.
        low_level = self.layer1(self.stem(x))
        return low_level, self.layer4(self.layer3(self.layer2(low_level)))

    def stem(self, x: Tensor) -> Tensor:
        """Return the input of layer1."""
        return self.maxpool(self.relu(self.bn1(self.conv1(x))))

    def stages(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return the outputs of layer1 to layer4, stages 2 to 5 of a feature pyramid."""
        c2 = self.layer1(self.stem(x))
        c3 = self.layer2(c2)
        c4 = self.layer3(c3)
        return c2, c3, c4, self.layer4(c4)
