"""Losses that training minimizes."""

from __future__ import annotations

import math
from collections.abc import Sequence

from mindspore import Tensor, dtype, nn, ops

from segtrain.config.choices import DiceCrossEntropy, Loss, Ohem


def build_loss(loss: Loss, ignore_label: int) -> nn.Cell:
    """Return the configured loss, which maps logits and labels to a float32 scalar; see `PixelCrossEntropy`."""
    if isinstance(loss, Ohem):
        return HardPixelCrossEntropy(ignore_label, loss.ohem_share, loss.class_weights)
    kind = CrossEntropyDice if isinstance(loss, DiceCrossEntropy) else PixelCrossEntropy
    return kind(ignore_label, loss.class_weights)


class PixelLosses(nn.Cell):
    """Softmax cross entropy and weight of each pixel.

    An ignored pixel has weight 0. A pixel whose label is neither a class nor the ignore label has weight NaN: a graph
    cannot raise an error, and one-hot encoding would silently turn such a pixel into zeros.

    On a CPU, one-hot rows with the fused softmax cross entropy take about a quarter of the time of
    ``ops.cross_entropy``, forward and backward passes together.
    """

    def __init__(self, ignore_label: int, class_weights: Sequence[float] | None) -> None:
        """Weight pixels by class; None: every pixel has weight 1."""
        super().__init__()
        self.ignore_label = ignore_label
        self.class_weights = None if class_weights is None else Tensor(class_weights, dtype.float32)
        self.cross_entropy = nn.SoftmaxCrossEntropyWithLogits(sparse=False, reduction="none")

    def construct(self, logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Map float ``(N, K, H, W)`` and int32 ``(N, H, W)`` to losses and weights, both float32 ``(N * H * W,)``."""
        classes = logits.shape[1]
        rows = logits.astype(dtype.float32).transpose(0, 2, 3, 1).reshape(-1, classes)
        labels = labels.reshape(-1)
        one, zero = Tensor(1.0, dtype.float32), Tensor(0.0, dtype.float32)
        losses = self.cross_entropy(rows, ops.one_hot(labels, classes, one, zero))

        counted = labels != self.ignore_label
        foreign = ops.logical_or(labels < 0, labels >= classes)
        weights = ops.select(ops.logical_and(counted, foreign), math.nan, counted.astype(dtype.float32))
        if self.class_weights is not None:
            weights = weights * ops.gather(self.class_weights, ops.clamp(labels, 0, classes - 1), 0)
        return losses, weights


class PixelCrossEntropy(nn.Cell):
    """Mean softmax cross entropy over the labeled pixels, weighted by class as in PyTorch.

    If every pixel in a batch is ignored, the loss is exactly 0 and the gradient is zero. An invalid label gives NaN.
    """

    def __init__(self, ignore_label: int, class_weights: Sequence[float] | None = None) -> None:
        """Ignore pixels labeled ``ignore_label``; ``class_weights`` has a weight of 0 or more for each class."""
        super().__init__()
        self.pixels = PixelLosses(ignore_label, class_weights)

    def construct(self, logits: Tensor, labels: Tensor, pixel_weights: Tensor | None = None) -> Tensor:
        """Return the loss, computed in float32.

        Args:
            logits: float ``(N, K, H, W)``.
            labels: int32 ``(N, H, W)``, each 0 to K - 1 or the ignore label.
            pixel_weights: factors on the class weights, float32 ``(N, H, W)``, 0 or more, for example from
                `segtrain.data.semantic.border_weights`; None: every factor is 1.

        Returns:
            A float32 scalar.
        """
        losses, weights = self.pixels(logits, labels)
        if pixel_weights is not None:
            weights = weights * pixel_weights.reshape(-1)
        return _weighted_mean(losses, weights)


class CrossEntropyDice(nn.Cell):
    """Sum of `PixelCrossEntropy`, which scores single pixels, and a soft dice loss, which scores areas.

    The dice loss is the mean of ``1 - 2 <p, y> / (sum p + sum y)`` over the classes in the batch, each computed over
    all labeled pixels of the batch; a batch without labels gives 0. It does not use class weights: a rare class counts
    as much as a common one. The unweighted sum of the two follows Isensee et al. 2021, "nnU-Net".
    """

    def __init__(self, ignore_label: int, class_weights: Sequence[float] | None = None) -> None:
        """Ignore pixels labeled ``ignore_label``; ``class_weights`` apply to the cross entropy only."""
        super().__init__()
        self.ignore_label = ignore_label
        self.cross_entropy = PixelCrossEntropy(ignore_label, class_weights)

    def construct(self, logits: Tensor, labels: Tensor, pixel_weights: Tensor | None = None) -> Tensor:
        """Return the loss; see `PixelCrossEntropy`. The dice loss does not use pixel weights."""
        counted = (labels != self.ignore_label).astype(dtype.float32).expand_dims(1)
        probabilities = ops.softmax(logits.astype(dtype.float32), 1) * counted
        one, zero = Tensor(1.0, dtype.float32), Tensor(0.0, dtype.float32)
        truth = ops.one_hot(labels, logits.shape[1], one, zero, axis=1) * counted
        common, area = (probabilities * truth).sum((0, 2, 3)), truth.sum((0, 2, 3))
        present = (area > 0).astype(dtype.float32)
        both = ops.select(area > 0, probabilities.sum((0, 2, 3)) + area, 1.0)
        return self.cross_entropy(logits, labels, pixel_weights) + _weighted_mean(1 - 2 * common / both, present)


class HardPixelCrossEntropy(nn.Cell):
    """`PixelCrossEntropy` over only the hardest pixels of the batch: online hard example mining.

    The hardest pixels are those with the largest cross entropy before class weights. DeepLab takes a share of all
    pixels (Yang et al. 2019, "DeeperLab"; ``top_k_percent_pixels`` in its program), so that padding and ignored borders
    let easy pixels in. This loss takes a share of the pixels with a nonzero weight.
    """

    def __init__(self, ignore_label: int, share: float, class_weights: Sequence[float] | None = None) -> None:
        """Use the hardest ``share`` (above 0, at most 1) of the pixels with a nonzero weight, rounded up."""
        super().__init__()
        self.share = share
        self.pixels = PixelLosses(ignore_label, class_weights)

    def construct(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the loss; see `PixelCrossEntropy`."""
        losses, weights = self.pixels(logits, labels)
        # NaN, the weight of an invalid label, does not equal itself. Such a pixel must always be selected.
        hardness = ops.select(weights == weights, losses, math.inf)
        hardness = ops.select(weights == 0, -1.0, hardness)
        # The shape is static: take as many pixels as possible, and give those beyond this batch's share zero weight.
        _, hardest = ops.topk(ops.stop_gradient(hardness), math.ceil(self.share * losses.size))
        number = ops.ceil(self.share * (weights != 0).astype(dtype.float32).sum())
        taken = ops.arange(hardest.size).astype(dtype.float32) < number
        return _weighted_mean(
            ops.gather(losses, hardest, 0), ops.gather(weights, hardest, 0) * taken.astype(dtype.float32)
        )


def _weighted_mean(losses: Tensor, weights: Tensor) -> Tensor:
    total = weights.sum()
    return (losses * weights).sum() / ops.select(total > 0, total, 1.0)
