"""From the first stage's output to the boxes that the second stage looks at."""

from __future__ import annotations

import numpy as np
from mindspore import Tensor, dtype, nn, ops

from segtrain.config.mask_rcnn import MaskRcnn
from segtrain.models.mask_rcnn.anchors import level_anchors
from segtrain.models.mask_rcnn.boxes import area, clip, decode, gather_rows

#: The score of what is none; logits are far above.
NOTHING = -1e4

#: Offsets of the first stage are learned as they are.
RPN_STDS = (1.0, 1.0, 1.0, 1.0)


class Nms(nn.Cell):
    """Non-maximum suppression: of two boxes that overlap by more than a threshold, only the first stays."""

    def __init__(self, threshold: float) -> None:
        """Suppress above this IoU."""
        super().__init__()
        self.suppress = ops.NMSWithMask(threshold)

    def construct(self, boxes: Tensor) -> Tensor:
        """Return which of ``(A, 4)`` boxes, best first, stay: bool ``(A,)``."""
        number = boxes.shape[0]
        # The operator sorts by score. Ranks as scores keep the order where scores are equal.
        ranks = ops.arange(number, 0, -1).astype(dtype.float32).reshape(-1, 1)
        _, _, kept = self.suppress(ops.concat((boxes, ranks), 1))
        return kept


def in_content(anchors: Tensor, sizes: Tensor) -> Tensor:
    """Return which anchors ``(A, 4)`` have their center in the content of each image: bool ``(N, A)``.

    Args:
        anchors: float32 ``(A, 4)``.
        sizes: height and width of the content, float32 ``(N, 2)``.
    """
    x1, y1, x2, y2 = ops.unstack(ops.expand_dims(anchors, 0), axis=-1)
    height, width = ops.unstack(ops.expand_dims(sizes, 1), axis=-1)
    return ops.logical_and(x1 + x2 < 2 * width, y1 + y2 < 2 * height)


class Proposals(nn.Cell):
    """The best-scored boxes of every level, without those that overlap a better one of their level."""

    def __init__(self, settings: MaskRcnn, candidates: int, proposals: int) -> None:
        """Suppress among ``candidates`` of each level; leave ``proposals`` of an image."""
        super().__init__()
        levels = level_anchors(settings)
        self.candidates = candidates
        self.counts = [len(level) for level in levels]
        self.anchors = Tensor(np.concatenate(levels))
        #: Boxes of an image that `construct` returns.
        self.proposals = min(proposals, sum(min(candidates, count) for count in self.counts))
        self.nms = Nms(settings.rpn_nms)

    def construct(self, logits: Tensor, offsets: Tensor, sizes: Tensor) -> tuple[Tensor, Tensor]:
        """Return proposals and which of them are any.

        Args:
            logits: float32 ``(N, A)``, of all levels one after the other.
            offsets: float32 ``(N, A, 4)``.
            sizes: height and width of the content, float32 ``(N, 2)``.

        Returns:
            Boxes inside the content, float32 ``(N, proposals, 4)``, best first, and bool ``(N, proposals)``. There is
            no gradient.
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
