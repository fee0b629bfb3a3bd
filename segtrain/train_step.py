"""One step of a training: loss, gradients and update, in the chosen precision, as one graph."""

from __future__ import annotations

import mindspore as ms
import numpy as np
import numpy.typing as npt
from mindspore import Parameter, Tensor, nn, ops

from segtrain.config import Config
from segtrain.losses import build_loss
from segtrain.optimizers import build_optimizer

#: Where a dynamic loss scale begins, and after how many steps without an overflow it doubles: as PyTorch's GradScaler.
FIRST_SCALE = 2.0**16
STEADY_STEPS = 2000


class DynamicScaleStep(nn.TrainOneStepCell):
    """A training step whose loss scale follows the gradients (Micikevicius et al. 2018, "Mixed Precision Training").

    The gradients are those of the loss times the scale, so that small ones are not lost in float16. When one of them is
    not finite, nothing is updated and the scale is halved; the step counts as done, so that the schedule goes on. At
    scale 1 nothing is left to halve: the update is made, and ends the training as diverged.

    The state is in parameters, so that checkpoints have it: ``loss_scale``, ``loss_scale_steady`` (steps since it last
    changed) and ``loss_scale_skipped`` (steps without an update).
    """

    def __init__(self, network: nn.Cell, optimizer: nn.Optimizer) -> None:
        """Train by `network`, a cell (images, labels) -> loss, and an optimizer that knows of no loss scale."""
        super().__init__(network, optimizer)
        self.scale = Parameter(Tensor(FIRST_SCALE, ms.float32), name="loss_scale", requires_grad=False)
        self.steady = Parameter(Tensor(0, ms.int32), name="loss_scale_steady", requires_grad=False)
        self.skipped = Parameter(Tensor(0, ms.int32), name="loss_scale_skipped", requires_grad=False)

    def construct(self, images: Tensor, labels: Tensor) -> Tensor:
        """Return the loss before the update, without the scale."""
        loss = self.network(images, labels)
        # The value it has now: the parameter changes below.
        scale = self.scale * 1.0
        gradients = self.grad_reducer(self.grad(self.network, self.weights)(images, labels, scale))
        usable = ops.logical_or(ms.amp.all_finite(gradients), scale <= 1)
        if usable:
            self.optimizer(tuple([gradient / scale for gradient in gradients]))
        else:
            ops.assign_add(self.optimizer.global_step, Tensor([1], ms.int32))
            ops.assign_add(self.skipped, Tensor(1, ms.int32))
        steady = ops.select(usable, self.steady + 1, 0)
        grown = steady == STEADY_STEPS
        ops.assign(self.scale, ops.select(usable, ops.select(grown, scale * 2, scale), scale / 2))
        ops.assign(self.steady, ops.select(grown, 0, steady))
        return loss


def build_train_step(
    network: nn.Cell, config: Config, rates: npt.NDArray[np.float32], ignore_label: int
) -> nn.TrainOneStepCell:
    """Return the cell (images, labels) -> loss that also updates `network`; its optimizer is its `optimizer`.

    Args:
        network: images to logits; computes in the configured precision from now on, its parameters stay float32.
        config: precision, loss, optimizer and loss scale.
        rates: learning rate of every step, float32 ``(steps,)``.
        ignore_label: label of pixels that do not count.
    """
    optimizer = build_optimizer(network, config, rates)
    mixed = ms.amp.auto_mixed_precision(network, config.amp, ms.float16)
    loss = nn.WithLossCell(mixed, build_loss(config, ignore_label))
    # A graph-mode cell: the same step compiled by mindspore.jit takes almost twice as long on a CPU.
    if config.loss_scale == "dynamic":
        return DynamicScaleStep(loss, optimizer)
    return nn.TrainOneStepCell(loss, optimizer, sens=config.loss_scale)


def skipped_steps(train_step: nn.TrainOneStepCell) -> int:
    """Return in how many steps of the whole training the gradients overflowed, so that nothing was updated."""
    return int(train_step.skipped.asnumpy()) if isinstance(train_step, DynamicScaleStep) else 0
