"""Parts of the loss: sums over the samples, divided by a number of samples that `SampleCount` gives."""

from __future__ import annotations

from mindspore import Tensor, dtype, nn, ops

from segtrain.distributed.ranks import Ranks


class SampleCount(nn.Cell):
    """Number of samples on each device: the mean over all devices, at least one sample on all of them together.

    Devices have different numbers of samples, and their losses and gradients are averaged. If each divided its sum by
    its own number, a sample would count the more, the fewer its device has. Divided by the mean number, all samples
    count the same, as in one joint batch.
    """

    def __init__(self, ranks: Ranks) -> None:
        """Count the samples of all ``ranks``; their processes have joined. One rank alone communicates nothing."""
        super().__init__()
        self.devices = ranks.size
        if self.devices > 1:
            self.sum = ops.AllReduce()

    def construct(self, counted: Tensor) -> Tensor:
        """Return the mean number of true elements of bool ``counted``, a float32 scalar without gradient."""
        number = counted.astype(dtype.float32).sum()
        if self.devices > 1:
            number = ops.stop_gradient(self.sum(number.reshape(1)).reshape(()))
            return ops.maximum(number, Tensor(1.0, dtype.float32)) / self.devices
        return ops.maximum(number, Tensor(1.0, dtype.float32))


def binary_loss(logits: Tensor, targets: Tensor, counted: Tensor, number: Tensor) -> Tensor:
    """Return the sigmoid cross entropy, summed where bool ``counted`` is true and divided by ``number``.

    Logits and targets, 0 or 1, are float32 of the same shape as ``counted``.
    """
    # In the form max(x, 0) - x t + log(1 + exp(-|x|)), nothing overflows.
    losses = ops.relu(logits) - logits * targets + ops.log1p(ops.exp(-ops.abs(logits)))
    return (losses * counted.astype(dtype.float32)).sum() / number


def class_loss(logits: Tensor, labels: Tensor, counted: Tensor, number: Tensor) -> Tensor:
    """Return the softmax cross entropy of logits ``(R, C)`` and int32 labels ``(R,)``, as `binary_loss` does."""
    losses = ops.cross_entropy(logits, labels, reduction="none")
    return (losses * counted.astype(dtype.float32)).sum() / number


def box_loss(offsets: Tensor, targets: Tensor, positives: Tensor, number: Tensor, beta: float) -> Tensor:
    """Return the smooth L1 loss of offsets, summed over positive boxes and divided by the number of sampled boxes.

    In this way, a batch with few objects does not overweight their offsets (the program of Girshick 2015, "Fast
    R-CNN").

    Args:
        offsets: float32 ``(N, P, 4)``.
        targets: the same shape; values at boxes that are not positive have no effect, but must be finite.
        positives: bool ``(N, P)``.
        number: number of sampled boxes, positive and negative ones.
        beta: deviation at which the loss changes from quadratic to linear.
    """
    losses = ops.smooth_l1_loss(offsets, targets, beta=beta, reduction="none").sum(2)
    return (losses * positives.astype(dtype.float32)).sum() / number


def of_class(values: Tensor, labels: Tensor) -> Tensor:
    """Return each row's values in ``(R, K, C)`` for its label, 1 to K: ``(R, C)``; label 0 gives those of label 1."""
    rows, classes, channels = values.shape
    flat = ops.arange(rows).astype(dtype.int32) * classes + ops.relu(labels - 1)
    return ops.gather(values.reshape(-1, channels), flat, 0)
