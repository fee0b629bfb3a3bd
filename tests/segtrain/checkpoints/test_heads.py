"""DeepLabs of the model zoo with their heads, under the names that its two networks give their parameters."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
import pytest
from click.testing import Result
from mindspore import nn
from tiny_networks import deeplab

from segdata.errors import FaultsError, InvalidInputError, OptionError
from segdata.labels.classes import Classes
from segtrain.checkpoints.checkpoint import load_network
from segtrain.checkpoints.convert import convert_checkpoint
from segtrain.config.recipes import recipe

State = dict[str, np.ndarray]

NAMES = ("background", "aeroplane", "bicycle", "bird")
NORM = ("gamma", "beta", "moving_mean", "moving_variance")

#: Layers of the two heads in the model zoo, in the order in which they compute, and here; norms have four parameters.
ASPP = [
    *((f"aspp.aspp{branch + 1}.aspp_conv.{layer}", f"aspp.branches.{branch}.{layer}") for branch in range(4)
      for layer in (0, 1)),
    ("aspp.aspp_pooling.conv.0", "aspp.branches.4.conv"), ("aspp.aspp_pooling.conv.1", "aspp.branches.4.bn"),
    ("aspp.conv1", "aspp.project.0"), ("aspp.bn1", "aspp.project.1"),
]  # fmt: skip
LAYERS = {
    "DeepLabV3_s16": [*ASPP, ("aspp.conv2", "classifier")],
    "DeepLabV3plus_s8": [
        *ASPP, ("conv2", "decoder.reduce.0"), ("bn2", "decoder.reduce.1"), ("last_conv.0", "decoder.fuse.0.0"),
        ("last_conv.1", "decoder.fuse.0.1"), ("last_conv.3", "decoder.fuse.1.0"), ("last_conv.4", "decoder.fuse.1.1"),
        ("last_conv.6", "decoder.classifier"),
    ],
}  # fmt: skip


@pytest.fixture(scope="module", params=list(LAYERS))
def model(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def network(model: str) -> nn.Cell:
    return deeplab(model, num_classes=4, backbone="resnet18", atrous_rates=(6, 12, 18))


@pytest.fixture
def zoo(model: str, network: nn.Cell) -> State:
    """Return the network's values as a training in the model zoo saves them: the first convolution sees BGR."""
    own = {each.name: each.asnumpy() for each in network.get_parameters()}
    body = {name.replace("backbone.", "network.resnet."): value for name, value in own.items() if "backbone." in name}
    body["network.resnet.conv1.weight"] = body["network.resnet.conv1.weight"][:, ::-1].copy()
    head = {
        f"network.{theirs}.{last}": own[f"{ours}.{last}"]
        for theirs, ours in LAYERS[model]
        for last in ("weight", "bias", *NORM)
        if f"{ours}.{last}" in own
    }
    state = {f"moments.{name}": value[..., :1] for name, value in head.items()}
    return {**body, **head, **state, "global_step": np.array([9], np.int32)}


def _save(path: Path, state: State) -> Path:
    ms.save_checkpoint([{"name": name, "data": ms.Tensor(value)} for name, value in state.items()], str(path))
    return path


def test_a_network_is_rebuilt_with_its_head_and_published_settings(
    tmp_path: Path, model: Any, network: nn.Cell, zoo: State
) -> None:
    source = _save(tmp_path / "a.ckpt", zoo)
    report = convert_checkpoint(source, tmp_path / "b.ckpt", to="model", model=model, classes=Classes(NAMES))
    heads = len([name for name in zoo if name.startswith("network.")]) - 100
    assert (report.backbone, report.mapped, report.head, report.input_order) == ("resnet18", 100, heads, "bgr")
    assert report.left_out == {"global_step": 1, "moments": heads}
    found, info, _ = load_network(tmp_path / "b.ckpt")
    assert (info.class_names, info.ignore_label, info.config.model.name) == (NAMES, 255, model)
    assert info.config.image_mean == recipe("deeplabv3_s16").image_mean
    expected = {each.name: each.asnumpy() for each in network.get_parameters() if each.dtype == ms.float32}
    values = {each.name: each.asnumpy() for each in found.get_parameters()}
    assert [name for name in expected if not np.array_equal(values[name], expected[name])] == []


def test_what_is_not_this_network_is_refused_by_name(tmp_path: Path, model: Any, zoo: State) -> None:
    family = model.partition("_")[0]
    source, target, classes = _save(tmp_path / "a.ckpt", zoo), tmp_path / "b.ckpt", Classes(NAMES)
    other: Any = "DeepLabV3_s8" if family == "DeepLabV3plus" else "DeepLabV3plus_s16"
    words = f"contains a {family}, .* the output stride; expected --model {family}_s16 or {family}_s8"
    for given, more in ((None, "$"), (other, f", not {other}$")):
        with pytest.raises(InvalidInputError, match=words + more):
            convert_checkpoint(source, target, to="model", model=given, classes=classes)
    with pytest.raises(InvalidInputError, match=r"its head has 4 classes, but --class_names has 1; expected"):
        convert_checkpoint(source, target, to="model", model=model, classes=Classes(("background",)))
    with pytest.raises(
        OptionError,
        match=r"has the parameter names of DeepLab of MindSpore's model zoo; with --class_names, .* --to model",
    ):
        convert_checkpoint(source, target, to="backbone", classes=classes)
    broken = {name: value for name, value in zoo.items() if name != "network.aspp.bn1.gamma"}
    broken["network.aspp.conv1.weight"] = np.ones((9, 9, 1, 1), np.float32)
    with pytest.raises(FaultsError, match=f"not a complete {model}; 2 parameters do not fit") as caught:
        convert_checkpoint(_save(source, broken), target, to="model", model=model, classes=classes)
    assert caught.value.faults == (
        "aspp.project.1.gamma: missing",
        "aspp.project.0.weight: 9 x 9 x 1 x 1 in the file; expected 256 x 1280 x 1 x 1",
    )
    assert not target.exists()


def test_the_command_takes_the_class_names_from_a_file(
    segtrain: Callable[..., Result], tmp_path: Path, model: str, zoo: State
) -> None:
    (tmp_path / "names.txt").write_text("\n".join(NAMES))
    source, target = _save(tmp_path / "a.ckpt", zoo), tmp_path / "b.ckpt"
    convert = ("convert-checkpoint", source, target, "--to", "model", "--model", model)
    result = segtrain(*convert)
    assert (result.exit_code, "have no effect without --class_names" in result.stderr) == (2, True)
    result = segtrain(*convert, "--class_names", tmp_path / "names.txt", "--ignore_label", 9)
    assert result.exit_code == 0, result.output
    assert "outside the backbone written too" in result.stdout
    assert load_network(target)[1].ignore_label == 9
