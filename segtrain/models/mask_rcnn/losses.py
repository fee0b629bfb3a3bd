"""Parts of the loss: means over the samples, 0 without samples."""

from __future__ import annotations

from mindspore import Tensor, dtype, ops


def binary_loss(logits: Tensor, targets: Tensor, counted: Tensor) -> Tensor:
    """Return the mean sigmoid cross entropy of float32 logits and targets, 0 or 1, where bool ``counted`` is true."""
    # In the form max(x, 0) - x t + log(1 + exp(-|x|)), nothing overflows.
    losses = ops.relu(logits) - logits * targets + ops.log1p(ops.exp(-ops.abs(logits)))
    weights = counted.astype(dtype.float32)
    return (losses * weights).sum() / _at_least_one(weights)


def class_loss(logits: Tensor, labels: Tensor, counted: Tensor) -> Tensor:
    """Return the mean softmax cross entropy of logits ``(R, C)`` and int32 labels ``(R,)`` where ``counted``."""
    losses = ops.cross_entropy(logits, labels, reduction="none")
    weights = counted.astype(dtype.float32)
    return (losses * weights).sum() / _at_least_one(weights)


def box_loss(offsets: Tensor, targets: Tensor, positives: Tensor, sampled: Tensor, beta: float) -> Tensor:
    """Return the smooth L1 loss of offsets, summed over positive boxes and divided by the number of sampled boxes.

    In this way, a batch with few objects does not overweight their offsets (the program of Girshick 2015, "Fast
    R-CNN").

    Args:
        offsets: float32 ``(N, P, 4)``.
        targets: the same shape; values at boxes that are not positive have no effect, but must be finite.
        positives: bool ``(N, P)``.
        sampled: bool ``(N, B)``, positive and negative boxes.
        beta: deviation at which the loss changes from quadratic to linear.
    """
    losses = ops.smooth_l1_loss(offsets, targets, beta=beta, reduction="none").sum(2)
    return (losses * positives.astype(dtype.float32)).sum() / _at_least_one(sampled.astype(dtype.float32))


def of_class(values: Tensor, labels: Tensor) -> Tensor:
    """Return each row's values in ``(R, K, C)`` for its label, 1 to K: ``(R, C)``; label 0 gives those of label 1."""
    rows, classes, channels = values.shape
    flat = ops.arange(rows).astype(dtype.int32) * classes + ops.relu(labels - 1)
    return ops.gather(values.reshape(-1, channels), flat, 0)


def _at_least_one(weights: Tensor) -> Tensor:
    return ops.maximum(weights.sum(), Tensor(1.0, dtype.float32))
