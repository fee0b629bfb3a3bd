"""Turn the output of the first stage into boxes for the second stage."""

from __future__ import annotations

import numpy as np
from mindspore import Tensor, dtype, nn, ops

from segtrain.config.mask_rcnn import MaskRcnn
from segtrain.models.mask_rcnn.anchors import level_anchors
from segtrain.models.mask_rcnn.boxes import area, clip, decode, gather_rows

#: Score of rows without a box; logits are far above it.
NOTHING = -1e4

#: The offsets of the first stage are not scaled.
RPN_STDS = (1.0, 1.0, 1.0, 1.0)


class Nms(nn.Cell):
    """Non-maximum suppression: of two boxes that overlap by more than a threshold, keep only the first."""

    def __init__(self, threshold: float) -> None:
        """Suppress boxes above this IoU."""
        super().__init__()
        self.suppress = ops.NMSWithMask(threshold)

    def construct(self, boxes: Tensor) -> Tensor:
        """Return which of the boxes ``(A, 4)``, best first, to keep: bool ``(A,)``."""
        number = boxes.shape[0]
        # The operator sorts by score. With ranks as scores, boxes of equal score keep their order.
        ranks = ops.arange(number, 0, -1).astype(dtype.float32).reshape(-1, 1)
        _, _, kept = self.suppress(ops.concat((boxes, ranks), 1))
        return kept


def in_content(anchors: Tensor, sizes: Tensor) -> Tensor:
    """Return which anchors ``(A, 4)`` have their center inside the content of each image: bool ``(N, A)``.

    Args:
        anchors: float32 ``(A, 4)``.
        sizes: height and width of the content, float32 ``(N, 2)``.
    """
    x1, y1, x2, y2 = ops.unstack(ops.expand_dims(anchors, 0), axis=-1)
    height, width = ops.unstack(ops.expand_dims(sizes, 1), axis=-1)
    return ops.logical_and(x1 + x2 < 2 * width, y1 + y2 < 2 * height)


class Proposals(nn.Cell):
    """Choose the boxes with the best scores on every level, without those that overlap a better one on their level."""

    def __init__(self, settings: MaskRcnn, candidates: int, proposals: int) -> None:
        """Suppress among ``candidates`` boxes per level; keep ``proposals`` per image."""
        super().__init__()
        levels = level_anchors(settings)
        self.candidates = candidates
        self.counts = [len(level) for level in levels]
        self.anchors = Tensor(np.concatenate(levels))
        #: Number of boxes per image that `construct` returns.
        self.proposals = min(proposals, sum(min(candidates, count) for count in self.counts))
        self.nms = Nms(settings.rpn_nms)

    def construct(self, logits: Tensor, offsets: Tensor, sizes: Tensor) -> tuple[Tensor, Tensor]:
        """Return proposals, and which rows hold one.

        Args:
            logits: float32 ``(N, A)``, all levels one after the other.
            offsets: float32 ``(N, A, 4)``.
            sizes: height and width of the content, float32 ``(N, 2)``.

        Returns:
            Boxes inside the content, float32 ``(N, proposals, 4)``, best first, and bool ``(N, proposals)``. Gradients
            stop here.
        """
        images = logits.shape[0]
        anchors = ops.expand_dims(self.anchors, 0).broadcast_to((images, -1, -1))
        nothing = ops.full_like(logits, NOTHING)
        scores = ops.select(in_content(self.anchors, sizes), ops.stop_gradient(logits), nothing)
        offsets = ops.stop_gradient(offsets)
        all_boxes, all_scores = [], []
        start = 0
        for count in self.counts:
            best, chosen = ops.topk(scores[:, start : start + count], min(self.candidates, count))
            chosen = chosen.astype(dtype.int32) + start
            start = start + count
            boxes = clip(decode(gather_rows(offsets, chosen), gather_rows(anchors, chosen), RPN_STDS), sizes)
            kept = ops.stack([self.nms(boxes[image]) for image in range(images)])
            kept = ops.logical_and(kept, area(boxes) > 0)
            all_boxes.append(boxes)
            all_scores.append(ops.select(kept, best, ops.full_like(best, NOTHING)))
        scores, chosen = ops.topk(ops.concat(all_scores, 1), self.proposals)
        return gather_rows(ops.concat(all_boxes, 1), chosen.astype(dtype.int32)), scores > NOTHING
