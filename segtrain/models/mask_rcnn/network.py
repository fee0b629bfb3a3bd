"""Network of Mask R-CNN, without the choice of boxes between its two stages."""

from __future__ import annotations

import mindspore as ms
from mindspore import Tensor, nn

from segdata.errors import InvalidInputError
from segtrain.config.mask_rcnn import MaskRcnn
from segtrain.models.mask_rcnn.heads import BoxHead, FeaturePyramid, MaskHead, RpnHead
from segtrain.models.resnet import BACKBONES, ResNet


class MaskRcnnNetwork(nn.Cell):
    """ResNet, feature pyramid and first stage; whoever chooses the boxes calls the heads of the second stage.

    As published, a pretrained ResNet keeps its statistics (`freeze_bn`): a batch of two images gives no useful ones.

    Attributes:
        settings: backbone, sizes and thresholds.
        num_classes: number of object classes, background excluded.
        box_head: maps features to logits ``(R, num_classes + 1)`` and offsets ``(R, num_classes, 4)``.
        mask_head: maps features to logits ``(R, num_classes, 2 * mask_roi_size, 2 * mask_roi_size)``.
    """

    def __init__(self, settings: MaskRcnn, num_classes: int) -> None:
        """Build the network with new weights.

        Args:
            settings: backbone, sizes and thresholds.
            num_classes: number of object classes, 1 or more, background excluded.

        Raises:
            InvalidInputError: when there are no classes.
        """
        super().__init__()
        if num_classes < 1:
            raise InvalidInputError(f"number of classes is {num_classes}; expected at least 1, background excluded")
        self.settings = settings
        self.num_classes = num_classes
        self.backbone = ResNet(BACKBONES[settings.backbone], 32, multi_grid=(1, 1, 1), freeze_bn=settings.freeze_bn)

        channels = settings.fpn_channels
        first = self.backbone.low_level_channels
        self.fpn = FeaturePyramid([first, 2 * first, 4 * first, 8 * first], channels)
        self.rpn = RpnHead(channels, len(settings.anchor_scales) * len(settings.anchor_ratios))
        self.box_head = BoxHead(channels, settings.roi_size, settings.box_head_width, num_classes)
        self.mask_head = MaskHead(channels, settings.mask_head_width, settings.mask_head_convs, num_classes)

    def construct(self, images: Tensor) -> tuple[tuple[Tensor, ...], Tensor, Tensor]:
        """Return the levels of the pyramid for the second stage, and the output of the first stage.

        Args:
            images: float32 ``(N, 3, image_height, image_width)``, normalized RGB.

        Returns:
            Levels ``(N, fpn_channels, H, W)``, finest first; logits ``(N, A)`` and offsets ``(N, A, 4)`` per anchor.
        """
        levels = self.fpn(self.backbone.stages(images))
        logits, offsets = self.rpn(levels)
        return levels[:-1], logits, offsets


def set_precision(network: MaskRcnnNetwork, amp: str) -> None:
    """Set a network to mixed precision; boxes and losses, which are computed outside it, stay float32.

    Args:
        network: the network to change in place; MindSpore would wrap it in a cell without its heads.
        amp: MindSpore's mixed precision level, such as ``O0`` or ``O2``.
    """
    for part in (network, network.box_head, network.mask_head):
        ms.amp.auto_mixed_precision(part, amp, ms.float16)
