"""Weights to start from: a backbone is taken completely or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mindspore as ms
import numpy as np
import pytest
from mindspore import Parameter, Tensor, nn
from tiny_networks import deeplab

from segdata.errors import FaultsError, InvalidInputError
from segtrain.checkpoints.convert import convert_checkpoint
from segtrain.checkpoints.pretrained import load_pretrained
from segtrain.checkpoints.weights import read_parameters
from segtrain.models.resnet import BACKBONES, ResNet

if TYPE_CHECKING:
    from tests.segtrain.conftest import Trained


def _parameters(*names: str) -> list[Parameter]:
    return [Parameter(Tensor(np.ones(3, np.float32)), name=name) for name in names]


def _network(model: str = "DeepLabV3plus_s16", num_classes: int = 4) -> nn.Cell:
    return deeplab(model, num_classes=num_classes, backbone="resnet18", atrous_rates=(2,))


def _save(path: Path, parameters: Iterable[Parameter], prefix: str = "") -> Path:
    names = [
        {"name": each.name.removeprefix(prefix), "data": each} for each in parameters if each.name.startswith(prefix)
    ]
    ms.save_checkpoint(names, str(path))
    return path


def test_a_checkpoint_of_the_other_output_stride_is_taken_completely(trained: Trained) -> None:
    network = _network("DeepLabV3plus_s8")
    report = load_pretrained(network, trained.directory / "last.ckpt")
    assert (report.missing, report.unexpected, report.mismatched) == ((), (), ())
    saved = read_parameters(trained.directory / "last.ckpt")
    assert report.loaded == tuple(each.name for each in network.get_parameters())
    assert all(np.array_equal(each.asnumpy(), saved[each.name].asnumpy()) for each in network.get_parameters())


def test_of_a_checkpoint_for_other_classes_only_the_head_is_left_as_it_is(trained: Trained) -> None:
    network = _network(num_classes=7)
    head = network.decoder.classifier.weight.asnumpy().copy()
    report = load_pretrained(network, trained.directory / "best.ckpt")
    assert report.mismatched == (
        "decoder.classifier.weight (4 x 256 x 1 x 1 in the file, 7 x 256 x 1 x 1 in the network)",
    )
    assert (report.missing, report.unexpected) == ((), ())
    assert np.array_equal(network.decoder.classifier.weight.asnumpy(), head)


def test_a_backbone_alone_is_taken_by_either_name(tmp_path: Path) -> None:
    source, target = _network(), _network(num_classes=2)
    parameters = list(source.get_parameters())
    bare = load_pretrained(target, _save(tmp_path / "a.ckpt", source.backbone.get_parameters(), prefix="backbone."))
    full = load_pretrained(target, _save(tmp_path / "b.ckpt", source.backbone.get_parameters()))
    assert bare == full
    assert bare.loaded == tuple(each.name for each in parameters if each.name.startswith("backbone."))
    assert bare.missing == tuple(each.name for each in parameters if not each.name.startswith("backbone."))


def test_pretrained_parameters_of_which_none_fits_the_backbone_are_an_error(tmp_path: Path) -> None:
    head = _save(tmp_path / "a.ckpt", _network().aspp.get_parameters())
    words = r"no parameter fits the backbone \(first in the file: aspp\..*; first expected: backbone\.conv1\.weight"
    with pytest.raises(InvalidInputError, match=words):
        load_pretrained(_network(), head)
    other = _save(tmp_path / "b.ckpt", _parameters("other"))
    with pytest.raises(
        InvalidInputError, match=r"fits the network \(first in the file: other; first expected: weight, bias"
    ):
        load_pretrained(nn.Dense(3, 2), other)


@pytest.mark.parametrize(
    ("name", "naming"),
    [
        ("layer1.0.down_sample_layer.0.weight", "ResNet of MindSpore's model zoo"),
        ("network.resnet.conv1.weight", "backbone for the DeepLab of MindSpore's model zoo"),
        ("bn1.running_mean", "torchvision or timm"),
    ],
)
def test_names_of_other_programs_are_told_with_the_command_that_changes_them(
    tmp_path: Path, name: str, naming: str
) -> None:
    path = _save(tmp_path / "a.ckpt", _parameters("conv1.weight", name))
    with pytest.raises(
        InvalidInputError,
        match=rf"uses the parameter names of {naming}\. Convert it first: segtrain convert-check",
    ):
        load_pretrained(_network(), path)


def _backbone(path: Path, backbone: str, rename: Callable[[str], str] = str) -> Path:
    """Write a backbone with new weights as `path`; a name that becomes empty is left out."""
    parameters = ResNet(BACKBONES[backbone], 16).get_parameters()
    named = [{"name": rename(each.name), "data": each} for each in parameters]
    ms.save_checkpoint([each for each in named if each["name"]], str(path))
    return path


@pytest.fixture(scope="module")
def resnets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("resnets")
    return {backbone: _backbone(folder / f"{backbone}.ckpt", backbone) for backbone in BACKBONES}


@pytest.fixture(scope="module")
def resnet50() -> nn.Cell:
    return deeplab("DeepLabV3_s16", num_classes=2, backbone="resnet50", atrous_rates=(6,))


@pytest.mark.parametrize("other", ["resnet18", "resnet101"])
def test_another_resnet_is_refused_by_both_names(resnets: dict[str, Path], resnet50: nn.Cell, other: str) -> None:
    # A ResNet-101 has all names and shapes of a ResNet-50, and 17 blocks more.
    before = resnet50.backbone.conv1.weight.asnumpy().copy()
    words = f"{other}.ckpt: contains a {other}; expected a resnet50, .* or train with --set backbone={other}"
    with pytest.raises(InvalidInputError, match=words):
        load_pretrained(resnet50, resnets[other])
    assert np.array_equal(resnet50.backbone.conv1.weight.asnumpy(), before)


@pytest.mark.parametrize(
    ("rename", "count", "named"),
    [
        (lambda name: name.replace("downsample", "shortcut"), 2 * 4 * 5, "layer1.0.downsample.0.weight: missing"),
        (lambda name: "" if name == "layer4.2.bn3.gamma" else name, 1, "layer4.2.bn3.gamma: missing"),
    ],
)
def test_a_backbone_that_fits_in_part_is_refused_with_the_command_that_converts_it(
    resnet50: nn.Cell, tmp_path: Path, rename: Callable[[str], str], count: int, named: str
) -> None:
    path = _backbone(tmp_path / "a.ckpt", "resnet50", rename)
    words = (
        rf"{count} parameters? of its backbone do(es)? not fit a resnet50 with segtrain's names\. Convert it first: "
    )
    with pytest.raises(FaultsError, match=rf"{words}segtrain convert-checkpoint {path} ") as caught:
        load_pretrained(resnet50, path)
    assert (len(caught.value.faults), caught.value.faults[0]) == (count, named)


def _tutorials(name: str) -> str:
    """Return the name that the Mask R-CNN tutorial's convert_checkpoint.py gives a parameter."""
    return f"backbone.{name}".replace("downsample.0", "conv_down_sample").replace("downsample.1", "bn_down_sample")


