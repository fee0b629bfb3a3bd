"""Inference with Mask R-CNN: maps images to boxes, scores, labels and masks."""

from __future__ import annotations

from mindspore import Tensor, dtype, nn, ops

from segtrain.models.mask_rcnn.boxes import area, clip, decode, gather_rows
from segtrain.models.mask_rcnn.losses import of_class
from segtrain.models.mask_rcnn.network import MaskRcnnNetwork
from segtrain.models.mask_rcnn.proposals import Nms, Proposals
from segtrain.models.mask_rcnn.roi_align import RegionFeatures


class MaskRcnnDetector(nn.Cell):
    """The network and its postprocessing, with a fixed number of rows for detections."""

    def __init__(self, network: MaskRcnnNetwork) -> None:
        """Detect with ``network``; its parameters keep their names."""
        super().__init__(auto_prefix=False)
        settings = network.settings
        self.network = network
        self.settings = settings
        self.proposals = Proposals(settings, settings.rpn_test_candidates, settings.rpn_test_proposals)
        self.regions = RegionFeatures(settings)
        pairs = self.proposals.proposals * network.num_classes
        self.candidates = min(settings.test_candidates, pairs)
        #: Number of rows per image that `construct` returns.
        self.detections = min(settings.max_detections, self.candidates)
        self.nms = Nms(settings.test_nms)

    def construct(self, images: Tensor, sizes: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Return the detections in a batch, best first, D = `detections` per image.

        Args:
            images: float32 ``(N, 3, image_height, image_width)``, normalized RGB, 0 beyond the content.
            sizes: height and width of the content, float32 ``(N, 2)``.

        Returns:
            Boxes inside the content, float32 ``(N, D, 4)``; scores, float32 ``(N, D)``, 0 to 1; labels, int32
            ``(N, D)``, 1 to num_classes; which rows are detections, bool ``(N, D)``; object probability of each cell
            of the box, float32 ``(N, D, m, m)`` with m = 2 * mask_roi_size.
        """
        levels, logits, offsets = self.network(images)
        canvas = self.regions(levels)
        proposals, proposed = self.proposals(logits.astype(dtype.float32), offsets.astype(dtype.float32), sizes)
        boxes, scores, labels = self._candidates(canvas, proposals, proposed, sizes)
        boxes, scores, labels = self._best(boxes, scores, labels)
        valid = ops.logical_and(scores > 0, scores >= self.settings.test_score)

        features = self.regions.for_masks(canvas, boxes, valid)
        mask_logits = self.network.mask_head(features).astype(dtype.float32)
        size = mask_logits.shape[-1]
        own = of_class(mask_logits.reshape(-1, self.network.num_classes, size * size), labels.reshape(-1))
        return boxes, scores, labels, valid, ops.sigmoid(own).reshape(-1, self.detections, size, size)

    def _candidates(
        self, canvas: Tensor, proposals: Tensor, proposed: Tensor, sizes: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return the best pairs of proposal and class, each with the box of its class: (N, C, 4), (N, C), (N, C)."""
        images, number, _ = proposals.shape
        classes = self.network.num_classes
        features = self.regions.for_boxes(canvas, proposals, proposed)
        logits, offsets = self.network.box_head(features)
        scores = ops.softmax(logits.astype(dtype.float32), -1)[:, 1:].reshape(images, number, classes)
        scores = scores * ops.expand_dims(proposed.astype(dtype.float32), 2)
        best, pairs = ops.topk(scores.reshape(images, -1), self.candidates)
        pairs = pairs.astype(dtype.int32)
        rows = pairs // classes
        chosen = gather_rows(offsets.astype(dtype.float32).reshape(images, -1, 4), pairs)
        boxes = clip(decode(chosen, gather_rows(proposals, rows), self.settings.box_stds), sizes)
        return boxes, best, pairs - rows * classes + 1

    def _best(self, boxes: Tensor, scores: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the best detections after non-maximum suppression within each class; suppressed ones score 0."""
        # Move boxes of different classes far apart, so that they do not suppress each other.
        side = max(self.settings.image_height, self.settings.image_width) + 1
        apart = boxes + ops.expand_dims(labels.astype(dtype.float32) * side, 2)
        kept = ops.stack([self.nms(apart[image]) for image in range(boxes.shape[0])])
        kept = ops.logical_and(kept, area(boxes) > 0)
        best, chosen = ops.topk(ops.select(kept, scores, ops.zeros_like(scores)), self.detections)
        chosen = chosen.astype(dtype.int32)
        return gather_rows(boxes, chosen), best, ops.gather_elements(labels, 1, chosen)
