"""Match anchors and proposals with objects or background, and sample those that the network learns from."""

from __future__ import annotations

from mindspore import Tensor, dtype, nn, ops

from segtrain.distributed.ranks import current
from segtrain.models.layers import fixed_bits, random_bits, random_counter
from segtrain.models.mask_rcnn.boxes import coverage, iou


class AnchorMatcher(nn.Cell):
    """Match boxes with the objects of an image.

    A box is positive when its IoU with an object is high enough, and negative when its IoU with every object is low.
    A box with too large a share inside a crowd region is neither: the objects there are not annotated.
    """

    def __init__(
        self, positive_iou: float, negative_iou: float, crowd_overlap: float, rescue_iou: float | None = None
    ) -> None:
        """Set the thresholds.

        Args:
            positive_iou: IoU from which a box is positive.
            negative_iou: IoU below which a box is negative.
            crowd_overlap: share of a box inside a crowd region above which the box is neither.
            rescue_iou: IoU from which the boxes with the highest IoU with an object are always positive, so that every
                object has one; None: no such rule.
        """
        super().__init__()
        self.positive_iou = positive_iou
        self.negative_iou = negative_iou
        self.crowd_overlap = crowd_overlap
        self.rescue_iou = rescue_iou

    def construct(
        self, candidates: Tensor, usable: Tensor, boxes: Tensor, labels: Tensor, crowd: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return which candidates are positive, which are negative, and the object that each overlaps most.

        Args:
            candidates: boxes, float32 ``(N, A, 4)``.
            usable: bool ``(N, A)``; an unusable candidate is neither positive nor negative.
            boxes: float32 ``(N, M, 4)``.
            labels: int32 ``(N, M)``; 0: an unused row.
            crowd: int32 ``(N, M)``; 1: a crowd region.

        Returns:
            Bool ``(N, A)`` twice, and int32 ``(N, A)``, indices of rows in ``boxes``.
        """
        is_crowd = ops.expand_dims((crowd == 1).astype(dtype.float32), 1)
        is_object = ops.expand_dims((labels > 0).astype(dtype.float32), 1) * (1 - is_crowd)
        overlaps = iou(candidates, boxes) * is_object
        best, nearest = ops.max(overlaps, 2)
        positive = best >= self.positive_iou
        negative = best < self.negative_iou
        if self.rescue_iou is not None:
            reachable = overlaps * ops.expand_dims(usable.astype(dtype.float32), 2)
            highest, _ = ops.max(reachable, 1, True)
            rescued = ops.logical_and(reachable == highest, highest >= max(self.rescue_iou, 1e-6))
            # Not every device has a kernel for a Boolean maximum.
            rescued = rescued.astype(dtype.float32).sum(2) > 0
            positive = ops.logical_or(positive, rescued)
            negative = ops.logical_and(negative, ops.logical_not(rescued))
        crowded, _ = ops.max(coverage(candidates, boxes) * is_crowd, 2)
        counted = ops.logical_and(usable, crowded <= self.crowd_overlap)
        return ops.logical_and(positive, counted), ops.logical_and(negative, counted), nearest.astype(dtype.int32)


class BalancedSampler(nn.Cell):
    """Choose positive and negative boxes of each image at random.

    As in `segtrain.models.layers.Dropout`, the choice depends only on a seed and a counter, the counter is a parameter
    that is saved in checkpoints, and each device makes its own choice: that of its part of the joint batch.
    """

    def __init__(self, positives: int, negatives: int, total: int, name: str | None) -> None:
        """Choose at most ``positives`` positive and ``negatives`` negative boxes, and at most ``total`` together.

        The counter is named ``name``; its start is drawn from the seed of ``mindspore.set_seed``. Without a name
        nothing is counted: the choice is the same each time, for an evaluation.
        """
        super().__init__()
        self.positives = positives
        self.negatives = negatives
        self.total = total
        self.counter = random_counter(name) if name else None
        self.rank = current().rank

    def construct(self, positive: Tensor, negative: Tensor) -> tuple[Tensor, Tensor]:
        """Return the chosen boxes, positive ones in the first ``positives`` slots, and which slots are filled.

        Args:
            positive: bool ``(N, A)``.
            negative: bool ``(N, A)``, never true where ``positive`` is.

        Returns:
            Int32 ``(N, positives + negatives)``, 0 to A - 1, and bool of the same shape. Positive and negative slots
            are limited to A each.
        """
        keys = self._keys(positive)
        positives = ops.select(positive, keys, ops.zeros_like(keys))
        negatives = ops.select(negative, keys, ops.zeros_like(keys))
        number = positive.shape[1]
        first, chosen = ops.topk(positives, min(self.positives, number))
        second, others = ops.topk(negatives, min(self.negatives, number))
        taken = first > 0
        left = self.total - taken.astype(dtype.float32).sum(1, keepdims=True)
        place = ops.arange(second.shape[1]).astype(dtype.float32).reshape(1, -1)
        filled = ops.concat((taken, ops.logical_and(second > 0, place < left)), 1)
        return ops.concat((chosen, others), 1).astype(dtype.int32), filled

    def _keys(self, like: Tensor) -> Tensor:
        """Return a random number, 1 to 2^24, for each element."""
        if self.counter is None:
            bits = fixed_bits(like.shape[1]).reshape(1, -1).broadcast_to(like.shape)
        else:
            bits = random_bits(self.counter, like, self.rank)
        return ops.bitwise_and(bits, 0xFFFFFF).astype(dtype.float32) + 1
