"""One training step: loss, gradients and update, in the chosen precision, as one graph."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import mindspore as ms
import numpy as np
import numpy.typing as npt
from mindspore import Parameter, Tensor, nn, ops

from segtrain.config.config import Config
from segtrain.distributed.ranks import Ranks
from segtrain.tasks.task import Task
from segtrain.training.averaging import MovingAverage
from segtrain.training.optimizers import build_optimizer

#: Initial value of a dynamic loss scale, and steps without an overflow until it doubles: as in PyTorch's GradScaler.
FIRST_SCALE = 2.0**16
STEADY_STEPS = 2000

#: The loss, followed by its parts if it has any; float32 scalars.
Losses = tuple[Tensor, ...]


class TrainStep(nn.Cell):
    """Training step: maps a batch to its losses and updates the network.

    It is a graph-mode cell: the same step compiled by ``mindspore.jit`` takes almost twice as long on a CPU.

    Attributes:
        weights: trainable parameters.
        grad_reducer: cell that the gradients pass through before the update.
        average: moving average of the weights; None if they are not averaged.
    """

    def __init__(
        self, loss: nn.Cell, optimizer: nn.Optimizer, scale: float, *, average: MovingAverage | None = None
    ) -> None:
        """Train with `loss`, a cell that maps a batch to its losses, and an optimizer that divides by `scale`."""
        super().__init__(auto_prefix=False)
        self.loss = loss
        self.optimizer = optimizer
        self.weights = optimizer.parameters
        self.fixed_scale = scale
        self.grad_reducer = nn.Identity()
        self.average = average
        self.differentiate = ops.value_and_grad(self.forward, None, self.weights, has_aux=True)

    def forward(self, scale: Tensor, *batch: Tensor) -> tuple[Tensor, Losses]:
        """Return the scaled loss, of which the gradients are computed, and the losses themselves."""
        losses = self.loss(*batch)
        return losses[0] * scale, losses

    def construct(self, *batch: Tensor) -> Losses:
        """Return the unscaled losses from before the update."""
        found, gradients = self.differentiate(Tensor(self.fixed_scale, ms.float32), *batch)
        self.update(self.grad_reducer(gradients))
        losses: Losses = found[1]
        return losses

    def update(self, gradients: tuple[Tensor, ...]) -> None:
        """Update the weights, and then their average."""
        self.optimizer(gradients)
        if self.average is not None:
            self.average(self.optimizer.global_step)

    def averages_in_place(self) -> AbstractContextManager[None]:
        """Set the network to its averages, if there are any, within the context."""
        return self.average.in_place() if self.average else nullcontext()


class DynamicScaleStep(TrainStep):
    """Training step with dynamic loss scaling (Micikevicius et al. 2018, "Mixed Precision Training").

    Gradients are computed of the loss times the scale, so that small ones are not lost in float16. If one of them is
    not finite, nothing is updated and the scale is halved; the step counts as done, so that the schedule advances. At
    scale 1 there is nothing left to halve: the update is made, and training ends as diverged.

    The state is kept in parameters, so that checkpoints contain it: ``loss_scale``, ``loss_scale_steady`` (steps since
    the scale last changed) and ``loss_scale_skipped`` (steps without an update).
    """

    def __init__(self, loss: nn.Cell, optimizer: nn.Optimizer, *, average: MovingAverage | None = None) -> None:
        """Train with `loss`, a cell that maps a batch to its losses, and an optimizer without a loss scale."""
        super().__init__(loss, optimizer, 1.0, average=average)
        self.scale = Parameter(Tensor(FIRST_SCALE, ms.float32), name="loss_scale", requires_grad=False)
        self.steady = Parameter(Tensor(0, ms.int32), name="loss_scale_steady", requires_grad=False)
        self.skipped = Parameter(Tensor(0, ms.int32), name="loss_scale_skipped", requires_grad=False)

    def construct(self, *batch: Tensor) -> Losses:
        """Return the unscaled losses from before the update."""
        # Copy the current value: the parameter changes below.
        scale = self.scale * 1.0
        found, gradients = self.differentiate(scale, *batch)
        gradients = self.grad_reducer(gradients)
        usable = ops.logical_or(ms.amp.all_finite(gradients), scale <= 1)
        if usable:
            self.update(tuple([gradient / scale for gradient in gradients]))
        else:
            ops.assign_add(self.optimizer.global_step, Tensor([1], ms.int32))
            ops.assign_add(self.skipped, Tensor(1, ms.int32))
        steady = ops.select(usable, self.steady + 1, 0)
        grown = steady == STEADY_STEPS
        ops.assign(self.scale, ops.select(usable, ops.select(grown, scale * 2, scale), scale / 2))
        ops.assign(self.steady, ops.select(grown, 0, steady))
        losses: Losses = found[1]
        return losses


def build_train_step(network: nn.Cell, task: Task, config: Config, rates: npt.NDArray[np.float32]) -> TrainStep:
    """Return the cell that maps a batch to its losses and updates `network`.

    Args:
        network: network to train; from now on it computes in the configured precision. Its parameters stay float32.
        task: task that defines the loss.
        config: precision, loss, optimizer, loss scale and moving average.
        rates: learning rate of every step, float32 ``(steps,)``.
    """
    optimizer = build_optimizer(network, config, rates)
    average = MovingAverage(network, config.ema_decay) if config.ema_decay else None
    loss = task.with_loss(network, config)
    if config.loss_scale == "dynamic":
        return DynamicScaleStep(loss, optimizer, average=average)
    return TrainStep(loss, optimizer, config.loss_scale, average=average)


def average_gradients(train_step: TrainStep, ranks: Ranks) -> None:
    """Make `train_step` update with the mean of all ranks' gradients."""
    if ranks.size > 1:
        train_step.grad_reducer = nn.DistributedGradReducer(train_step.weights, mean=True, degree=ranks.size)


def skipped_steps(train_step: TrainStep) -> int:
    """Return the number of steps since training began that were skipped because their gradients overflowed."""
    return int(train_step.skipped.asnumpy()) if isinstance(train_step, DynamicScaleStep) else 0
