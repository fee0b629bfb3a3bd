"""Training loss of Mask R-CNN: maps a batch to a loss and its five parts."""

from __future__ import annotations

from mindspore import Tensor, dtype, nn, ops

from segtrain.distributed.ranks import ALONE, current
from segtrain.models.mask_rcnn.assignment import AnchorMatcher, BalancedSampler
from segtrain.models.mask_rcnn.boxes import encode, gather_rows
from segtrain.models.mask_rcnn.losses import SampleCount, binary_loss, box_loss, class_loss, of_class
from segtrain.models.mask_rcnn.mask_targets import mask_targets
from segtrain.models.mask_rcnn.network import MaskRcnnNetwork
from segtrain.models.mask_rcnn.proposals import RPN_STDS, Proposals, in_content
from segtrain.models.mask_rcnn.roi_align import RegionFeatures

#: Names of the loss's parts, in the order in which `MaskRcnnLoss` returns them.
LOSS_PARTS = ("rpn_cls", "rpn_box", "box_cls", "box_reg", "mask")

#: Deviation at which the loss of an offset changes from quadratic to linear, in the first and second stage.
RPN_BETA, ROI_BETA = 1 / 9, 1.0


class MaskRcnnLoss(nn.Cell):
    """Network and targets; maps images and their objects to the loss."""

    def __init__(self, network: MaskRcnnNetwork, *, evaluates: bool = False) -> None:
        """Train ``network``; its parameters keep their names, and counters for random sampling are added.

        With ``evaluates``, nothing is added or changed: the same boxes are sampled each time, and those of other
        devices do not count.
        """
        super().__init__(auto_prefix=False)
        settings = network.settings
        self.network = network
        self.settings = settings
        self.proposals = Proposals(settings, settings.rpn_candidates, settings.rpn_proposals)
        self.regions = RegionFeatures(settings)
        self.rpn_match = AnchorMatcher(
            settings.rpn_positive_iou, settings.rpn_negative_iou, settings.crowd_overlap, settings.rpn_rescue_iou
        )
        self.roi_match = AnchorMatcher(settings.roi_iou, settings.roi_iou, settings.crowd_overlap)
        samples = settings.rpn_samples
        self.rpn_sample = BalancedSampler(
            settings.rpn_positives, samples, samples, None if evaluates else "rpn_sample.counter"
        )
        positives, negatives = settings.roi_positives, settings.roi_negatives
        self.roi_sample = BalancedSampler(
            positives, negatives, positives + negatives, None if evaluates else "roi_sample.counter"
        )
        self.count = SampleCount(ALONE if evaluates else current())

    def construct(
        self, images: Tensor, sizes: Tensor, boxes: Tensor, labels: Tensor, crowd: Tensor, masks: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Return the loss and then its parts, all float32 scalars.

        Args:
            images: float32 ``(N, 3, image_height, image_width)``, normalized RGB, 0 beyond the content.
            sizes: height and width of the content, float32 ``(N, 2)``.
            boxes: float32 ``(N, M, 4)``, 0 in unused rows.
            labels: int32 ``(N, M)``, 1 to num_classes, 0 in unused rows.
            crowd: int32 ``(N, M)``, 1 where a box is a crowd region.
            masks: masks cropped to their boxes, float32 ``(N, M, S, S)``, 0 to 1.

        Returns:
            The sum, and the parts in the order of `LOSS_PARTS`. Each part is a mean over the samples from the batch,
            or with several devices its share of that over their joint batch: see `SampleCount`. Without objects, the
            parts for boxes and masks are 0.
        """
        levels, logits, offsets = self.network(images)
        canvas = self.regions(levels)
        logits, offsets = logits.astype(dtype.float32), offsets.astype(dtype.float32)
        rpn_cls, rpn_box = self._first_stage(logits, offsets, sizes, boxes, labels, crowd)

        proposals, proposed = self.proposals(logits, offsets, sizes)
        is_object = ops.logical_and(labels > 0, crowd != 1)
        # Propose the objects themselves too: at the start of training, nothing else overlaps them.
        candidates, usable = ops.concat((proposals, boxes), 1), ops.concat((proposed, is_object), 1)
        positive, negative, nearest = self.roi_match(candidates, usable, boxes, labels, crowd)
        chosen, filled = self.roi_sample(positive, negative)
        rois = gather_rows(candidates, chosen)
        instances = ops.gather_elements(nearest, 1, chosen)
        number = min(self.settings.roi_positives, candidates.shape[1])
        box_cls, box_reg = self._boxes(canvas, rois, filled, instances, number, boxes, labels)
        mask = self._masks(canvas, rois[:, :number], filled[:, :number], instances[:, :number], boxes, labels, masks)
        return rpn_cls + rpn_box + box_cls + box_reg + mask, rpn_cls, rpn_box, box_cls, box_reg, mask

    def _first_stage(
        self, logits: Tensor, offsets: Tensor, sizes: Tensor, boxes: Tensor, labels: Tensor, crowd: Tensor
    ) -> tuple[Tensor, Tensor]:
        anchors = ops.expand_dims(self.proposals.anchors, 0)
        usable = in_content(self.proposals.anchors, sizes)
        positive, negative, nearest = self.rpn_match(anchors, usable, boxes, labels, crowd)
        chosen, filled = self.rpn_sample(positive, negative)
        number = min(self.settings.rpn_positives, logits.shape[1])
        wanted = (ops.arange(chosen.shape[1]) < number).astype(dtype.float32).reshape(1, -1).broadcast_to(chosen.shape)
        sampled = self.count(filled)
        classes = binary_loss(ops.gather_elements(logits, 1, chosen), wanted, filled, sampled)

        chosen, positives = chosen[:, :number], filled[:, :number]
        targets = gather_rows(boxes, ops.gather_elements(nearest, 1, chosen))
        targets = encode(targets, gather_rows(anchors.broadcast_to(offsets.shape), chosen), RPN_STDS)
        return classes, box_loss(gather_rows(offsets, chosen), targets, positives, sampled, RPN_BETA)

    def _boxes(
        self,
        canvas: Tensor,
        rois: Tensor,
        filled: Tensor,
        instances: Tensor,
        number: int,
        boxes: Tensor,
        labels: Tensor,
    ) -> tuple[Tensor, Tensor]:
        images, slots = filled.shape
        features = self.regions.for_boxes(canvas, rois, filled)
        logits, offsets = self.network.box_head(features)
        own = ops.gather_elements(labels, 1, instances[:, :number])
        wanted = ops.concat((own, ops.zeros((images, slots - number), dtype.int32)), 1)
        sampled = self.count(filled)
        classes = class_loss(logits.astype(dtype.float32), wanted.reshape(-1), filled.reshape(-1), sampled)

        offsets = offsets.astype(dtype.float32).reshape(images, slots, self.network.num_classes, 4)[:, :number]
        found = of_class(offsets.reshape(images * number, -1, 4), own.reshape(-1)).reshape(images, number, 4)
        targets = encode(gather_rows(boxes, instances[:, :number]), rois[:, :number], self.settings.box_stds)
        return classes, box_loss(found, targets, filled[:, :number], sampled, ROI_BETA)

    def _masks(
        self,
        canvas: Tensor,
        rois: Tensor,
        filled: Tensor,
        instances: Tensor,
        boxes: Tensor,
        labels: Tensor,
        masks: Tensor,
    ) -> Tensor:
        images, instances_limit, cells, _ = masks.shape
        features = self.regions.for_masks(canvas, rois, filled)
        logits = self.network.mask_head(features).astype(dtype.float32)
        size = logits.shape[-1]
        own = ops.gather_elements(labels, 1, instances).reshape(-1)
        found = of_class(logits.reshape(-1, self.network.num_classes, size * size), own)
        crops = gather_rows(masks.astype(dtype.float32).reshape(images, instances_limit, -1), instances)
        targets = mask_targets(
            crops.reshape(-1, cells, cells), gather_rows(boxes, instances).reshape(-1, 4), rois.reshape(-1, 4), size
        )
        counted = filled.reshape(-1, 1).broadcast_to(found.shape)
        return binary_loss(found, targets.reshape(-1, size * size), counted, self.count(counted))
