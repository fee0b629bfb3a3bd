"""What training minimizes."""

from __future__ import annotations

import math
from collections.abc import Sequence

from mindspore import Tensor, dtype, nn, ops

from segtrain.config.config import Config


def build_loss(config: Config) -> nn.Cell:
    """Return the configured loss: logits and labels, as `PixelCrossEntropy` takes them, to a float32 scalar.

    The ignore label must be resolved.
    """
    ignore_label = config.ignore_label
    assert ignore_label is not None
    if config.loss == "ohem":
        return HardPixelCrossEntropy(ignore_label, config.ohem_share, config.class_weights)
    if config.loss == "cross_entropy_dice":
        return CrossEntropyDice(ignore_label, config.class_weights)
    return PixelCrossEntropy(ignore_label, config.class_weights)


class PixelLosses(nn.Cell):
    """Softmax cross entropy of each pixel, and the weight it counts with.

    An ignored pixel has weight 0. A label that is neither a class nor the ignored one has weight NaN: a graph cannot
    raise, and one-hot encoding would turn such a pixel into a silent zero.

    On a CPU, one-hot rows and the fused softmax cross entropy take, forward and backward together, about a quarter of
    the time of ``ops.cross_entropy``.
    """

    def __init__(self, ignore_label: int, class_weights: Sequence[float] | None) -> None:
        """Give pixels the weight of their class; None: all have weight 1."""
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
    """Mean softmax cross entropy over the pixels that have a label, weighted by class as in PyTorch.

    A batch in which every pixel is ignored gives exactly 0 and a zero gradient; a label that is no class gives NaN.
    """

    def __init__(self, ignore_label: int, class_weights: Sequence[float] | None = None) -> None:
        """Leave pixels labeled ``ignore_label`` out; ``class_weights`` has a weight of 0 or more for each class."""
        super().__init__()
        self.pixels = PixelLosses(ignore_label, class_weights)

    def construct(self, logits: Tensor, labels: Tensor, pixel_weights: Tensor | None = None) -> Tensor:
        """Return the loss, computed in float32.

        Args:
            logits: float ``(N, K, H, W)``.
            labels: int32 ``(N, H, W)``, each 0 to K - 1 or the ignored label.
            pixel_weights: float32 ``(N, H, W)``, 0 or more, by which the classes' weights are multiplied, such as
                `segtrain.data.semantic.border_weights` makes them; None: all are 1.

        Returns:
            A float32 scalar.
        """
        losses, weights = self.pixels(logits, labels)
        if pixel_weights is not None:
            weights = weights * pixel_weights.reshape(-1)
        return _weighted_mean(losses, weights)


class CrossEntropyDice(nn.Cell):
    """`PixelCrossEntropy` plus a soft dice loss: what a pixel says, and how far the areas agree.

    The dice loss is the mean of ``1 - 2 <p, y> / (sum p + sum y)`` over the classes that the batch has, each over all
    its pixels that have a label; a batch without any label gives 0. It knows no class weights: a rare class has the
    same share in it as a common one. The plain sum of the two is that of Isensee et al. 2021, "nnU-Net".
    """

    def __init__(self, ignore_label: int, class_weights: Sequence[float] | None = None) -> None:
        """Leave pixels labeled ``ignore_label`` out; ``class_weights`` are those of the cross entropy."""
        super().__init__()
        self.ignore_label = ignore_label
        self.cross_entropy = PixelCrossEntropy(ignore_label, class_weights)

    def construct(self, logits: Tensor, labels: Tensor, pixel_weights: Tensor | None = None) -> Tensor:
        """Return the loss; see `PixelCrossEntropy`. The dice loss takes no pixel weights."""
        counted = (labels != self.ignore_label).astype(dtype.float32).expand_dims(1)
        probabilities = ops.softmax(logits.astype(dtype.float32), 1) * counted
        one, zero = Tensor(1.0, dtype.float32), Tensor(0.0, dtype.float32)
        truth = ops.one_hot(labels, logits.shape[1], one, zero, axis=1) * counted
        common, area = (probabilities * truth).sum((0, 2, 3)), truth.sum((0, 2, 3))
        present = (area > 0).astype(dtype.float32)
        both = ops.select(area > 0, probabilities.sum((0, 2, 3)) + area, 1.0)
        return self.cross_entropy(logits, labels, pixel_weights) + _weighted_mean(1 - 2 * common / both, present)


class HardPixelCrossEntropy(nn.Cell):
    """`PixelCrossEntropy` over the hardest pixels of the batch alone: online hard example mining.

    Hardest are those with the largest cross entropy, class weights left aside. DeepLab takes a share of all pixels
    (Yang et al. 2019, "DeeperLab"; ``top_k_percent_pixels`` in its program), so that padding and ignored borders make
    it take easy ones too; here it is a share of the pixels that count.
    """

    def __init__(self, ignore_label: int, share: float, class_weights: Sequence[float] | None = None) -> None:
        """Take the hardest ``share`` of the pixels that count, above 0 and at most 1, rounded up."""
        super().__init__()
        self.share = share
        self.pixels = PixelLosses(ignore_label, class_weights)

    def construct(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the loss; see `PixelCrossEntropy`."""
        losses, weights = self.pixels(logits, labels)
        # NaN, the weight of a label that is no class, is unequal to itself; such a pixel must not be left out.
        hardness = ops.select(weights == weights, losses, math.inf)
        hardness = ops.select(weights == 0, -1.0, hardness)
        # The shape is static: as many as there can be, of which those beyond the share of this batch weigh nothing.
        _, hardest = ops.topk(ops.stop_gradient(hardness), math.ceil(self.share * losses.size))
        number = ops.ceil(self.share * (weights != 0).astype(dtype.float32).sum())
        taken = ops.arange(hardest.size).astype(dtype.float32) < number
        return _weighted_mean(
            ops.gather(losses, hardest, 0), ops.gather(weights, hardest, 0) * taken.astype(dtype.float32)
        )


def _weighted_mean(losses: Tensor, weights: Tensor) -> Tensor:
    total = weights.sum()
    return (losses * weights).sum() / ops.select(total > 0, total, 1.0)
