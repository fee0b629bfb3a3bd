"""The moving average of a network's weights, which a training evaluates and hands on instead of the weights themselves.

While the learning rate is high, weights move around what they would settle at; their mean over the last steps is nearer
to it, and fits what was not trained on better than weights that came to rest (Polyak and Juditsky 1992, "Acceleration
of stochastic approximation by averaging"; Izmailov et al. 2018, "Averaging weights leads to wider optima and better
generalization").
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import mindspore as ms
from mindspore import Parameter, ParameterTuple, Tensor, nn, ops

from segtrain.checkpoints.naming import AVERAGE

#: After n steps the mean goes back over n / _SHARE of them at most: what came early is forgotten soon.
_SHARE = 9


class MovingAverage(nn.Cell):
    """Averages of all weights and moving statistics of a network, each ``decay * average + (1 - decay) * value``.

    The decay rises with the steps to the one that is asked for, as in TensorFlow's ``ExponentialMovingAverage``; after
    the first step the averages are what that step left. They are parameters, so that checkpoints have them.
    """

    def __init__(self, network: nn.Cell, decay: float) -> None:
        """Follow the parameters of `network`; counters and the like are no numbers to be averaged."""
        super().__init__(auto_prefix=False)
        self.decay = decay
        self.values = ParameterTuple([each for each in network.get_parameters() if each.dtype == ms.float32])
        self.averages = ParameterTuple(
            [Parameter(each.asnumpy(), name=AVERAGE + each.name, requires_grad=False) for each in self.values]
        )

    def construct(self, steps: Tensor) -> None:
        """Take in the values of now, after `steps` steps; int32 ``(1,)``, 1 or more."""
        earlier = (steps - 1).astype(ms.float32)
        decay = ops.minimum(earlier / (earlier + _SHARE), Tensor(self.decay, ms.float32))
        for index, average in enumerate(self.averages):
            ops.assign(average, decay * average + (1 - decay) * self.values[index])

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Give the network its averages, and its own values back at the end."""
        own = [value.asnumpy().copy() for value in self.values]
        for value, average in zip(self.values, self.averages, strict=True):
            value.set_data(Tensor(average.asnumpy()))
        try:
            yield
        finally:
            for value, before in zip(self.values, own, strict=True):
                value.set_data(Tensor(before))
