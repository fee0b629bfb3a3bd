from __future__ import annotations

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, nn

from segtrain.models.resnet import OutputStride, ResNet


def _dilations(stage: nn.Cell, conv: str) -> list[int]:
    return [getattr(block, conv).dilation[0] for block in stage]


@pytest.mark.parametrize("size", [(65, 65), (33, 47), (64, 96)])
@pytest.mark.parametrize("output_stride", [8, 16])
def test_features_have_stride_4_and_the_output_stride(output_stride: OutputStride, size: tuple[int, int]) -> None:
    net = ResNet(18, output_stride).set_train(False)
    low_level, features = net(Tensor(np.zeros((1, 3, *size), np.float32)))
    assert low_level.shape == (1, 64, *(-(-side // 4) for side in size))
    assert features.shape == (1, 512, *(-(-side // output_stride) for side in size))


@pytest.mark.parametrize(("depth", "low_level", "out"), [(18, 64, 512), (50, 256, 2048), (101, 256, 2048)])
def test_channels_are_told(depth: int, low_level: int, out: int) -> None:
    net = ResNet(depth, 16)
    assert (net.low_level_channels, net.out_channels) == (low_level, out)


def test_a_bottleneck_network_gives_the_channels_it_tells() -> None:
    net = ResNet(50, 8).set_train(False)
    low_level, features = net(Tensor(np.zeros((1, 3, 33, 33), np.float32)))
    assert (low_level.shape, features.shape) == ((1, 256, 9, 9), (1, 2048, 5, 5))


def test_output_stride_16_dilates_the_last_stage_by_the_multi_grid() -> None:
    net = ResNet(101, 16)
    assert _dilations(net.layer3, "conv2") == [1] * 23
    assert _dilations(net.layer4, "conv2") == [2, 4, 8]


def test_output_stride_8_dilates_the_last_two_stages() -> None:
    net = ResNet(101, 8)
    assert _dilations(net.layer2, "conv2") == [1] * 4
    assert _dilations(net.layer3, "conv2") == [2] * 23
    assert _dilations(net.layer4, "conv2") == [4, 8, 16]


def test_a_gradual_dilation_begins_one_block_later() -> None:
    net = ResNet(50, 8, multi_grid=(1, 1, 1), gradual=True)
    assert _dilations(net.layer3, "conv2") == [1, 2, 2, 2, 2, 2]
    assert _dilations(net.layer4, "conv2") == [2, 4, 4]
    net = ResNet(50, 16, multi_grid=(1, 1, 1), gradual=True)
    assert (_dilations(net.layer3, "conv2"), _dilations(net.layer4, "conv2")) == ([1] * 6, [1, 2, 2])


def test_the_two_blocks_of_resnet_18_use_the_first_two_grid_factors_in_both_convolutions() -> None:
    net = ResNet(18, 16, multi_grid=(1, 3, 5))
    assert _dilations(net.layer4, "conv1") == _dilations(net.layer4, "conv2") == [2, 6]


def test_output_stride_32_is_the_resnet_of_classification_in_four_stages() -> None:
    net = ResNet(18, 32, multi_grid=(1, 1, 1)).set_train(False)
    assert _dilations(net.layer3, "conv2") == _dilations(net.layer4, "conv2") == [1, 1]
    stages = net.stages(Tensor(np.zeros((1, 3, 64, 96), np.float32)))
    assert [stage.shape for stage in stages] == [(1, 64, 16, 24), (1, 128, 8, 12), (1, 256, 4, 6), (1, 512, 2, 3)]


def test_output_strides_share_their_parameters() -> None:
    shapes = [{p.name: p.shape for p in ResNet(50, stride).get_parameters()} for stride in (8, 16)]
    assert shapes[0] == shapes[1]


def test_parameters_have_the_names_of_torchvision() -> None:
    names = {p.name for p in ResNet(50, 16).get_parameters()}
    assert {
        "conv1.weight",
        "bn1.gamma",
        "layer1.0.conv1.weight",
        "layer1.0.downsample.0.weight",
        "layer1.0.downsample.1.moving_mean",
        "layer3.5.bn3.beta",
    } <= names
    assert "layer1.1.downsample.0.weight" not in names


def test_parameter_count_is_that_of_resnet_101_without_its_classifier() -> None:
    # torchvision counts 44,549,160, of which 2048 * 1000 + 1000 are the classifier.
    assert sum(p.size for p in ResNet(101, 16).trainable_params()) == 44_549_160 - 2_049_000


def test_equal_seeds_give_equal_weights() -> None:
    ms.set_seed(3)
    first = ResNet(18, 16)
    ms.set_seed(3)
    second = ResNet(18, 16)
    for one, other in zip(first.get_parameters(), second.get_parameters(), strict=True):
        assert (one.asnumpy() == other.asnumpy()).all(), one.name
