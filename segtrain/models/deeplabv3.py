"""DeepLabV3 (Chen et al. 2017, "Rethinking Atrous Convolution for Semantic Image Segmentation")."""

from __future__ import annotations

from collections.abc import Sequence

from mindspore import Tensor, nn

from segtrain.config.networks import Form
from segtrain.models.aspp import ASPP, DROP
from segtrain.models.layers import ConvBNReLU, Resize, conv
from segtrain.models.resnet import BACKBONES, MULTI_GRID, OutputStride, ResNet


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
        form: Form = "published",
    ) -> None:
        """Build the network.

        Args:
            num_classes: channels of the logits, background included.
            backbone: a key of :data:`~segtrain.models.resnet.BACKBONES`.
            output_stride: input size divided by the size of the features for ASPP and classifier.
            atrous_rates: dilations of ASPP's 3x3 branches.
            freeze_bn: normalize with the moving statistics during training too.
            form: `segtrain.config.networks.DeepLabV3S8` describes the two.
        """
        super().__init__()
        channels = 256
        # torchvision/models/segmentation/deeplabv3.py, and `replace_stride_with_dilation` in its models/resnet.py.
        torchvision = form == "torchvision"
        multi_grid = (1, 1, 1) if torchvision else MULTI_GRID
        self.backbone = ResNet(BACKBONES[backbone], output_stride, multi_grid, freeze_bn=freeze_bn, gradual=torchvision)
        self.aspp = ASPP(
            self.backbone.out_channels,
            atrous_rates,
            channels=channels,
            freeze_bn=freeze_bn,
            drop=0.5 if torchvision else DROP,
        )
        self.head = ConvBNReLU(channels, channels, 3, freeze_bn=freeze_bn) if torchvision else nn.Identity()
        # Unlike the classifier of DeepLabV3+, the published one has a bias.
        self.classifier = conv(channels, num_classes, 1, has_bias=True)
        self.resize = Resize(align_corners=not torchvision)

    def construct(self, x: Tensor) -> Tensor:
        """Map float ``(N, 3, H, W)`` (normalized RGB) to logits ``(N, num_classes, H, W)``; any H and W."""
        _, features = self.backbone(x)
        return self.resize(self.classifier(self.head(self.aspp(features))), x.shape[2:])
