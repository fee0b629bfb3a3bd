"""DeepLabV3 of torchvision with its head: the same logits, from its own names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
import pytest
from click.testing import Result
from safetensors.numpy import save_file
from torchvision_cases import BACKBONE, CLASSES, GOLDEN, SIZES, deeplabv3, image, sampled

from segdata.errors import FaultsError, InvalidInputError, OptionError
from segdata.labels.classes import Classes
from segtrain.checkpoints.checkpoint import load_network
from segtrain.checkpoints.convert import convert_checkpoint
from segtrain.distributed.device import prepare_device

State = dict[str, np.ndarray]

NAMES = tuple(f"class {number}" for number in range(CLASSES))


@pytest.fixture(scope="module")
def small() -> State:
    """Return a state that no network of torchvision has, but which has all of its names: it is built quickly."""
    return deeplabv3("resnet18", channels=512)


def _save(path: Path, state: State) -> Path:
    save_file(state, path)
    return path


def test_a_converted_network_computes_the_logits_of_torchvision(tmp_path: Path) -> None:
    source = _save(tmp_path / "a.safetensors", deeplabv3())
    report = convert_checkpoint(source, tmp_path / "b.ckpt", to="model", classes=Classes(NAMES))
    assert (report.backbone, report.mapped, report.head, report.input_order) == (BACKBONE, 265, 37, "rgb")
    prepare_device("CPU", seed=1)
    network, info, _ = load_network(tmp_path / "b.ckpt")
    assert (info.class_names, info.ignore_label, info.config.model.name) == (NAMES, 255, "DeepLabV3_s8")
    # Those of its weights on the scale 0 to 1: 0.485, 0.456, 0.406 and 0.229, 0.224, 0.225.
    assert np.allclose(info.config.image_mean, 255 * np.array([0.485, 0.456, 0.406]))
    assert np.allclose(info.config.image_std, 255 * np.array([0.229, 0.224, 0.225]))
    network.set_train(False)
    with np.load(GOLDEN) as golden:
        for size, expected in zip(SIZES, golden.values(), strict=True):
            logits = network(ms.Tensor(image(size))).asnumpy()
            assert logits.shape == (1, CLASSES, *size)
            # PyTorch's own float32 deviates from these numbers, of float64, by 1e-6.
            assert np.abs(sampled(logits) - expected).max() < 1e-5 * np.abs(expected).max()


def test_every_parameter_of_the_head_arrives_and_the_auxiliary_classifier_is_named(
    segtrain: Callable[..., Result], tmp_path: Path, small: State
) -> None:
    auxiliary = {f"aux_classifier.{name}": np.ones(3, np.float32) for name in ("0.weight", "1.running_mean", "4.bias")}
    # As a program that trains on several devices saves it.
    state = {f"module.{name}": value for name, value in {**small, **auxiliary}.items()}
    source, target = _save(tmp_path / "a.safetensors", state), tmp_path / "b.ckpt"
    (tmp_path / "names.txt").write_text("\n".join(NAMES))
    named = ("--to", "model", "--class_names", tmp_path / "names.txt")
    result = segtrain("convert-checkpoint", source, target, *named)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[1:] == [
        f"100 backbone parameters written to {target}, none missing",
        "37 parameters outside the backbone written too",
        "left out: module.aux_classifier (3), num_batches_tracked (27)",
    ]
    network, info, _ = load_network(target)
    model: Any = info.config.model
    assert (model.form, model.atrous_rates) == ("torchvision", (12, 24, 36))
    values = {each.name: each.asnumpy() for each in network.get_parameters()}
    for ours, theirs in (
        ("aspp.branches.0.0.weight", "0.convs.0.0.weight"), ("aspp.branches.3.1.gamma", "0.convs.3.1.weight"),
        ("aspp.branches.4.conv.weight", "0.convs.4.1.weight"), ("aspp.branches.4.bn.beta", "0.convs.4.2.bias"),
        ("aspp.project.0.weight", "0.project.0.weight"), ("head.0.weight", "1.weight"),
        ("head.1.moving_variance", "2.running_var"), ("classifier.weight", "4.weight"), ("classifier.bias", "4.bias"),
    ):  # fmt: skip
        np.testing.assert_array_equal(values[ours], small[f"classifier.{theirs}"], err_msg=ours)


def test_what_is_not_a_complete_deeplabv3_is_refused_by_name(tmp_path: Path, small: State) -> None:
    source, target, classes = tmp_path / "a.safetensors", tmp_path / "b.ckpt", Classes(NAMES)
    other: Any = "DeepLabV3plus_s8"
    words = r"contains torchvision's DeepLabV3, .* output stride 8; expected --model DeepLabV3_s8, not DeepLabV3plus_s8"
    with pytest.raises(InvalidInputError, match=words):
        convert_checkpoint(_save(source, small), target, to="model", model=other, classes=classes)
    with pytest.raises(InvalidInputError, match="its head has 5 classes, but --class_names has 1"):
        convert_checkpoint(source, target, to="model", classes=Classes(("background",)))
    # The head of torchvision's FCN has the same last layers.
    fcn = {name: value for name, value in small.items() if not name.startswith("classifier.0.")}
    words = r"names of torchvision or timm, without a DeepLab head that can be converted; with --class_names"
    with pytest.raises(OptionError, match=words):
        convert_checkpoint(_save(source, fcn), target, to="model", classes=classes)
    broken = {name: value for name, value in small.items() if name != "classifier.2.running_var"}
    with pytest.raises(FaultsError, match="not a complete DeepLabV3_s8; 1 parameter does not fit") as caught:
        convert_checkpoint(_save(source, broken), target, to="model", classes=classes)
    assert caught.value.faults == ("head.1.moving_variance: missing",)
    assert not target.exists()
