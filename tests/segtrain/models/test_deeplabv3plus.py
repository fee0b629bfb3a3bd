from __future__ import annotations

from functools import cache

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, nn
from tiny_networks import deeplab

from segtrain.losses import PixelCrossEntropy
from segtrain.models.layers import Resize

CLASSES = 3


def _small(model: str = "DeepLabV3plus_s16", *, freeze_bn: bool = False) -> nn.Cell:
    return deeplab(model, num_classes=CLASSES, backbone="resnet18", atrous_rates=(1, 2), freeze_bn=freeze_bn)


def _batch(images: int = 2) -> tuple[Tensor, Tensor]:
    random = np.random.RandomState(0)
    labels = random.randint(0, CLASSES, (images, 3, 3)).repeat(11, 1).repeat(11, 2)
    pixels = np.eye(CLASSES)[labels].transpose(0, 3, 1, 2) + 0.1 * random.randn(images, 3, 33, 33)
    labels[:, :4] = 255
    return Tensor(pixels.astype(np.float32)), Tensor(labels.astype(np.int32))


def _train(net: nn.Cell, steps: int, batch: tuple[Tensor, Tensor]) -> list[float]:
    optimizer = nn.Momentum(net.trainable_params(), learning_rate=0.02, momentum=0.9)
    step = nn.TrainOneStepCell(nn.WithLossCell(net, PixelCrossEntropy(255)), optimizer).set_train(True)
    return [float(step(*batch).asnumpy()) for _ in range(steps)]


@pytest.mark.parametrize("size", [(33, 33), (33, 47), (64, 40)])
@pytest.mark.parametrize("model", ["DeepLabV3plus_s16", "DeepLabV3plus_s8"])
def test_logits_have_the_size_of_the_image(model: str, size: tuple[int, int]) -> None:
    net = _small(model).set_train(False)
    logits = net(Tensor(np.zeros((2, 3, *size), np.float32)))
    assert logits.shape == (2, CLASSES, *size)
    assert logits.dtype == ms.float32


@pytest.mark.parametrize(("model", "side"), [("DeepLabV3plus_s16", 5), ("DeepLabV3plus_s8", 9)])
def test_the_name_decides_the_output_stride(model: str, side: int) -> None:
    net = _small(model).set_train(False)
    _, features = net.backbone(Tensor(np.zeros((1, 3, 65, 65), np.float32)))
    assert features.shape[2:] == (side, side)


def test_published_model_has_the_published_number_of_parameters() -> None:
    net = deeplab("DeepLabV3plus_s16", num_classes=21, backbone="resnet101", atrous_rates=(6, 12, 18))
    count = sum(p.size for p in net.trainable_params())
    # Published: 59.34 million.
    assert count == 59_344_288


def test_backbone_parameters_have_a_prefix_of_their_own() -> None:
    names = {p.name for p in _small().get_parameters()}
    assert {"backbone.conv1.weight", "backbone.layer4.1.bn2.gamma", "decoder.classifier.weight"} <= names
    assert {name.split(".")[0] for name in names} == {"backbone", "aspp", "decoder"}


def test_no_convolution_has_a_bias() -> None:
    convolutions = [cell for _, cell in _small().cells_and_names() if isinstance(cell, nn.Conv2d)]
    assert convolutions
    assert not any(convolution.has_bias for convolution in convolutions)


def test_resizing_is_bilinear_with_corner_on_corner() -> None:
    ramp = Tensor(np.array([[[[0.0, 3.0], [6.0, 9.0]]]], np.float32))
    expected = np.arange(4) + 2.0 * np.arange(4)[:, None]
    np.testing.assert_allclose(Resize()(ramp, (4, 4)).asnumpy()[0, 0], expected, atol=1e-5)


def test_training_lowers_the_loss() -> None:
    losses = _train(_small(), 15, _batch())
    assert np.isfinite(losses).all()
    assert min(losses[-3:]) < 0.6 * losses[0]


def test_equal_seeds_train_to_equal_bits_with_dropout() -> None:
    runs = []
    for _ in range(2):
        ms.set_seed(7)
        net = _small()
        losses = _train(net, 10, _batch())
        runs.append((losses, {p.name: p.asnumpy().copy() for p in net.get_parameters()}))
    (losses, first), (again, second) = runs
    assert losses == again
    for name, value in first.items():
        assert (value == second[name]).all(), name


def test_evaluation_is_deterministic_and_differs_from_training() -> None:
    net = _small()
    images, _ = _batch()
    trained = [net.set_train(True)(images).asnumpy() for _ in range(2)]
    state = {p.name: p.asnumpy().copy() for p in net.get_parameters()}
    evaluated = [net.set_train(False)(images).asnumpy() for _ in range(2)]
    assert (trained[0] != trained[1]).any()
    assert (evaluated[0] == evaluated[1]).all()
    assert (evaluated[0] != trained[0]).any()
    assert all((p.asnumpy() == state[p.name]).all() for p in net.get_parameters())


def test_training_on_single_images_stays_finite() -> None:
    net = _small()
    losses = _train(net, 3, _batch(images=1))
    assert np.isfinite(losses).all()
    assert all(np.isfinite(p.asnumpy()).all() for p in net.get_parameters())


def test_training_on_ignored_pixels_only_changes_no_weight() -> None:
    net = _small()
    before = {p.name: p.asnumpy().copy() for p in net.trainable_params()}
    images, labels = _batch()
    assert _train(net, 2, (images, Tensor(np.full(labels.shape, 255, np.int32)))) == [0.0, 0.0]
    for parameter in net.trainable_params():
        assert (parameter.asnumpy() == before[parameter.name]).all(), parameter.name


def test_frozen_normalization_keeps_all_statistics_in_training() -> None:
    net = _small(freeze_bn=True)
    _train(net, 2, _batch())
    for parameter in net.get_parameters():
        if parameter.name.endswith("moving_mean"):
            assert (parameter.asnumpy() == 0).all(), parameter.name
        if parameter.name.endswith("moving_variance"):
            assert (parameter.asnumpy() == 1).all(), parameter.name


@cache
def _single_precision_loss(images: int) -> float:
    ms.set_seed(7)
    return float(nn.WithLossCell(_small(), PixelCrossEntropy(255)).set_train(True)(*_batch(images)).asnumpy())


@pytest.mark.parametrize(("level", "images"), [("O2", 1), ("O3", 2), ("auto", 2)])
def test_half_precision_starts_at_the_loss_of_single_precision_and_stays_finite(level: str, images: int) -> None:
    expected = _single_precision_loss(images)
    ms.set_seed(7)
    losses = _train(ms.amp.auto_mixed_precision(_small(), level, ms.float16), 3, _batch(images))
    np.testing.assert_allclose(losses[0], expected, rtol=0.01)
    assert np.isfinite(losses).all()
