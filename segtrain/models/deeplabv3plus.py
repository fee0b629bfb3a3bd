"""DeepLabV3+ (Chen et al. 2018, "Encoder-Decoder with Atrous Separable Convolution").

As in the published MindSpore models, the convolutions of ASPP and decoder are plain, not separable.
"""

from __future__ import annotations

from collections.abc import Sequence

from mindspore import Tensor, nn, ops

from segtrain.models.aspp import ASPP
from segtrain.models.layers import ConvBNReLU, Resize, conv
from segtrain.models.resnet import BACKBONES, OutputStride, ResNet


class Decoder(nn.Cell):
    """Join coarse and stride-4 features, and classify every stride-4 pixel."""

    def __init__(self, low_level_channels: int, channels: int, num_classes: int, *, freeze_bn: bool) -> None:
        """Reduce the low-level features to 48 channels; the joint features have ``channels`` channels."""
        super().__init__()
        self.reduce = ConvBNReLU(low_level_channels, 48, 1, freeze_bn=freeze_bn)
        self.fuse = nn.SequentialCell(
            ConvBNReLU(channels + 48, channels, 3, freeze_bn=freeze_bn),
            ConvBNReLU(channels, channels, 3, freeze_bn=freeze_bn),
        )
        self.classifier = conv(channels, num_classes, 1)
        self.resize = Resize()

    def construct(self, low_level: Tensor, features: Tensor) -> Tensor:
        """Map ``(N, low_level_channels, H, W)`` and ``(N, channels, h, w)`` to logits ``(N, num_classes, H, W)``."""
        features = self.resize(features, low_level.shape[2:])
        return self.classifier(self.fuse(ops.cat((features, self.reduce(low_level)), 1)))


class DeepLabV3Plus(nn.Cell):
    """ResNet, ASPP and decoder; maps images to logits of the same size."""

    def __init__(
        self,
        *,
        num_classes: int,
        backbone: str,
        output_stride: OutputStride,
        atrous_rates: Sequence[int] = (6, 12, 18),
        freeze_bn: bool = False,
    ) -> None:
        """Build the network.

        Args:
            num_classes: channels of the logits, background included.
            backbone: a key of :data:`~segtrain.models.resnet.BACKBONES`.
            output_stride: input size divided by the size of the features for ASPP.
            atrous_rates: dilations of ASPP's 3x3 branches.
            freeze_bn: normalize with the moving statistics during training too.
        """
        super().__init__()
        channels = 256
        self.backbone = ResNet(BACKBONES[backbone], output_stride, freeze_bn=freeze_bn)
        self.aspp = ASPP(self.backbone.out_channels, atrous_rates, channels=channels, freeze_bn=freeze_bn)
        self.decoder = Decoder(self.backbone.low_level_channels, channels, num_classes, freeze_bn=freeze_bn)
        self.resize = Resize()

    def construct(self, x: Tensor) -> Tensor:
        """Map float ``(N, 3, H, W)`` (normalized RGB) to logits ``(N, num_classes, H, W)``; any H and W."""
        low_level, features = self.backbone(x)
        return self.resize(self.decoder(low_level, self.aspp(features)), x.shape[2:])
