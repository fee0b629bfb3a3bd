from __future__ import annotations

import mindspore as ms
import numpy as np
import pytest
from mindspore import Parameter, Tensor, nn

from segtrain.checkpoints.checkpoint import RATES as RATES_NAME, restore
from segtrain.config.config import Config
from segtrain.config.recipes import override
from segtrain.models.layers import ConvBNReLU, Dropout, conv
from segtrain.tasks import semantic
from segtrain.training.step import FIRST_SCALE, STEADY_STEPS, TrainStep, build_train_step, skipped_steps

RATES = np.array([0.1, 0.01, 0.001, 0.0001], np.float32)


class _Network(nn.Cell):
    def __init__(self) -> None:
        super().__init__()
        self.backbone = ConvBNReLU(2, 4, 1)
        self.dropout = Dropout(0.2)
        self.head = conv(4, 3, 1, has_bias=True)

    def construct(self, x: Tensor) -> Tensor:
        return self.head(self.dropout(self.backbone(x)))


@pytest.fixture(scope="module", autouse=True)
def _graph_mode_on_cpu() -> None:
    ms.set_device("CPU")
    ms.set_context(mode=ms.GRAPH_MODE)


def _batch() -> tuple[Tensor, Tensor]:
    random = np.random.RandomState(0)
    images = random.randn(2, 2, 5, 5).astype(np.float32)
    return Tensor(images), Tensor(random.randint(0, 3, (2, 5, 5)).astype(np.int32))


def _step(small: Config, **changes: object) -> TrainStep:
    ms.set_seed(3)
    config = override(small, {"ignore_label": 255, **changes})
    return build_train_step(_Network(), semantic, config, RATES).set_train(True)


def _state(step: nn.Cell) -> dict[str, np.ndarray]:
    return {parameter.name: parameter.asnumpy().copy() for parameter in step.get_parameters()}


def _weights(step: nn.Cell) -> dict[str, np.ndarray]:
    return {name: value for name, value in _state(step).items() if not name.startswith("loss_scale")}


def test_scaling_is_by_powers_of_two_and_changes_no_bit(small: Config) -> None:
    plain, fixed, dynamic = (_step(small, loss_scale=scale) for scale in (1.0, 1024.0, "dynamic"))
    for _ in RATES:
        assert len({float(step(*_batch())[0].asnumpy()) for step in (plain, fixed, dynamic)}) == 1
    expected = _weights(plain)
    # A step updates statistics and dropout once.
    assert (expected["backbone.1.moving_mean"] != 0).all()
    assert any((expected[name] != 0).any() for name in expected if name.startswith("moments."))
    for step in (fixed, dynamic):
        assert [name for name, value in _weights(step).items() if (value != expected[name]).any()] == []
    assert _state(dynamic)["loss_scale"] == FIRST_SCALE
    assert _state(dynamic)["loss_scale_steady"] == len(RATES)
    assert skipped_steps(plain) == skipped_steps(dynamic) == 0


def test_an_overflow_updates_nothing_halves_the_scale_and_counts_as_a_step(small: Config) -> None:
    step = _step(small, loss_scale="dynamic")
    # Gradients of this scale are infinite in float32.
    step.scale.set_data(Tensor(3e38, ms.float32))
    step.steady.set_data(Tensor(7, ms.int32))
    before = _state(step)
    loss = float(step(Tensor(100 * _batch()[0].asnumpy()), _batch()[1])[0].asnumpy())
    after = _state(step)
    assert np.isfinite(loss)
    changed = {name for name in before if (before[name] != after[name]).any()}
    # The forward pass has updated its own state.
    changed -= {"backbone.1.moving_mean", "backbone.1.moving_variance", "dropout.counter"}
    assert changed == {"loss_scale", "loss_scale_steady", "loss_scale_skipped", "global_step"}
    assert after["loss_scale"] == np.float32(3e38) / 2
    assert (after["loss_scale_steady"], after["global_step"][0], skipped_steps(step)) == (0, 1, 1)


def test_the_scale_doubles_after_enough_steps_without_an_overflow(small: Config) -> None:
    step = _step(small, loss_scale="dynamic")
    step.steady.set_data(Tensor(STEADY_STEPS - 2, ms.int32))
    scales = []
    for _ in range(3):
        step(*_batch())
        scales.append((float(_state(step)["loss_scale"]) / FIRST_SCALE, int(_state(step)["loss_scale_steady"])))
    assert scales == [(1, STEADY_STEPS - 1), (2, 0), (2, 1)]


def test_at_scale_one_gradients_that_are_not_finite_are_not_hidden(small: Config) -> None:
    step = _step(small, loss_scale="dynamic")
    step.scale.set_data(Tensor(1.0, ms.float32))
    images, labels = _batch()
    step(Tensor(np.full_like(images.asnumpy(), np.inf)), labels)
    assert not all(np.isfinite(value).all() for value in _state(step).values())
    assert skipped_steps(step) == 0


def test_a_step_with_every_choice_resumes_bit_for_bit_where_its_saved_state_stopped(small: Config) -> None:
    choices = {"amp": "O2", "loss_scale": "dynamic", "loss": "ohem", "class_weights": [0.5, 1, 4]}
    choices |= {"head_lr_factor": 10, "weight_decay_filter": "norm_and_bias", "ema_decay": 0.5}
    first, second = _step(small, **choices), _step(small, **choices)
    for _ in range(2):
        first(*_batch())
    # The learning rates follow from the configuration; checkpoints do not contain them.
    saved = {name: Parameter(value, name=name) for name, value in _state(first).items() if name != RATES_NAME}
    restore(second, saved)
    first(*_batch())
    second(*_batch())
    expected, found = _state(first), _state(second)
    assert expected.keys() == found.keys()
    assert [name for name in found if (found[name] != expected[name]).any()] == []


class _Zero(nn.Cell):
    def construct(self, gradients: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return tuple([0 * gradient for gradient in gradients])


def test_gradients_go_through_what_reduces_them_over_devices(small: Config) -> None:
    step = _step(small, loss_scale="dynamic", weight_decay=0.0)
    step.grad_reducer = _Zero()
    before = _weights(step)
    step(*_batch())
    after = _weights(step)
    changed = {name for name in before if (before[name] != after[name]).any()}
    assert changed == {"global_step", "backbone.1.moving_mean", "backbone.1.moving_variance", "dropout.counter"}


@pytest.fixture(scope="module")
def single(small: Config) -> tuple[list[float], dict[str, np.ndarray]]:
    """Return the losses and the last weights of steps in float32."""
    step = _step(small)
    return [float(step(*_batch())[0].asnumpy()) for _ in RATES], _weights(step)


@pytest.mark.parametrize("loss_scale", [1024.0, "dynamic"])
@pytest.mark.parametrize("amp", ["O2", "O3", "auto"])
def test_mixed_precision_learns_as_float32_does_and_keeps_float32_weights(
    small: Config, single: tuple[list[float], dict[str, np.ndarray]], amp: str, loss_scale: object
) -> None:
    losses, wanted = single
    mixed = _step(small, amp=amp, loss_scale=loss_scale)
    for expected in losses:
        loss = mixed(*_batch())[0].asnumpy()
        assert loss.dtype == np.float32
        assert abs(float(loss) - expected) < 0.003 * expected
    found = _weights(mixed)
    assert {name: value.dtype for name, value in found.items()} == {name: value.dtype for name, value in wanted.items()}
    difference = max(float(np.abs(found[name] - wanted[name]).max()) for name in ("backbone.0.weight", "head.weight"))
    assert 0 < difference < 0.01
