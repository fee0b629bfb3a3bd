"""Batch normalization over the batch of one device, or over the batches of all devices."""

from __future__ import annotations

from typing import Any

from mindspore import Tensor, dtype, nn, ops


class BatchNorm2d(nn.BatchNorm2d):
    """MindSpore's batch normalization; :func:`synchronize` extends it to the batches of all devices.

    A training batch with one value per channel has no variance, and would turn MindSpore's moving variance into NaN
    permanently. Such a batch is normalized with the moving statistics and leaves them unchanged.

    Mean and variance over all devices are computed here with two sums per layer, in the same way on every type of
    device. MindSpore's own ``SyncBatchNorm`` has no CPU kernel, so runs on Ascend could not be compared with one joint
    batch.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        """Take the arguments of ``mindspore.nn.BatchNorm2d``."""
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
        # All devices have the same number of pixels, so the mean of their means is the overall mean.
        mean = self.sum(pixels.mean((0, 2, 3), keep_dims=True)) / self.devices
        centered = pixels - mean
        variance = self.sum((centered * centered).mean((0, 2, 3), keep_dims=True)) / self.devices
        count = self.devices * x.shape[0] * x.shape[2] * x.shape[3]
        self._move(self.moving_mean, mean)
        self._move(self.moving_variance, variance * (count / (count - 1)))
        scaled = centered * ops.rsqrt(variance + self.eps) * self.gamma.reshape(1, -1, 1, 1)
        return (scaled + self.beta.reshape(1, -1, 1, 1)).astype(x.dtype)

    def _move(self, moving: Tensor, value: Tensor) -> None:
        # MindSpore stores one minus the given momentum.
        ops.assign_add(moving, self.momentum * (ops.stop_gradient(value).reshape(-1) - moving))


def synchronize(network: nn.Cell, devices: int) -> None:
    """Extend every batch normalization in `network` to the batches of all `devices`, after their processes joined."""
    for _, cell in network.cells_and_names():
        if isinstance(cell, BatchNorm2d):
            cell.devices = devices
            cell.sum = ops.AllReduce()
