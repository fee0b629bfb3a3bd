"""MindSpore against PyTorch, without PyTorch: golden numbers of tests/data/deeplab_parity.py."""

from __future__ import annotations

import numpy as np
import parity_cases
import pytest
from mindspore import Tensor, nn
from tiny_networks import deeplab

from segtrain.config.config import Config
from segtrain.config.recipes import override, recipe
from segtrain.tasks import semantic
from segtrain.training.step import build_train_step

#: The golden numbers are those of float64. In float32, PyTorch and MindSpore alike miss them by 1e-6 in logits, loss
#: and statistics, and by up to 6e-5 in the gradients, which are sums of hundreds of terms of both signs.
FORWARD, BACKWARD = 1e-5, 1e-4


@pytest.fixture(scope="module")
def golden() -> dict[str, np.ndarray]:
    with np.load(parity_cases.GOLDEN) as file:
        return dict(file)


def _network(model: str) -> nn.Cell:
    cases = parity_cases
    network = deeplab(model, num_classes=cases.CLASSES, backbone=cases.BACKBONE, atrous_rates=cases.RATES)
    for parameter in network.get_parameters():
        if parameter.name != "aspp.dropout.counter":
            parameter.set_data(Tensor(cases.parameter(parameter.name, parameter.shape)))
    return network


def _config() -> Config:
    changes = {"weight_decay": parity_cases.WEIGHT_DECAY, "amp": "O0", "ignore_label": parity_cases.IGNORE}
    return override(recipe("deeplabv3plus_s16_r1"), changes)


@pytest.mark.parametrize("model", parity_cases.MODELS)
def test_logits_and_a_training_step_are_those_of_pytorch(model: str, golden: dict[str, np.ndarray]) -> None:
    network = _network(model)
    images, labels = map(Tensor, parity_cases.batch())
    logits = parity_cases.digest(network.set_train(False)(images).asnumpy())
    assert parity_cases.relative_error(logits, golden[f"{model}/logits"]) < FORWARD

    rates = np.array([parity_cases.LEARNING_RATE], np.float32)
    step = build_train_step(network, semantic, _config(), rates).set_train(True)
    # Its masks are random.
    network.aspp.dropout.set_train(False)
    loss = float(step(images, labels)[0].asnumpy())
    assert abs(loss / float(golden[f"{model}/loss"]) - 1) < FORWARD

    after = {parameter.name: parameter.asnumpy() for parameter in step.get_parameters()}
    # After the first step the momentum is the gradient, weight decay included.
    momentum = {name.removeprefix("moments."): value for name, value in after.items() if name.startswith("moments.")}
    statistics = {name: value for name, value in after.items() if name.endswith(("moving_mean", "moving_variance"))}
    error = parity_cases.relative_error
    assert error(parity_cases.digests(momentum), golden[f"{model}/momentum"]) < BACKWARD
    assert error(parity_cases.digests(statistics), golden[f"{model}/statistics"]) < FORWARD
