"""DeepLabV3 (Chen et al. 2017, "Rethinking Atrous Convolution for Semantic Image Segmentation")."""

from __future__ import annotations

from collections.abc import Sequence

from mindspore import Tensor, nn

from segtrain.models.aspp import ASPP
from segtrain.models.layers import Resize, conv
from segtrain.models.resnet import BACKBONES, OutputStride, ResNet


class DeepLabV3(nn.Cell):
    """ResNet, ASPP and a classifier on the coarse features; maps images to logits of the same size."""

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
            output_stride: input size divided by the size of the features for ASPP and classifier.
            atrous_rates: dilations of ASPP's 3x3 branches.
            freeze_bn: normalize with the moving statistics during training too.
        """
        super().__init__()
        channels = 256
        self.backbone = ResNet(BACKBONES[backbone], output_stride, freeze_bn=freeze_bn)
        self.aspp = ASPP(self.backbone.out_channels, atrous_rates, channels=channels, freeze_bn=freeze_bn)
        # Unlike the classifier of DeepLabV3+, the published one has a bias.
        self.classifier = conv(channels, num_classes, 1, has_bias=True)
        self.resize = Resize()

    def construct(self, x: Tensor) -> Tensor:
        """Map float ``(N, 3, H, W)`` (normalized RGB) to logits ``(N, num_classes, H, W)``; any H and W."""
        _, features = self.backbone(x)
        return self.resize(self.classifier(self.aspp(features)), x.shape[2:])
