from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from segdata.errors import SegDataError
from segtrain.config.choices import Constant, Cosine, Exponential, Polynomial, Schedule
from segtrain.config.recipes import override, recipe
from segtrain.training.schedules import learning_rates

SCHEDULES: list[type[Schedule]] = [Cosine, Polynomial, Exponential, Constant]


def test_cosine_falls_from_the_base_through_its_half_to_nearly_nothing() -> None:
    rates = learning_rates(Cosine(base_lr=0.08), 400)
    assert (rates.shape, rates.dtype) == ((400,), np.float32)
    # (1 + cos(pi i / D)) / 2 at i = 0, D/4, D/2 and 3D/4.
    np.testing.assert_allclose(
        rates[[0, 100, 200, 300]],
        [0.08, 0.04 * (1 + math.sqrt(0.5)), 0.04, 0.04 * (1 - math.sqrt(0.5))],
        rtol=1e-6,
    )
    np.testing.assert_allclose(learning_rates(Cosine(base_lr=1.0), 300)[[100, 200]], [0.75, 0.25], rtol=1e-6)
    assert 0 < rates[-1] < 0.08 * 2e-5


def test_polynomial_has_power_nine_tenths_and_ends_at_zero() -> None:
    rates = learning_rates(Polynomial(base_lr=0.007), 1000)
    # 0.5 ** 0.9 = 0.535886731, 0.001 ** 0.9 = 10 ** -2.7 = 0.00199526231
    np.testing.assert_allclose(rates[[0, 500, 999]], [0.007, 0.007 * 0.535886731, 0.007 * 0.00199526231], rtol=1e-6)


def test_exponential_is_a_staircase_of_tenths_every_40000_steps() -> None:
    rates = learning_rates(Exponential(base_lr=0.02), 80001)
    np.testing.assert_allclose(rates[[0, 39999, 40000, 79999, 80000]], [0.02, 0.02, 0.002, 0.002, 0.0002], rtol=1e-6)
    assert len(np.unique(rates)) == 3


def test_exponential_takes_other_stairs() -> None:
    rates = learning_rates(Exponential(base_lr=1.0, lr_decay_step=2, lr_decay_rate=0.5), 6)
    assert rates.tolist() == [1, 1, 0.5, 0.5, 0.25, 0.25]


def test_constant_stays() -> None:
    assert set(learning_rates(Constant(base_lr=0.5), 9).tolist()) == {0.5}


def test_warm_up_may_begin_at_a_share_of_the_base() -> None:
    rates = learning_rates(Constant(base_lr=0.6, warmup_steps=4, warmup_start=1 / 3), 5)
    np.testing.assert_allclose(rates, [0.3, 0.4, 0.5, 0.6, 0.6], rtol=1e-6)


@pytest.mark.parametrize("kind", SCHEDULES)
def test_warm_up_rises_linearly_and_the_decay_takes_the_rest(kind: type[Schedule]) -> None:
    rates = learning_rates(kind(base_lr=0.4, warmup_steps=4), 14)
    np.testing.assert_allclose(rates[:4], [0.1, 0.2, 0.3, 0.4], rtol=1e-6)
    np.testing.assert_array_equal(rates[4:], learning_rates(kind(base_lr=0.4), 10))


@pytest.mark.parametrize("kind", SCHEDULES)
def test_no_decay_ever_rises(kind: type[Schedule]) -> None:
    stairs = {"lr_decay_step": 50} if kind is Exponential else {}
    rates = learning_rates(kind(base_lr=0.08, **stairs), 257)
    assert (np.diff(rates) <= 0).all()
    assert (rates > 0).all()


@pytest.mark.parametrize("warmup_steps", [10, 11])
def test_a_step_must_be_left_after_the_warmup(warmup_steps: int) -> None:
    cure = r"fewer than the total of 10 training steps\. Lower it, for example with --set warmup_steps=0, or train"
    with pytest.raises(SegDataError, match=f"warmup_steps = {warmup_steps}: expected 0 to 9, {cure}"):
        learning_rates(Cosine(base_lr=0.1, warmup_steps=warmup_steps), 10)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"base_lr": 0.0}, "base_lr = 0.0: expected a number, above 0"),
        ({"base_lr": -0.1}, "base_lr = -0.1"),
        ({"base_lr": math.nan}, "base_lr = nan"),
        ({"base_lr": math.inf}, "base_lr = inf: expected a finite number"),
        ({"warmup_steps": -1}, "warmup_steps = -1"),
        ({"lr_type": "exp", "lr_decay_step": 0}, "lr_decay_step = 0"),
        ({"lr_type": "exp", "lr_decay_rate": 0.0}, "lr_decay_rate = 0.0"),
        ({"lr_type": "exp", "lr_decay_rate": 1.5}, "lr_decay_rate = 1.5"),
        ({"lr_type": "cosine"}, "lr_type = 'cosine': expected one of cos, poly, exp, constant"),
    ],
)
def test_values_out_of_range_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(SegDataError, match=message):
        override(recipe("deeplabv3_s16"), change)
