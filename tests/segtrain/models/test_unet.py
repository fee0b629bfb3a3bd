from __future__ import annotations

from contextlib import suppress

import mindspore as ms
import numpy as np
import parity_cases
import pytest
import unet_cases
from hypothesis import given, strategies as st
from mindspore import Tensor, nn, ops

from segdata.errors import InvalidInputError
from segtrain.config.unet import input_size, output_size
from segtrain.losses import PixelCrossEntropy
from segtrain.models.unet import UNetNetwork


@pytest.fixture(autouse=True)
def _graph_mode_on_cpu() -> None:
    ms.set_device("CPU")
    ms.set_context(mode=ms.GRAPH_MODE)


def _through_valid_convolutions(side: int, poolings: int) -> int | None:
    for _ in range(poolings):
        side -= 4
        if side < 1 or side % 2:
            return None
        side //= 2
    side -= 4
    for _ in range(poolings):
        side = 2 * side - 4 if side > 0 else 0
    return side if side > 0 else None


def test_the_published_sizes() -> None:
    assert output_size(572, 4, same_padding=False) == 388
    assert input_size(388, 4, same_padding=False) == 572
    assert output_size(576, 4, same_padding=True) == 576


@given(st.integers(1, 900), st.integers(0, 5))
def test_valid_sizes_are_those_that_pass_every_level(side: int, poolings: int) -> None:
    expected = _through_valid_convolutions(side, poolings)
    if expected:
        assert output_size(side, poolings, same_padding=False) == expected
    else:
        with pytest.raises(InvalidInputError, match=f"crop_size = {side}: not possible .* times?; expected"):
            output_size(side, poolings, same_padding=False)


@given(st.integers(1, 700), st.integers(0, 5), st.booleans())
def test_the_input_for_a_size_is_the_smallest_that_covers_it(side: int, poolings: int, same_padding: bool) -> None:
    found = input_size(side, poolings, same_padding=same_padding)
    assert output_size(found, poolings, same_padding=same_padding) >= side
    smaller = found - 2**poolings
    with suppress(InvalidInputError):
        assert output_size(smaller, poolings, same_padding=same_padding) < side


@pytest.mark.parametrize(
    ("side", "poolings", "same_padding", "near"),
    [
        (570, 4, False, "556 or 572"),
        (130, 4, False, "at least 188"),
        (100, 4, True, "96 or 112"),
        (3, 2, True, "at least 4"),
        # A size below 33 would be refused in its turn.
        (33, 2, True, "at least 36"),
    ],
)
def test_a_size_that_does_not_fit_names_the_nearest(side: int, poolings: int, same_padding: bool, near: str) -> None:
    with pytest.raises(
        InvalidInputError,
        match=f"crop_size = {side}: .* that halves its input {poolings} times; expected {near}",
    ):
        output_size(side, poolings, same_padding=same_padding)


@pytest.mark.parametrize(("classes", "million"), [(1, 31.03), (2, 31.03)])
def test_the_published_network_has_the_published_number_of_parameters(classes: int, million: float) -> None:
    network = UNetNetwork(num_classes=classes)
    assert round(sum(parameter.size for parameter in network.trainable_params()) / 1e6, 2) == million


def test_a_narrower_network_of_three_channels_takes_rgb() -> None:
    network = UNetNetwork(num_classes=2, width=4, poolings=1, in_channels=3).set_train(False)
    assert network(Tensor(np.zeros((1, 3, 18, 24), np.float32))).shape == (1, 2, 2, 8)


class _LossAndGradients(nn.Cell):
    def __init__(self, network: nn.Cell) -> None:
        super().__init__(auto_prefix=False)
        self.network = network
        self.loss = PixelCrossEntropy(unet_cases.IGNORE)
        self.both = ms.value_and_grad(self.forward, None, network.trainable_params())

    def forward(self, images: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
        return self.loss(self.network(images), labels, weights)

    def construct(self, images: Tensor, labels: Tensor, weights: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        return self.both(images, labels, weights)


@pytest.mark.parametrize("model", unet_cases.MODELS)
def test_logits_loss_and_gradients_are_those_of_pytorch(model: str) -> None:
    cases = unet_cases
    network = UNetNetwork(
        num_classes=cases.CLASSES,
        width=cases.WIDTH,
        poolings=cases.POOLINGS,
        same_padding=model != "unet",
        residual=model == "unet_residual",
    )
    for parameter in network.get_parameters():
        parameter.set_data(Tensor(cases.parameter(parameter.name, parameter.shape)))
    images, labels, weights = map(Tensor, cases.batch(model))
    with np.load(cases.GOLDEN) as file:
        golden = {name: file[f"{model}/{name}"] for name in ("logits", "loss", "gradients")}

    logits = network.set_train(False)(images).asnumpy()
    assert logits.shape == (2, cases.CLASSES, *cases.size(model))
    assert parity_cases.relative_error(parity_cases.digest(logits), golden["logits"]) < 1e-5

    loss, gradients = _LossAndGradients(network).set_train(True)(images, labels, weights)
    assert abs(float(loss.asnumpy()) / float(golden["loss"]) - 1) < 1e-5
    names = [parameter.name for parameter in network.trainable_params()]
    found = {name: gradient.asnumpy() for name, gradient in zip(names, gradients, strict=True)}
    assert parity_cases.relative_error(parity_cases.digests(found), golden["gradients"]) < 1e-4


def test_a_level_that_changes_no_number_of_channels_adds_its_input_as_it_is() -> None:
    network = UNetNetwork(num_classes=2, width=1, poolings=1, same_padding=True, residual=True).set_train(False)
    names = [parameter.name for parameter in network.trainable_params() if "shortcut" in parameter.name]
    assert names == ["down.1.shortcut.weight", "joint.0.shortcut.weight"]
    for parameter in network.down[0].trainable_params():
        # Scales of zero: the convolutions add nothing.
        parameter.set_data(ops.zeros_like(parameter))
    image = np.random.default_rng(0).standard_normal((1, 1, 4, 6)).astype(np.float32)
    np.testing.assert_array_equal(network.down[0](Tensor(image)).asnumpy(), np.maximum(image, 0))


def test_patches_are_seen_as_pixels_and_taken_apart_again() -> None:
    network = UNetNetwork(num_classes=3, width=4, poolings=1, same_padding=True, patch=2).set_train(False)
    assert network(Tensor(np.zeros((1, 1, 16, 24), np.float32))).shape == (1, 3, 16, 24)
    # Four channels of each patch; what comes after has no more pixels than that.
    assert network.patches.weight.shape == (4, 1, 2, 2)
