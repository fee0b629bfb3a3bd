"""The optimizer, with separate learning rates and weight decays for groups of parameters."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from mindspore import Parameter, Tensor, nn

from segtrain.config.choices import Momentum, WeightDecayFilter
from segtrain.config.config import Config
from segtrain.config.unet import UNet

#: MindSpore's names for the scale and offset of a normalization layer, and for the offset of any other layer.
_NORM = ("gamma", "beta")
_BIAS = ("bias",)

#: Last part of the names of parameters that are exempt from weight decay.
_SPARED: dict[WeightDecayFilter, tuple[str, ...]] = {"none": (), "norm": _NORM, "norm_and_bias": (*_NORM, *_BIAS)}


def build_optimizer(network: nn.Cell, config: Config, rates: npt.NDArray[np.float32]) -> nn.Optimizer:
    """Return the optimizer for all trainable parameters of `network`.

    With gradient ``g`` and ``g' = g + weight_decay * w``, ``momentum`` is ``v = momentum * v + g'`` and
    ``w = w - rate * v`` (like PyTorch's SGD, without dampening); ``adam`` is Adam (Kingma and Ba 2015) on ``g'``, with
    the published 0.9, 0.999 and 1e-8. Outside the backbone, the learning rate is multiplied by `head_lr_factor`, if
    the network has a backbone.
    Gradients are first divided by a fixed loss scale; the training step handles a dynamic one.

    Args:
        network: network whose backbone parameters have names that begin with ``backbone.``.
        config: optimizer, weight decay, factor and loss scale.
        rates: learning rate of every step, float32 ``(steps,)``.
    """
    settings = config.optimizer
    groups: dict[tuple[bool, bool], list[Parameter]] = {}
    for parameter in network.trainable_params():
        head = not parameter.name.startswith("backbone.")
        spared = parameter.name.rpartition(".")[2] in _SPARED[settings.weight_decay_filter]
        groups.setdefault((head, spared), []).append(parameter)
    options: list[dict[str, Any]] = [
        {"params": parameters, "weight_decay": 0.0 if spared else settings.weight_decay, **_rates(head, config, rates)}
        for (head, spared), parameters in groups.items()
    ]
    # Keep the order of the network, in which TrainOneStepCell computes gradients.
    options.append({"order_params": network.trainable_params()})
    loss_scale = 1.0 if config.loss_scale == "dynamic" else config.loss_scale
    if isinstance(settings, Momentum):
        return nn.Momentum(options, learning_rate=Tensor(rates), momentum=settings.momentum, loss_scale=loss_scale)
    return nn.Adam(options, learning_rate=Tensor(rates), loss_scale=loss_scale)


def _rates(head: bool, config: Config, rates: npt.NDArray[np.float32]) -> dict[str, Tensor]:
    factor = 1.0 if isinstance(config.model, UNet) else config.model.head_lr_factor
    return {"lr": Tensor(rates * np.float32(factor))} if head and factor != 1 else {}
