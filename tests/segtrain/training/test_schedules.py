from __future__ import annotations

import math
from typing import Any, get_args

import numpy as np
import pytest

from segdata.errors import SegDataError
from segtrain.config.config import LrType
from segtrain.training.schedules import learning_rates


def test_cosine_falls_from_the_base_through_its_half_to_nearly_nothing() -> None:
    rates = learning_rates("cos", base_lr=0.08, total_steps=400)
    assert (rates.shape, rates.dtype) == ((400,), np.float32)
    # (1 + cos(pi i / D)) / 2 at i = 0, D/4, D/2 and 3D/4.
    np.testing.assert_allclose(
        rates[[0, 100, 200, 300]],
        [0.08, 0.04 * (1 + math.sqrt(0.5)), 0.04, 0.04 * (1 - math.sqrt(0.5))],
        rtol=1e-6,
    )
    np.testing.assert_allclose(learning_rates("cos", base_lr=1.0, total_steps=300)[[100, 200]], [0.75, 0.25], rtol=1e-6)
    assert 0 < rates[-1] < 0.08 * 2e-5


def test_polynomial_has_power_nine_tenths_and_ends_at_zero() -> None:
    rates = learning_rates("poly", base_lr=0.007, total_steps=1000)
    # 0.5 ** 0.9 = 0.535886731, 0.001 ** 0.9 = 10 ** -2.7 = 0.00199526231
    np.testing.assert_allclose(rates[[0, 500, 999]], [0.007, 0.007 * 0.535886731, 0.007 * 0.00199526231], rtol=1e-6)


def test_exponential_is_a_staircase_of_tenths_every_40000_steps() -> None:
    rates = learning_rates("exp", base_lr=0.02, total_steps=80001)
    np.testing.assert_allclose(rates[[0, 39999, 40000, 79999, 80000]], [0.02, 0.02, 0.002, 0.002, 0.0002], rtol=1e-6)
    assert len(np.unique(rates)) == 3


def test_exponential_takes_other_stairs() -> None:
    rates = learning_rates("exp", base_lr=1.0, total_steps=6, decay_steps=2, decay_rate=0.5)
    assert rates.tolist() == [1, 1, 0.5, 0.5, 0.25, 0.25]


def test_constant_stays() -> None:
    assert set(learning_rates("constant", base_lr=0.5, total_steps=9).tolist()) == {0.5}


def test_warm_up_may_begin_at_a_share_of_the_base() -> None:
    rates = learning_rates("constant", base_lr=0.6, total_steps=5, warmup_steps=4, warmup_start=1 / 3)
    np.testing.assert_allclose(rates, [0.3, 0.4, 0.5, 0.6, 0.6], rtol=1e-6)


@pytest.mark.parametrize("lr_type", get_args(LrType))
def test_warm_up_rises_linearly_and_the_decay_takes_the_rest(lr_type: LrType) -> None:
    rates = learning_rates(lr_type, base_lr=0.4, total_steps=14, warmup_steps=4)
    np.testing.assert_allclose(rates[:4], [0.1, 0.2, 0.3, 0.4], rtol=1e-6)
    np.testing.assert_array_equal(rates[4:], learning_rates(lr_type, base_lr=0.4, total_steps=10))


@pytest.mark.parametrize("lr_type", get_args(LrType))
def test_no_decay_ever_rises(lr_type: LrType) -> None:
    rates = learning_rates(lr_type, base_lr=0.08, total_steps=257, decay_steps=50)
    assert (np.diff(rates) <= 0).all()
    assert (rates > 0).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"base_lr": 0.0}, "base learning rate is 0.0; expected a positive number"),
        ({"base_lr": -0.1}, "base learning rate is -0.1"),
        ({"base_lr": math.nan}, "base learning rate is nan"),
        ({"total_steps": 0}, "number of training steps is 0; expected at least 1"),
        ({"warmup_steps": 10}, "number of warm-up steps is 10; expected 0 to 9"),
        ({"warmup_steps": -1}, "number of warm-up steps is -1"),
        ({"decay_steps": 0}, "number of steps between decays is 0"),
        ({"decay_rate": 0.0}, "decay rate is 0.0"),
        ({"decay_rate": 1.5}, "decay rate is 1.5"),
        (
            {"lr_type": "cosine"},
            "'cosine' is not a learning rate schedule; did you mean cos[?] Expected one of constant, cos, exp, poly",
        ),
    ],
)
def test_values_out_of_range_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(SegDataError, match=message):
        learning_rates(**{"lr_type": "cos", "base_lr": 0.1, "total_steps": 10} | change)
