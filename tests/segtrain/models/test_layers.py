from __future__ import annotations

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn

from segtrain.models.layers import Dropout, batch_norm


def _masks(dropout: Dropout, steps: int, shape: tuple[int, ...] = (2, 16, 9, 9)) -> np.ndarray:
    dropout.set_train(True)
    return np.stack([dropout(Tensor(np.ones(shape, np.float32))).asnumpy() for _ in range(steps)])


def test_dropout_drops_the_share_and_scales_the_rest() -> None:
    masks = _masks(Dropout(0.7), 100)
    assert set(np.unique(masks)) == {np.float32(0), np.float32(1 / 0.3)}
    assert abs((masks > 0).mean() - 0.3) < 0.005


def test_dropout_treats_positions_and_steps_independently() -> None:
    kept = (_masks(Dropout(0.7), 100).reshape(100, -1) > 0).astype(float)
    # The number of times a position is kept is binomial.
    assert abs(kept.sum(0).var() / (100 * 0.3 * 0.7) - 1) < 0.15
    # So is the number of kept positions in a step.
    assert 0.5 < kept.sum(1).var() / (kept.shape[1] * 0.3 * 0.7) < 1.7
    assert np.abs(np.corrcoef(kept)[~np.eye(100, dtype=bool)]).max() < 0.12


def test_dropout_is_the_identity_in_eval_mode_and_drops_again_in_train_mode() -> None:
    dropout = Dropout(0.7)
    x = Tensor(np.ones((2, 3, 5, 5), np.float32))
    dropout.set_train(True)
    assert (dropout(x).asnumpy() == 0).any()
    dropout.set_train(False)
    assert (dropout(x).asnumpy() == 1).all()
    dropout.set_train(True)
    assert (dropout(x).asnumpy() == 0).any()


def test_dropout_masks_repeat_with_the_seed_and_only_with_it() -> None:
    ms.set_seed(5)
    first = _masks(Dropout(0.5), 8)
    ms.set_seed(5)
    again = _masks(Dropout(0.5), 8)
    ms.set_seed(6)
    other = _masks(Dropout(0.5), 8)
    assert (first == again).all()
    assert (first != other).any()


def test_dropout_resumes_where_its_saved_counter_stopped() -> None:
    dropout = Dropout(0.5)
    _masks(dropout, 3)
    saved = {p.name: ms.Parameter(p.asnumpy(), name=p.name) for p in dropout.get_parameters()}
    expected = _masks(dropout, 3)

    resumed = Dropout(0.5)
    assert ms.load_param_into_net(resumed, saved) == ([], [])
    assert (_masks(resumed, 3) == expected).all()


def test_dropout_gradient_is_that_of_its_mask_and_costs_one_step_of_the_counter() -> None:
    ms.set_seed(5)
    masks = _masks(Dropout(0.5), 2, (4, 4))
    ms.set_seed(5)
    dropout = Dropout(0.5).set_train(True)

    class Gradient(nn.Cell):
        def __init__(self) -> None:
            super().__init__()
            self.dropout = dropout
            self.gradient = ms.value_and_grad(dropout, 0)

        def construct(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return self.gradient(x)

    step = Gradient().set_train(True)
    for mask in masks:
        value, gradient = step(Tensor(np.ones((4, 4), np.float32)))
        assert (value.asnumpy() == mask).all()
        assert (gradient.asnumpy() == mask).all()


def test_frozen_batch_norm_keeps_its_statistics_in_training() -> None:
    x = Tensor(np.random.RandomState(0).randn(4, 3, 5, 5).astype(np.float32) + 2)
    frozen, free = batch_norm(3, freeze_bn=True).set_train(True), batch_norm(3, freeze_bn=False).set_train(True)
    np.testing.assert_allclose(frozen(x).asnumpy(), x.asnumpy() / np.sqrt(1 + 1e-5), rtol=1e-5)
    assert (frozen.moving_mean.asnumpy() == 0).all()
    assert abs(free(x).asnumpy().mean()) < 1e-5
    assert (free.moving_mean.asnumpy() > 0.1).all()