def test_the_tutorials_own_backbone_is_recognized_and_converts(
    resnets: dict[str, Path], resnet50: nn.Cell, tmp_path: Path
) -> None:
    state: dict[str, Any] = {_tutorials(name): value for name, value in read_parameters(resnets["resnet50"]).items()}
    # The script adds no prefix to the optimizer's state, the classifier and the counters.
    first = "backbone.layer1.0.conv1.weight"
    state |= {first.replace("backbone", "moments"): state[first], "end_point.bias": Tensor([1.0])}
    path = tmp_path / "resnet50_backbone.ckpt"
    ms.save_checkpoint([{"name": name, "data": value} for name, value in state.items()], str(path))
    with pytest.raises(
        InvalidInputError, match=r"names of Mask R-CNN of .* tutorials\. Convert it first: segtrain conv"
    ):
        load_pretrained(resnet50, path)
    report = convert_checkpoint(path, tmp_path / "b.ckpt")
    assert (report.backbone, report.mapped, report.input_order) == ("resnet50", 265, "rgb")
    found, expected = read_parameters(tmp_path / "b.ckpt"), read_parameters(resnets["resnet50"])
    assert found.keys() == expected.keys()
    assert [name for name in found if not np.array_equal(found[name].asnumpy(), expected[name].asnumpy())] == []
    assert len(load_pretrained(resnet50, tmp_path / "b.ckpt").loaded) == 265
