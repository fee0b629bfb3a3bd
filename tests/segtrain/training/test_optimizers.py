from __future__ import annotations

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, nn
from tiny_networks import deeplab

from segtrain.config.choices import WeightDecayFilter
from segtrain.config.config import Config
from segtrain.config.recipes import override
from segtrain.training.optimizers import build_optimizer

DECAY = 0.5
RATES = np.array([0.25, 0.125], np.float32)

#: Parameters exempt from weight decay, in a network with a backbone, normalizations and a bias.
SPARED: dict[WeightDecayFilter, set[str]] = {
    "norm": {"backbone.norm.gamma", "backbone.norm.beta"},
    "norm_and_bias": {"backbone.norm.gamma", "backbone.norm.beta", "head.bias"},
    "none": set(),
}


class _Backbone(nn.Cell):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 1)
        self.norm = nn.BatchNorm2d(2)


class _Network(nn.Cell):
    def __init__(self) -> None:
        super().__init__()
        self.backbone = _Backbone()
        self.head = nn.Conv2d(2, 3, 1, has_bias=True)


@pytest.fixture(autouse=True)
def _graph_mode_on_cpu() -> None:
    ms.set_device("CPU")
    ms.set_context(mode=ms.GRAPH_MODE)


def _config(small: Config, **changes: object) -> Config:
    return override(small, {"momentum": 0.5, "weight_decay": DECAY, **changes})


def _updated(config: Config, steps: int = 2) -> dict[str, np.ndarray]:
    """Return all parameters, initially 8.0, after `steps` steps with gradient 2.0 everywhere."""
    network = _Network()
    parameters = network.trainable_params()
    for parameter in parameters:
        parameter.set_data(Tensor(np.full(parameter.shape, 8, np.float32)))
    optimizer = build_optimizer(network, config, RATES)
    for _ in range(steps):
        scale = 1.0 if config.loss_scale == "dynamic" else config.loss_scale
        optimizer(tuple(Tensor(np.full(parameter.shape, 2 * scale, np.float32)) for parameter in parameters))
    return {parameter.name: parameter.asnumpy() for parameter in parameters}


@pytest.mark.parametrize("weight_decay_filter", ["norm", "norm_and_bias", "none"])
def test_the_decay_leaves_out_what_the_filter_says(small: Config, weight_decay_filter: WeightDecayFilter) -> None:
    found = _updated(_config(small, weight_decay_filter=weight_decay_filter))
    # With v = v / 2 + g: 8 - 0.25 * 2 = 7.5, then v = 1 + 2: 7.5 - 0.125 * 3.
    # With decay, g = 2 + 0.5 * 8 = 6: 8 - 0.25 * 6 = 6.5, then v = 3 + 2 + 0.5 * 6.5: 6.5 - 0.125 * 8.25.
    for name, value in found.items():
        assert (value == (7.125 if name in SPARED[weight_decay_filter] else 5.46875)).all(), name


def test_published_recipes_decay_what_mindspore_decays_on_its_own(small: Config) -> None:
    network = _Network()
    own = nn.Momentum(network.trainable_params(), learning_rate=0.1, momentum=0.9, weight_decay=DECAY)
    assert small.optimizer.weight_decay_filter == "norm"
    spared = {parameter.name for parameter, decays in zip(own.parameters, own.decay_flags, strict=True) if not decays}
    assert spared == SPARED["norm"]


def test_the_head_learns_by_its_factor_and_the_backbone_does_not(small: Config) -> None:
    found = _updated(_config(small, weight_decay=0.0, head_lr_factor=4.0))
    # Four times the two steps of 0.5 and 0.375.
    for name, value in found.items():
        assert (value == (8 - 4 * 0.875 if name.startswith("head.") else 8 - 0.875)).all(), name


@pytest.mark.parametrize("loss_scale", [1024.0, "dynamic"])
def test_a_loss_scale_changes_no_update(small: Config, loss_scale: object) -> None:
    plain, scaled = (_updated(_config(small, loss_scale=scale)) for scale in (1.0, loss_scale))
    assert all((plain[name] == scaled[name]).all() for name in plain)


def test_frozen_parameters_are_not_among_the_optimizers(small: Config) -> None:
    network = _Network()
    for parameter in network.backbone.get_parameters():
        parameter.requires_grad = False
    names = [parameter.name for parameter in build_optimizer(network, small, RATES).parameters]
    assert names == ["head.weight", "head.bias"]


def test_the_order_is_that_of_the_network(small: Config) -> None:
    network = deeplab("DeepLabV3_s16", num_classes=3, backbone="resnet18", atrous_rates=(1, 2))
    config = override(small, {"weight_decay_filter": "norm_and_bias", "head_lr_factor": 10.0})
    optimizer = build_optimizer(network, config, RATES)
    assert [each.name for each in optimizer.parameters] == [each.name for each in network.trainable_params()]
