"""Feature pyramid and heads on top of the backbone: proposal head, box head, mask head."""

from __future__ import annotations

from collections.abc import Sequence

from mindspore import Tensor, nn, ops
from mindspore.common.initializer import HeNormal, Normal

from segtrain.models.layers import conv


class FeaturePyramid(nn.Cell):
    """Features with the same number of channels at every stride (Lin et al. 2017, "Feature Pyramid Networks")."""

    def __init__(self, in_channels: Sequence[int], channels: int) -> None:
        """Map stages with ``in_channels`` channels, finest first, to levels with ``channels`` channels."""
        super().__init__()
        self.lateral = nn.CellList([conv(number, channels, 1, has_bias=True) for number in in_channels])
        self.output = nn.CellList([conv(channels, channels, 3, has_bias=True) for _ in in_channels])
        self.coarser = nn.MaxPool2d(kernel_size=1, stride=2)

    def construct(self, stages: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Map stages ``(N, C, H, W)`` to as many levels plus one, each half as large as the previous one.

        The last level takes every second cell of the previous one and serves the first stage's largest anchors.
        """
        last = len(stages) - 1
        top = self.lateral[last](stages[last])
        levels: tuple[Tensor, ...] = (self.output[last](top),)
        for i in range(last - 1, -1, -1):
            fine = self.lateral[i](stages[i])
            top = fine + ops.interpolate(top, size=fine.shape[2:], mode="nearest")
            levels = (self.output[i](top), *levels)
        return (*levels, self.coarser(levels[last]))


class RpnHead(nn.Cell):
    """Score and offsets of every anchor, with the same weights on all levels (Ren et al. 2015)."""

    def __init__(self, channels: int, anchors: int) -> None:
        """Score ``anchors`` anchors per cell; weights start with a normal distribution of 0.01, as published."""
        super().__init__()
        self.hidden = nn.Conv2d(channels, channels, 3, has_bias=True, weight_init=Normal(0.01), bias_init="zeros")
        self.logits = nn.Conv2d(channels, anchors, 1, has_bias=True, weight_init=Normal(0.01), bias_init="zeros")
        self.offsets = nn.Conv2d(channels, 4 * anchors, 1, has_bias=True, weight_init=Normal(0.01), bias_init="zeros")

    def construct(self, levels: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Return logits ``(N, A)`` and offsets ``(N, A, 4)`` in the order of `level_anchors`, levels joined."""
        logits, offsets = [], []
        for level in levels:
            hidden = ops.relu(self.hidden(level))
            images = hidden.shape[0]
            logits.append(self.logits(hidden).transpose(0, 2, 3, 1).reshape(images, -1))
            offsets.append(self.offsets(hidden).transpose(0, 2, 3, 1).reshape(images, -1, 4))
        return ops.concat(logits, 1), ops.concat(offsets, 1)


class BoxHead(nn.Cell):
    """Two fully connected layers, then the scores of all classes and a box for each class."""

    def __init__(self, channels: int, size: int, width: int, num_classes: int) -> None:
        """Take features of ``size`` x ``size`` cells; each layer has ``width`` units."""
        super().__init__()
        self.num_classes = num_classes
        self.fc1 = nn.Dense(channels * size * size, width, weight_init="xavier_uniform", bias_init="zeros")
        self.fc2 = nn.Dense(width, width, weight_init="xavier_uniform", bias_init="zeros")
        self.logits = nn.Dense(width, num_classes + 1, weight_init=Normal(0.01), bias_init="zeros")
        self.offsets = nn.Dense(width, 4 * num_classes, weight_init=Normal(0.001), bias_init="zeros")

    def construct(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Map ``(R, channels, size, size)`` to logits ``(R, num_classes + 1)``, background first, and offsets.

        Offsets are ``(R, num_classes, 4)``, for all classes except the background.
        """
        hidden = ops.relu(self.fc1(features.reshape(features.shape[0], -1)))
        hidden = ops.relu(self.fc2(hidden))
        return self.logits(hidden), self.offsets(hidden).reshape(-1, self.num_classes, 4)


class MaskHead(nn.Cell):
    """Convolutions, one transposed, and a mask for every class (He et al. 2017, figure 4, right)."""

    def __init__(self, channels: int, width: int, convs: int, num_classes: int) -> None:
        """Build ``convs`` 3x3 convolutions with ``width`` channels."""
        super().__init__()
        layers: list[nn.Cell] = []
        for index in range(convs):
            inputs = channels if index == 0 else width
            layers += [nn.Conv2d(inputs, width, 3, has_bias=True, weight_init=HeNormal(), bias_init="zeros"), nn.ReLU()]
        self.convs = nn.SequentialCell(layers)
        self.enlarge = nn.Conv2dTranspose(
            width, width, 2, stride=2, pad_mode="valid", has_bias=True, weight_init=HeNormal(), bias_init="zeros"
        )
        self.logits = nn.Conv2d(width, num_classes, 1, has_bias=True, weight_init=Normal(0.001), bias_init="zeros")

    def construct(self, features: Tensor) -> Tensor:
        """Map ``(R, channels, size, size)`` to logits ``(R, num_classes, 2 size, 2 size)``."""
        return self.logits(ops.relu(self.enlarge(self.convs(features))))
