from __future__ import annotations

from collections.abc import Callable
from functools import partial

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, nn, ops

from segtrain.distributed.device import prepare_device
from segtrain.models import convolution
from segtrain.models.convolution import _MANY_COLUMNS, Convolution

USUAL = partial(nn.Conv2d, pad_mode="pad")


@pytest.fixture(autouse=True)
def _graph_mode_on_cpu() -> None:
    prepare_device("CPU", seed=1)


class _Twice(nn.Cell):
    """Two in a row, so that the gradient of an input matters, and a loss to which no two pixels add the same."""

    def __init__(self, first: nn.Cell, second: nn.Cell, weights: np.ndarray) -> None:
        super().__init__()
        self.first, self.second = first, second
        self.weights = Tensor(weights)

    def construct(self, x: Tensor) -> Tensor:
        return (self.second(ops.relu(self.first(x))) * self.weights).sum()


def _loss_and_gradients(
    kind: Callable[..., nn.Conv2d], side: int, padding: int, has_bias: bool, width: int = 4
) -> tuple[float, list[np.ndarray]]:
    random = np.random.RandomState(0)
    layers = [kind(*channels, 3, padding=padding, has_bias=has_bias) for channels in ((3, width), (width, 5))]
    left = side - 4 + 4 * padding
    network = _Twice(*layers, random.standard_normal((2, 5, left, left + 6)).astype(np.float32))
    for parameter in network.trainable_params():
        parameter.set_data(Tensor(random.standard_normal(parameter.shape).astype(np.float32)))
    x = Tensor(random.standard_normal((2, 3, side, side + 6)).astype(np.float32))
    both = ms.value_and_grad(network, grad_position=0, weights=network.trainable_params())
    loss, (of_input, of_weights) = both(x)
    return float(loss.asnumpy()), [gradient.asnumpy() for gradient in (of_input, *of_weights)]


@pytest.mark.parametrize("side", [20, 140])
@pytest.mark.parametrize(("padding", "has_bias"), [(0, True), (1, False)])
def test_results_and_gradients_are_those_of_mindspore(side: int, padding: int, has_bias: bool) -> None:
    loss, gradients = _loss_and_gradients(Convolution, side, padding, has_bias)
    expected_loss, expected = _loss_and_gradients(USUAL, side, padding, has_bias)

    assert loss == pytest.approx(expected_loss, rel=1e-5)
    assert len(gradients) == len(expected) == (5 if has_bias else 3)
    for found, true in zip(gradients, expected, strict=True):
        np.testing.assert_allclose(found, true, rtol=1e-4, atol=1e-5 * np.abs(true).max())


@pytest.mark.parametrize(("padding", "has_bias"), [(0, True), (1, False)])
def test_with_low_memory_the_gradients_of_large_planes_are_those_of_mindspore(
    padding: int, has_bias: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The second layer has 5 MiB of columns for an image, the first has 2.
    monkeypatch.setattr(convolution, "_MANY_COLUMNS", 4 << 20)
    sizes = {"side": 144, "padding": padding, "has_bias": has_bias, "width": 8}
    loss, gradients = _loss_and_gradients(partial(Convolution, low_memory=True), **sizes)
    expected_loss, expected = _loss_and_gradients(USUAL, **sizes)

    assert loss == pytest.approx(expected_loss, rel=1e-4)
    assert len(gradients) == len(expected)
    for found, true in zip(gradients, expected, strict=True):
        np.testing.assert_allclose(found, true, rtol=1e-3, atol=1e-4 * np.abs(true).max())


def test_low_memory_is_for_planes_with_many_columns_only() -> None:
    layer = Convolution(64, 64, 3, padding=0, low_memory=True)
    assert layer._column_bytes(Tensor(np.zeros((1, 64, 570, 570), np.float32))) == 4 * 9 * 64 * 568 * 568
    assert 4 * 9 * 128 * 137 * 137 < _MANY_COLUMNS < 4 * 9 * 256 * 196 * 196


def test_parameters_have_the_names_and_shapes_of_mindspores() -> None:
    ours, theirs = Convolution(3, 4, 3, padding=1, has_bias=True), nn.Conv2d(3, 4, 3, has_bias=True)

    assert {name: p.shape for name, p in ours.parameters_dict().items()} == {
        name: p.shape for name, p in theirs.parameters_dict().items()
    }
