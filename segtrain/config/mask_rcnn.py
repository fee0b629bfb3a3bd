"""The sizes and thresholds of Mask R-CNN: typed and checked."""

from __future__ import annotations

from dataclasses import dataclass

from segdata.errors import InvalidInputError
from segtrain.config.values import Count, Fraction, InputSide, Positive


@dataclass(frozen=True, kw_only=True)
class MaskRcnn:
    """What Mask R-CNN has beside its backbone. The defaults are those of MindSpore's model zoo.

    Lengths are in pixels of the network's input; an overlap is an intersection over union (IoU) unless said otherwise.

    Attributes:
        image_height: height of the network's input, a multiple of 32.
        image_width: width of the network's input, a multiple of 32.
        max_instances: rows of objects an image has in a batch.
        mask_crop_size: side of the square that the mask of an object, cropped to its box, has in a batch.
        expand: also show images smaller, up to four times, on the mean color, in every second place of a batch.
        fpn_channels: channels of every level of the feature pyramid.
        anchor_scales: side of a square anchor over the stride of its level.
        anchor_ratios: height over width of the anchors.
        rpn_positive_iou: overlap with an object from which an anchor is positive.
        rpn_negative_iou: overlap with every object below which an anchor is negative.
        rpn_rescue_iou: overlap from which the best anchors of an object are positive whatever the overlap.
        rpn_samples: anchors of an image that the first stage learns from.
        rpn_positives: how many of them are positive at most.
        rpn_candidates: proposals of a level that non-maximum suppression gets, in training.
        rpn_proposals: proposals of an image that it leaves, in training.
        rpn_test_candidates: the same in use.
        rpn_test_proposals: the same in use.
        rpn_nms: overlap from which it removes the lower-scored of two proposals.
        roi_positives: proposals of an image that the second stage learns objects from, at most.
        roi_negatives: proposals of an image that it learns background from, at most.
        roi_iou: overlap with an object from which a proposal is positive.
        crowd_overlap: share of an anchor or proposal inside a crowd region above which it is left out of training.
        roi_size: side in cells of the features that the box head sees.
        mask_roi_size: side in cells of the features that the mask head sees; its masks have twice as many.
        sampling_ratio: samples along each side of such a cell.
        finest_scale: proposals with twice this root of their area begin to be looked at on the second level.
        box_stds: what the offsets of boxes, x, y, width, height, are divided by in the second stage.
        box_head_width: units of the box head's two layers.
        mask_head_width: channels of the mask head.
        mask_head_convs: its 3x3 convolutions.
        test_score: score from which a detection counts.
        test_candidates: detections of an image that non-maximum suppression gets.
        test_nms: overlap from which it removes the lower-scored of two detections of a class.
        max_detections: detections of an image that are left.
    """

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
        """Check what no single type shows."""
        for side in ("image_height", "image_width"):
            if getattr(self, side) % 32:
                raise InvalidInputError(
                    f"{side} = {getattr(self, side)}: expected a multiple of 32, the stride of the backbone"
                )
        if not self.anchor_scales or not self.anchor_ratios:
            raise InvalidInputError("anchor_scales and anchor_ratios: expected at least one number in each")
        if self.rpn_negative_iou > self.rpn_positive_iou:
            raise InvalidInputError(
                f"rpn_negative_iou = {self.rpn_negative_iou} is above rpn_positive_iou = {self.rpn_positive_iou}"
            )
        if self.rpn_positives > self.rpn_samples:
            raise InvalidInputError(
                f"rpn_positives = {self.rpn_positives} is above rpn_samples = {self.rpn_samples}, "
                "the number of all, positive or not"
            )
