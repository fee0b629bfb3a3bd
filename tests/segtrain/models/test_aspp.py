from __future__ import annotations

import numpy as np
import pytest
from mindspore import Tensor

from segtrain.models.aspp import ASPP, ImagePooling


def _images(*shape: int) -> np.ndarray:
    return np.random.RandomState(0).randn(*shape).astype(np.float32)


@pytest.mark.parametrize("size", [(3, 3), (5, 9), (9, 2)])
def test_image_pooling_is_the_global_mean_for_any_size(size: tuple[int, int]) -> None:
    pooling = ImagePooling(4, 6, freeze_bn=False).set_train(False)
    x = _images(2, 4, *size)
    y = pooling(Tensor(x)).asnumpy()
    weight = pooling.conv.weight.asnumpy()[:, :, 0, 0]
    expected = np.maximum(x.mean((2, 3)) @ weight.T / np.sqrt(1 + 1e-5), 0)
    assert y.shape == (2, 6, *size)
    np.testing.assert_allclose(y, np.broadcast_to(expected[:, :, None, None], y.shape), rtol=1e-4, atol=1e-6)


def test_image_pooling_learns_statistics_from_two_images() -> None:
    pooling = ImagePooling(4, 6, freeze_bn=False).set_train(True)
    pooling(Tensor(_images(2, 4, 3, 3)))
    assert (pooling.bn.moving_mean.asnumpy() != 0).all()


def test_image_pooling_of_a_single_training_image_uses_the_moving_statistics() -> None:
    pooling = ImagePooling(4, 6, freeze_bn=False)
    x = Tensor(_images(1, 4, 3, 3))
    evaluated = pooling.set_train(False)(x).asnumpy()
    trained = pooling.set_train(True)(x).asnumpy()
    assert (trained == evaluated).all()
    assert (trained > 0).any()
    assert (pooling.bn.moving_mean.asnumpy() == 0).all()
    assert (pooling.bn.moving_variance.asnumpy() == 1).all()


def test_aspp_has_one_branch_per_rate_and_two_more() -> None:
    aspp = ASPP(8, (2, 3), channels=4, freeze_bn=False).set_train(False)
    assert len(aspp.branches) == 4
    assert [branch[0].dilation[0] for branch in aspp.branches[1:3]] == [2, 3]
    assert aspp(Tensor(_images(1, 8, 5, 7))).shape == (1, 4, 5, 7)


def test_aspp_drops_out_in_training_only() -> None:
    aspp = ASPP(8, (2, 3), channels=16, freeze_bn=True)
    x = Tensor(_images(2, 8, 9, 9))
    evaluated = aspp.set_train(False)(x).asnumpy()
    trained = aspp.set_train(True)(x).asnumpy()
    kept = trained != 0
    # Frozen normalization leaves dropout as the only difference.
    np.testing.assert_allclose(trained[kept], evaluated[kept] / 0.3, rtol=1e-4)
    assert abs(kept[evaluated > 0].mean() - 0.3) < 0.05
