"""Atrous spatial pyramid pooling (Chen et al. 2017, "Rethinking Atrous Convolution", section 3.3)."""

from __future__ import annotations

from collections.abc import Sequence

from mindspore import Tensor, nn, ops

from segtrain.models.layers import ConvBNReLU, Dropout, batch_norm, conv

#: Dropout probability of the published models.
DROP = 0.7


class ImagePooling(nn.Cell):
    """Image-level branch: global mean, 1x1 convolution, BN, ReLU, broadcast to the input's size."""

    def __init__(self, in_channels: int, out_channels: int, *, freeze_bn: bool) -> None:
        """Map ``in_channels`` to ``out_channels``."""
        super().__init__()
        self.conv = conv(in_channels, out_channels, 1)
        self.bn = batch_norm(out_channels, freeze_bn=freeze_bn)
        self.relu = nn.ReLU()

    def construct(self, x: Tensor) -> Tensor:
        """Map ``(N, in, H, W)`` to ``(N, out, H, W)``, constant over H and W; any H and W."""
        y = self.bn(self.conv(x.mean((2, 3), keep_dims=True)))
        return ops.broadcast_to(self.relu(y), (-1, -1, *x.shape[2:]))


class ASPP(nn.Cell):
    """A 1x1 branch, a 3x3 branch per atrous rate and image pooling; then concatenation, 1x1 projection, dropout."""

    def __init__(
        self,
        in_channels: int,
        atrous_rates: Sequence[int],
        *,
        channels: int = 256,
        freeze_bn: bool,
        drop: float = DROP,
    ) -> None:
        """Build ``2 + len(atrous_rates)`` branches with ``channels`` channels each.

        The published rates are 6, 12, 18, even for output stride 8, where the paper doubles them.
        """
        super().__init__()
        self.branches = nn.CellList(
            [
                ConvBNReLU(in_channels, channels, 1, freeze_bn=freeze_bn),
                *(ConvBNReLU(in_channels, channels, 3, dilation=rate, freeze_bn=freeze_bn) for rate in atrous_rates),
                ImagePooling(in_channels, channels, freeze_bn=freeze_bn),
            ]
        )
        self.project = ConvBNReLU(len(self.branches) * channels, channels, 1, freeze_bn=freeze_bn)
        self.dropout = Dropout(drop)

    def construct(self, x: Tensor) -> Tensor:
        """Map ``(N, in_channels, H, W)`` to ``(N, channels, H, W)``."""
        return self.dropout(self.project(ops.cat([branch(x) for branch in self.branches], 1)))
