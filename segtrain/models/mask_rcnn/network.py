"""The network of Mask R-CNN, without what chooses boxes between its two stages."""

from __future__ import annotations

import mindspore as ms
from mindspore import Tensor, nn

from segdata.errors import InvalidInputError, suggest
from segtrain.config.mask_rcnn import MaskRcnn
from segtrain.models.mask_rcnn.heads import BoxHead, FeaturePyramid, MaskHead, RpnHead
from segtrain.models.resnet import BACKBONES, ResNet


class MaskRcnnNetwork(nn.Cell):
    """ResNet, feature pyramid and first stage; the heads of the second stage are called by those who chose boxes.

    As published, a ResNet that comes trained keeps its statistics (`freeze_bn`): a batch of two images has none worth
    the name.

    Attributes:
        settings: sizes and thresholds.
        num_classes: classes of objects, background not counted.
        box_head: features to logits ``(R, num_classes + 1)`` and offsets ``(R, num_classes, 4)``.
        mask_head: features to logits ``(R, num_classes, 2 * mask_roi_size, 2 * mask_roi_size)``.
    """

    def __init__(self, settings: MaskRcnn, *, num_classes: int, backbone: str, freeze_bn: bool) -> None:
        """Build the network with new weights.

        Args:
            settings: sizes and thresholds.
            num_classes: classes of objects, 1 or more, background not counted.
            backbone: a key of :data:`~segtrain.models.resnet.BACKBONES`.
            freeze_bn: normalize by the moving statistics in training too.

        Raises:
            InvalidInputError: an unknown backbone, or no class.
        """
        super().__init__()
        if backbone not in BACKBONES:
            raise InvalidInputError(f"no backbone is called {backbone!r}; {suggest(backbone, BACKBONES)}")
        if num_classes < 1:
            raise InvalidInputError(f"number of classes is {num_classes}: expected 1 or more, background not counted")
        self.settings = settings
        self.num_classes = num_classes
        self.backbone = ResNet(BACKBONES[backbone], 32, multi_grid=(1, 1, 1), freeze_bn=freeze_bn)

        channels = settings.fpn_channels
        first = self.backbone.low_level_channels
        self.fpn = FeaturePyramid([first, 2 * first, 4 * first, 8 * first], channels)
        self.rpn = RpnHead(channels, len(settings.anchor_scales) * len(settings.anchor_ratios))
        self.box_head = BoxHead(channels, settings.roi_size, settings.box_head_width, num_classes)
        self.mask_head = MaskHead(channels, settings.mask_head_width, settings.mask_head_convs, num_classes)

    def construct(self, images: Tensor) -> tuple[tuple[Tensor, ...], Tensor, Tensor]:
        """Return the levels of the pyramid that the second stage looks at, and the first stage's output.

        Args:
            images: float32 ``(N, 3, image_height, image_width)``, normalized RGB.

        Returns:
            Levels ``(N, fpn_channels, H, W)``, finest first; logits ``(N, A)`` and offsets ``(N, A, 4)`` of anchors.
        """
        levels = self.fpn(self.backbone.stages(images))
        logits, offsets = self.rpn(levels)
        return levels[:-1], logits, offsets


def set_precision(network: MaskRcnnNetwork, amp: str) -> None:
    """Let a network compute in mixed precision; boxes and losses, which are not its own, stay float32.

    Args:
        network: is changed in place. MindSpore would wrap it in a cell that lacks its heads.
        amp: MindSpore's level, such as ``O0`` or ``O2``.
    """
    for part in (network, network.box_head, network.mask_head):
        ms.amp.auto_mixed_precision(part, amp, ms.float16)
