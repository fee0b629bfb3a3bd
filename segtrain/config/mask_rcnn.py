"""Settings of Mask R-CNN, typed and checked."""

from __future__ import annotations

from typing import ClassVar

from segdata.errors import InvalidInputError
from segtrain.config.networks import AnyNetwork, Backbone
from segtrain.config.values import Count, Fraction, InputSide, Positive


class MaskRcnn(AnyNetwork, frozen=True, kw_only=True, tag="mask_rcnn"):
    """Settings of Mask R-CNN. The defaults are those of MindSpore's model zoo.

    Lengths are in pixels of the network's input. Overlap means intersection over union (IoU) unless noted otherwise.

    Attributes:
        backbone: the ResNet that the network is built on.
        freeze_bn: normalize with the moving statistics during training too.
        sync_bn: normalize with statistics computed over the batches of all devices, not per device.
        head_lr_factor: learning rate factor for every parameter outside the backbone.
        image_height: height of the network's input, a multiple of 32.
        image_width: width of the network's input, a multiple of 32.
        max_instances: largest number of objects per training image; of more, the smallest are left out.
        mask_crop_size: side in cells of the square training mask of an object, which covers the object's box.
        expand: shrink images at random, with a probability of one half, to as little as a quarter of their side, on a
            background of the mean color.
        fpn_channels: channels of every level of the feature pyramid.
        anchor_scales: sides of a square anchor, divided by the stride of its level.
        anchor_ratios: ratios of height to width of the anchors.
        rpn_positive_iou: an anchor with at least this overlap with an object is positive.
        rpn_negative_iou: an anchor with less than this overlap with every object is negative.
        rpn_rescue_iou: the best anchors of an object are positive from this overlap on, even below `rpn_positive_iou`.
        rpn_samples: anchors per image that the first stage learns from.
        rpn_positives: largest number of positive anchors among them.
        rpn_candidates: proposals per level that enter non-maximum suppression, in training.
        rpn_proposals: proposals per image that non-maximum suppression keeps, in training.
        rpn_test_candidates: the same as `rpn_candidates`, in inference.
        rpn_test_proposals: the same as `rpn_proposals`, in inference.
        rpn_nms: overlap above which non-maximum suppression removes the lower-scored of two proposals.
        roi_positives: largest number of proposals per image from which the second stage learns objects.
        roi_negatives: largest number of proposals per image from which the second stage learns background.
        roi_iou: a proposal with at least this overlap with an object is positive.
        crowd_overlap: anchors and proposals with a larger share than this inside a crowd region are excluded from
            training.
        roi_size: side in cells of the box head's input features.
        mask_roi_size: side in cells of the mask head's input features; its masks are twice as large.
        sampling_ratio: samples along each side of such a cell.
        finest_scale: proposals use the second level once the square root of their area reaches twice this value.
        box_stds: divisors of the box offsets in the second stage: x, y, width, height.
        box_head_width: units in each of the box head's two layers.
        mask_head_width: channels of the mask head.
        mask_head_convs: number of 3x3 convolutions in the mask head.
        test_score: smallest score of a detection.
        test_candidates: detections per image that enter non-maximum suppression.
        test_nms: overlap above which non-maximum suppression removes the lower-scored of two detections of a class.
        max_detections: detections per image that remain.
    """

    FAMILY: ClassVar[str] = "mask_rcnn"

    backbone: Backbone = "resnet50"
    freeze_bn: bool = False
    sync_bn: bool = False
    head_lr_factor: Positive = 1.0
    image_height: InputSide = 768
    image_width: InputSide = 1280
    max_instances: Count = 128
    mask_crop_size: Count = 56
    expand: bool = False
    fpn_channels: Count = 256
    anchor_scales: tuple[Positive, ...] = (8.0,)
    anchor_ratios: tuple[Positive, ...] = (0.5, 1.0, 2.0)
    rpn_positive_iou: Fraction = 0.7
    rpn_negative_iou: Fraction = 0.3
    rpn_rescue_iou: Fraction = 0.3
    rpn_samples: Count = 256
    rpn_positives: Count = 128
    rpn_candidates: Count = 2000
    rpn_proposals: Count = 2000
    rpn_test_candidates: Count = 1000
    rpn_test_proposals: Count = 1000
    rpn_nms: Fraction = 0.7
    roi_positives: Count = 128
    roi_negatives: Count = 512
    roi_iou: Fraction = 0.5
    crowd_overlap: Fraction = 0.5
    roi_size: Count = 7
    mask_roi_size: Count = 14
    sampling_ratio: Count = 2
    finest_scale: Positive = 56.0
    box_stds: tuple[Positive, Positive, Positive, Positive] = (0.1, 0.1, 0.2, 0.2)
    box_head_width: Count = 1024
    mask_head_width: Count = 256
    mask_head_convs: Count = 4
    test_score: Fraction = 0.05
    test_candidates: Count = 1000
    test_nms: Fraction = 0.5
    max_detections: Count = 100

    def __post_init__(self) -> None:
        """Check settings that depend on each other."""
        super().__post_init__()
        for side in ("image_height", "image_width"):
            if getattr(self, side) % 32:
                raise InvalidInputError(
                    f"{side} = {getattr(self, side)}: expected a multiple of 32, the output stride of the backbone"
                )
        if not self.anchor_scales or not self.anchor_ratios:
            raise InvalidInputError("anchor_scales and anchor_ratios: expected at least one number in each")
        if self.rpn_negative_iou > self.rpn_positive_iou:
            raise InvalidInputError(
                f"rpn_negative_iou = {self.rpn_negative_iou}: above rpn_positive_iou = {self.rpn_positive_iou}; "
                "expected at most that"
            )
        if self.rpn_positives > self.rpn_samples:
            raise InvalidInputError(
                f"rpn_positives = {self.rpn_positives}: above rpn_samples = {self.rpn_samples}, the number of positive "
                "and negative anchors together; expected at most that"
            )
