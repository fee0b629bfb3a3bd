"""Batch normalization over the batch of one device, or over those of all."""

from __future__ import annotations

from typing import Any

from mindspore import Tensor, dtype, nn, ops


class BatchNorm2d(nn.BatchNorm2d):
    """MindSpore's batch normalization, which :func:`synchronize` lets see the batches of all devices.

    A training batch of one value per channel has no variance, and MindSpore's moving variance would become NaN for
    good: it is normalized by the moving statistics, and these stay as they are.

    Mean and variance over the devices are computed here, by two sums a layer, on every device alike. MindSpore's own
    ``SyncBatchNorm`` has no CPU kernel, so that what ran on Ascend could not be compared with one joint batch.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        """Take what ``mindspore.nn.BatchNorm2d`` takes."""
        super().__init__(*args, **options)
        self.devices = 1

    def construct(self, x: Tensor) -> Tensor:
        """Return ``(N, C, H, W)`` normalized."""
        if self.training and self.use_batch_statistics is None:
            if self.devices * x.shape[0] * x.shape[2] * x.shape[3] == 1:
                means, variances = self.moving_mean, self.moving_variance
                return ops.batch_norm(x, means, variances, self.gamma, self.beta, training=False, eps=self.eps)
            if self.devices > 1:
                return self._synchronized(x)
        return super().construct(x)

    def _synchronized(self, x: Tensor) -> Tensor:
        pixels = x.astype(dtype.float32)
        # All devices have equally many pixels, so that the mean of their means is the mean over all.
        mean = self.sum(pixels.mean((0, 2, 3), keep_dims=True)) / self.devices
        centerd = pixels - mean
        variance = self.sum((centerd * centerd).mean((0, 2, 3), keep_dims=True)) / self.devices
        count = self.devices * x.shape[0] * x.shape[2] * x.shape[3]
        self._move(self.moving_mean, mean)
        self._move(self.moving_variance, variance * (count / (count - 1)))
        scaled = centerd * ops.rsqrt(variance + self.eps) * self.gamma.reshape(1, -1, 1, 1)
        return (scaled + self.beta.reshape(1, -1, 1, 1)).astype(x.dtype)

    def _move(self, moving: Tensor, value: Tensor) -> None:
        # MindSpore keeps one minus the momentum it was given.
        ops.assign_add(moving, self.momentum * (ops.stop_gradient(value).reshape(-1) - moving))


def synchronize(network: nn.Cell, devices: int) -> None:
    """Let every batch normalization in `network` see the batches of all `devices`, whose processes must have met."""
    for _, cell in network.cells_and_names():
        if isinstance(cell, BatchNorm2d):
            cell.devices = devices
            cell.sum = ops.AllReduce()
