"""Moving average of a network's weights, which is evaluated and saved in place of the weights themselves.

While the learning rate is high, weights move around the point they would settle at. Their mean over the last steps is
closer to that point, and generalizes better than weights that have settled (Polyak and Juditsky 1992, "Acceleration of
stochastic approximation by averaging"; Izmailov et al. 2018, "Averaging weights leads to wider optima and better
generalization").
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import mindspore as ms
from mindspore import Parameter, ParameterTuple, Tensor, nn, ops

from segtrain.checkpoints.naming import AVERAGE

#: After n steps the mean covers the last n / _SHARE steps at most, so that early values are soon forgotten.
_SHARE = 9


class MovingAverage(nn.Cell):
    """Averages of all weights and moving statistics of a network, each ``decay * average + (1 - decay) * value``.

    The decay rises with the steps to the requested value, as in TensorFlow's ``ExponentialMovingAverage``; after the
    first step, the averages equal the values. They are parameters, so that checkpoints contain them.
    """

    def __init__(self, network: nn.Cell, decay: float) -> None:
        """Track the float32 parameters of `network`; counters and the like are not averaged."""
        super().__init__(auto_prefix=False)
        self.decay = decay
        self.values = ParameterTuple([each for each in network.get_parameters() if each.dtype == ms.float32])
        self.averages = ParameterTuple(
            [Parameter(each.asnumpy(), name=AVERAGE + each.name, requires_grad=False) for each in self.values]
        )

    def construct(self, steps: Tensor) -> None:
        """Add the current values to the averages after `steps` steps; int32 ``(1,)``, 1 or more."""
        earlier = (steps - 1).astype(ms.float32)
        decay = ops.minimum(earlier / (earlier + _SHARE), Tensor(self.decay, ms.float32))
        for index, average in enumerate(self.averages):
            ops.assign(average, decay * average + (1 - decay) * self.values[index])

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Set the network to its averages, and back to its own values on exit."""
        own = [value.asnumpy().copy() for value in self.values]
        for value, average in zip(self.values, self.averages, strict=True):
            value.set_data(Tensor(average.asnumpy()))
        try:
            yield
        finally:
            for value, before in zip(self.values, own, strict=True):
                value.set_data(Tensor(before))
