from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import mindspore as ms
import numpy as np
import pytest
from click.testing import Result
from json_reports import checked
from safetensors.numpy import save_file
from tiny_networks import deeplab
from torch_resnet import GOLDEN, LAYERS, image, numbered, seeded, shapes

from segdata.errors import FaultsError, InvalidInputError, TargetExistsError
from segtrain.checkpoints.checkpoint import load_network, write_parameters
from segtrain.checkpoints.convert import convert_checkpoint
from segtrain.checkpoints.info import side_file
from segtrain.checkpoints.naming import Goal
from segtrain.checkpoints.pretrained import load_pretrained
from segtrain.checkpoints.weights import read_parameters
from segtrain.config.networks import DeepLab
from segtrain.config.recipes import read_config
from segtrain.distributed.device import prepare_device
from segtrain.models.resnet import BACKBONES, ResNet

if TYPE_CHECKING:
    from tests.segtrain.conftest import Miniature, Trained

Run = Callable[..., Result]
State = dict[str, np.ndarray]

#: Names in torchvision and timm, by MindSpore's names.
TORCH = {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var"}
MINDSPORE = {name: own for own, name in TORCH.items()}

#: Parameters that only a ResNet of the model zoo has, not a backbone, besides the optimizer's state.
ZOO = {"end_point": 2, "epoch_num": 1, "global_step": 1}


def _torch_name(name: str) -> str:
    head, _, last = name.rpartition(".")
    return f"{head}.{TORCH.get(last, last)}"


def _mindspore(state: State) -> State:
    """Return torchvision's parameters under the names that all MindSpore programs share."""
    norms = {name.removesuffix("running_mean") for name in state if name.endswith("running_mean")}
    found = {}
    for name, value in state.items():
        head, _, last = name.rpartition(".")
        if last != "num_batches_tracked":
            found[f"{head}.{MINDSPORE[last]}" if f"{head}." in norms else name] = value
    return found


def _zoo(state: State) -> State:
    """Return parameters as the model zoo's ResNet saves them, with the optimizer's state."""
    basic = "layer1.0.conv3.weight" not in state
    found = {"epoch_num": np.array(90), "global_step": np.array([9], np.int32)}
    for name, value in _mindspore(state).items():
        name = name.replace("downsample", "down_sample_layer").replace("fc.", "end_point.")
        if basic and name.startswith("layer"):
            name = re.sub(r"\.bn([12])\.", r".bn\1d.", name)
        found |= {name: value, f"moments.{name}": value[..., :1]}
    return found


def _mindcv(state: State) -> State:
    return {
        name.replace("downsample", "down_sample").replace("fc.", "classifier."): value
        for name, value in _mindspore(state).items()
    }


def _zoo_backbone(state: State) -> State:
    """Return torchvision's weights as converted by the model zoo's get_pretrained_model.py."""
    tracked = {f"network.resnet.{name}": value for name, value in state.items() if name.endswith("tracked")}
    body = {f"network.resnet.{name}": value for name, value in _mindspore(state).items() if not name.startswith("fc")}
    return {**body, **tracked}


def _zoo_v3_backbone(state: State) -> State:
    """Return the output of the model zoo's convert_resnet101.py, which forgets the BN of the shortcuts."""
    body = {name: value for name, value in state.items() if not name.startswith("fc")}
    shortcuts = {name: value for name, value in body.items() if "downsample" in name}
    return {**_mindspore({name: value for name, value in body.items() if name not in shortcuts}), **shortcuts}


def _zoo_deeplab(state: State) -> State:
    head = {"network.aspp.aspp1.aspp_conv.0.weight": np.ones(3), "network.last_conv.6.weight": np.ones(3)}
    body = {name: value for name, value in _zoo_backbone(state).items() if not name.endswith("tracked")}
    return {**body, **head, **{f"moments.{name}": value[..., :1] for name, value in body.items()}}


def _torch_deeplab(state: State) -> State:
    body = {f"backbone.{name}": value for name, value in state.items() if not name.startswith("fc")}
    return {**body, "classifier.4.weight": np.ones(3), "aux_classifier.0.weight": np.ones(3)}


def _save(path: Path, state: State) -> Path:
    if path.suffix == ".ckpt":
        ms.save_checkpoint([{"name": name, "data": ms.Tensor(value)} for name, value in state.items()], str(path))
    else:
        save_file(state, path)
    return path


def _read(path: Path) -> State:
    return {name: value.asnumpy() for name, value in read_parameters(path).items()}


def _own_names(backbone: str) -> list[str]:
    return [parameter.name for parameter in ResNet(BACKBONES[backbone], 16).get_parameters()]


@pytest.mark.parametrize(
    ("backbone", "entries", "trained"),
    [("resnet18", 122, 11_689_512), ("resnet50", 320, 25_557_032), ("resnet101", 626, 44_549_160)],
)
def test_the_generated_names_are_as_many_as_torchvision_has(backbone: str, entries: int, trained: int) -> None:
    found = shapes(backbone)
    assert len(found) == entries
    assert (
        sum(int(np.prod(shape)) for name, shape in found.items() if not re.search("running|tracked", name)) == trained
    )


@pytest.mark.parametrize("backbone", LAYERS)
def test_every_parameter_of_torchvision_arrives_where_it_belongs(tmp_path: Path, backbone: str) -> None:
    state = numbered(backbone)
    report = convert_checkpoint(_save(tmp_path / "a.safetensors", state), tmp_path / "b.ckpt")
    found = _read(tmp_path / "b.ckpt")
    assert list(found) == _own_names(backbone)
    assert [name for name, value in found.items() if not np.array_equal(value, state[_torch_name(name)])] == []
    norms = sum(name.endswith("tracked") for name in state)
    assert report.left_out == {"fc": 2, "num_batches_tracked": norms}
    assert (report.naming, report.backbone, report.input_order) == ("torchvision or timm", backbone, "rgb")
    assert report.mapped == len(found) == len(state) - 2 - norms


def test_a_converted_resnet_computes_what_pytorch_does(tmp_path: Path) -> None:
    convert_checkpoint(_save(tmp_path / "a.safetensors", seeded("resnet18")), tmp_path / "b.ckpt")
    prepare_device("CPU", seed=1)
    network = ResNet(18, 16)
    not_loaded, not_used = ms.load_param_into_net(network, ms.load_checkpoint(str(tmp_path / "b.ckpt")))
    assert (not_loaded, not_used) == ([], [])
    network.set_train(False)
    with np.load(GOLDEN) as golden:
        for found, expected in zip(network(ms.Tensor(image())), golden.values(), strict=True):
            # float32 against float64: sums are rounded, so errors are relative to the largest sum.
            assert np.abs(found.asnumpy()[:, ::16] - expected).max() < 1e-5 * np.abs(expected).max()


@pytest.mark.parametrize(
    ("rename", "backbone", "title", "left_out"),
    [
        (_zoo, "resnet18", "ResNet of MindSpore's model zoo", {**ZOO, "moments": 102}),
        (_zoo, "resnet50", "ResNet of MindSpore's model zoo", {**ZOO, "moments": 267}),
        (_mindcv, "resnet18", "MindCV", {"classifier": 2}),
        (_zoo_backbone, "resnet18", "backbone for the DeepLab of MindSpore's model zoo", {"num_batches_tracked": 20}),
        (_zoo_v3_backbone, "resnet18", "torchvision or timm", {"num_batches_tracked": 3}),
        (
            _torch_deeplab,
            "resnet18",
            "torchvision or timm",
            {"aux_classifier": 1, "classifier": 1, "num_batches_tracked": 20},
        ),
    ],
)
def test_every_naming_leads_to_the_same_backbone(
    tmp_path: Path, rename: Callable[[State], State], backbone: str, title: str, left_out: dict[str, int]
) -> None:
    state = numbered(backbone)
    report = convert_checkpoint(_save(tmp_path / "a.ckpt", rename(state)), tmp_path / "b.ckpt")
    assert (report.naming, report.input_order, report.left_out) == (title, "rgb", left_out)
    found = _read(tmp_path / "b.ckpt")
    assert list(found) == _own_names(backbone)
    assert [name for name, value in found.items() if not np.array_equal(value, state[_torch_name(name)])] == []


def test_the_first_convolution_of_a_network_for_bgr_is_turned_round(tmp_path: Path) -> None:
    state = {**numbered("resnet18"), "conv1.weight": seeded("resnet18")["conv1.weight"]}
    source = _save(tmp_path / "a.ckpt", _zoo_deeplab(state))
    report = convert_checkpoint(source, tmp_path / "b.ckpt")
    assert (report.naming, report.input_order) == ("DeepLab of MindSpore's model zoo", "bgr")
    assert report.left_out == {"moments": 100, "network.aspp": 1, "network.last_conv": 1}
    turned = _read(tmp_path / "b.ckpt")
    assert np.array_equal(turned["conv1.weight"], state["conv1.weight"][:, ::-1])

    assert convert_checkpoint(source, tmp_path / "c.ckpt", input_order="rgb").input_order == "rgb"
    straight = _read(tmp_path / "c.ckpt")
    assert np.array_equal(straight["conv1.weight"], state["conv1.weight"])
    assert [name for name in turned if not np.array_equal(turned[name], straight[name])] == ["conv1.weight"]


def test_half_precision_becomes_single(tmp_path: Path) -> None:
    state = {name: value.astype(np.float16) for name, value in numbered("resnet18").items()}
    convert_checkpoint(_save(tmp_path / "a.safetensors", state), tmp_path / "b.ckpt")
    found = read_parameters(tmp_path / "b.ckpt")
    assert {str(value.dtype) for value in found.values()} == {"Float32"}
    assert float(found["bn1.beta"].asnumpy()[0]) == 3


def _without(*names: str) -> Callable[[State], State]:
    return lambda state: {name: value for name, value in state.items() if name not in names}


def _deep_stem(state: State) -> State:
    stem = {f"conv1.{place}.weight": np.ones((32, 3 if place == 0 else 32, 3, 3), np.float32) for place in (0, 3, 6)}
    return {**_without("conv1.weight")(state), **stem}


def _resnet34(state: State) -> State:
    more = {name.replace("layer1.1.", "layer1.2."): value for name, value in state.items() if "layer1.1." in name}
    return {**state, **more}


INCOMPLETE = "not a complete resnet18"


def _resnext(state: State) -> State:
    narrow = {
        name: value[:, :2] for name, value in state.items() if re.fullmatch(r"layer\d+\.\d+\.conv2\.weight", name)
    }
    return {**state, **narrow}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_deep_stem, [r"a ResNet-C or -D, .*conv1\.0\.weight: 32 x 3 x 3 x 3.* 64 x 3 x 7 x 7"]),
        (_resnet34, [f"{INCOMPLETE}; 10 parameters do not fit", r"layer1\.2\.conv1\.weight: not in a resnet18"]),
        (_resnext, [
            f"{INCOMPLETE}; 8 ", r"layer1\.0\.conv2\.weight: 64 x 2 x 3 x 3 in the file; expected 64 x 64 x 3 ",
        ]),
        (_without("layer4.1.bn2.running_var"), [
            f"{INCOMPLETE}; 1 parameter does not fit", r"layer4\.1\.bn2\.moving_variance: missing",
        ]),
        (lambda state: dict(list(state.items())[:60]), [f"{INCOMPLETE}; ", r"… and \d+ more"]),
        (lambda state: {"features.0.weight": np.ones(3)}, [
            r"not a ResNet with known parameter names \(first: features\.0\.weight\)",
        ]),
        (lambda state: {**state, "bn1.bias": np.full(64, np.nan)}, [
            r"contains 1 non-finite parameter \(first: bn1\.beta",
        ]),
    ],
    ids=["deep stem", "resnet34", "resnext", "one missing", "half missing", "other network", "not finite"],
)  # fmt: skip
def test_an_incomplete_backbone_is_refused_by_name(
    tmp_path: Path, change: Callable[[State], State], words: list[str]
) -> None:
    source = _save(tmp_path / "a.safetensors", change(numbered("resnet18")))
    with pytest.raises(InvalidInputError) as caught:
        convert_checkpoint(source, tmp_path / "b.ckpt")
    assert str(caught.value).startswith(str(source))
    assert [word for word in words if not re.search(word, str(caught.value))] == []
    assert [path.name for path in tmp_path.iterdir()] == ["a.safetensors"]


def test_another_backbone_than_the_wanted_one_is_refused(tmp_path: Path) -> None:
    source = _save(tmp_path / "a.safetensors", numbered("resnet18"))
    with pytest.raises(FaultsError, match=r"not a complete resnet50; \d+ parameters") as caught:
        convert_checkpoint(source, tmp_path / "b.ckpt", backbone="resnet50")
    assert "layer1.0.conv3.weight: missing" in caught.value.faults


def test_the_target_must_have_the_name_of_a_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(
        InvalidInputError, match=r"b\.safetensors: not a checkpoint name; expected one that ends in \.ckpt"
    ):
        convert_checkpoint(tmp_path / "a.safetensors", tmp_path / "b.safetensors")


def test_a_backbone_is_cut_out_of_a_training(trained: Trained, tmp_path: Path) -> None:
    source = trained.directory / "last.ckpt"
    report = convert_checkpoint(source, tmp_path / "b.ckpt")
    whole = _read(source)
    backbone = {name.removeprefix("backbone."): value for name, value in whole.items() if name.startswith("backbone.")}
    found = _read(tmp_path / "b.ckpt")
    assert found.keys() == backbone.keys()
    assert all(np.array_equal(found[name], backbone[name]) for name in found)
    assert (report.naming, report.backbone, report.head) == ("segtrain", "resnet18", 0)
    assert report.mapped + sum(report.left_out.values()) == len(whole)
    assert set(report.left_out) == {"aspp", "decoder", "global_step", "moments", "momentum"}
    assert not side_file(tmp_path / "b.ckpt").exists()

    # The extracted backbone can be converted again and loaded into a network.
    again = convert_checkpoint(tmp_path / "b.ckpt", tmp_path / "c.ckpt", to="model")
    assert (again.naming, again.mapped, again.head, again.left_out) == ("segtrain", 100, 0, {})
    assert list(_read(tmp_path / "c.ckpt")) == [f"backbone.{name}" for name in found]
    network = deeplab("DeepLabV3plus_s8", num_classes=3, backbone="resnet18", atrous_rates=(2,))
    for name in ("b.ckpt", "c.ckpt"):
        assert [*load_pretrained(network, tmp_path / name).loaded] == [f"backbone.{each}" for each in found]


def test_a_model_without_the_optimizers_state_is_evaluated_like_the_checkpoint_it_is_from(
    trained: Trained, tmp_path: Path
) -> None:
    for name in ("last.ckpt", "last.json"):
        shutil.copy(trained.directory / name, tmp_path)
    report = convert_checkpoint(tmp_path / "last.ckpt", tmp_path / "model.ckpt", to="model")
    assert set(report.left_out) == {"moments", "momentum"}
    assert (tmp_path / "model.ckpt").stat().st_size < 0.6 * (tmp_path / "last.ckpt").stat().st_size
    before, info, _ = load_network(tmp_path / "last.ckpt")
    after, same_info, _ = load_network(tmp_path / "model.ckpt")
    assert replace(same_info, sha256=()) == replace(info, sha256=())
    for one, other in zip(before.get_parameters(), after.get_parameters(), strict=True):
        assert np.array_equal(one.asnumpy(), other.asnumpy()), one.name


@pytest.mark.parametrize("to", ["backbone", "model"])
def test_a_checkpoint_with_the_side_file_of_another_is_refused(trained: Trained, tmp_path: Path, to: Goal) -> None:
    shutil.copy(trained.directory / "best.json", tmp_path / "a.json")
    # Another checkpoint of the same network, which loads into it.
    values = {name: ms.Tensor(value + 1) for name, value in _read(trained.directory / "best.ckpt").items()}
    write_parameters(tmp_path / "a.ckpt", values, None)
    with pytest.raises(InvalidInputError, match=r"a\.ckpt: does not match a\.json"):
        convert_checkpoint(tmp_path / "a.ckpt", tmp_path / "b.ckpt", to=to)
    assert not (tmp_path / "b.ckpt").exists()


def test_a_backbone_in_place_of_a_model_leaves_no_side_file_of_it(trained: Trained, tmp_path: Path) -> None:
    convert_checkpoint(trained.directory / "best.ckpt", tmp_path / "b.ckpt", to="model")
    assert (tmp_path / "b.json").exists()
    convert_checkpoint(trained.directory / "best.ckpt", tmp_path / "b.ckpt", overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["b.ckpt"]
    network = deeplab("DeepLabV3plus_s8", num_classes=3, backbone="resnet18", atrous_rates=(2,))
    assert len(load_pretrained(network, tmp_path / "b.ckpt").loaded) == 100
    (tmp_path / "b.json").write_text("{}")
    convert_checkpoint(trained.directory / "best.ckpt", tmp_path / "b.ckpt", overwrite=True)
    assert (tmp_path / "b.json").read_text() == "{}"


def test_a_training_starts_from_a_converted_backbone_and_says_what_is_new(
    segtrain: Run, miniature: Miniature, tmp_path: Path
) -> None:
    convert_checkpoint(_save(tmp_path / "a.safetensors", seeded("resnet18")), tmp_path / "b.ckpt")
    done = segtrain(
        "fit", "--recipe", "deeplabv3plus_cpu", "--data_file", miniature.train, "--train_dir", tmp_path / "run",
        "--batch_size", 4, "--crop_size", 33, "--train_epochs", 1, "--ckpt_pre_trained", tmp_path / "b.ckpt",
        "--freeze", "backbone", "--min_scale", 0.5, "--max_scale", 1.0, "--set", "atrous_rates=[2]", "--json",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    model = read_config(tmp_path / "run" / "config.yaml").model_as(DeepLab)
    assert (model.min_scale, model.max_scale, model.atrous_rates) == (0.5, 1.0, (2,))
    report = checked(done.stdout, "segtrain fit")["started"]["pretrained"]
    assert (len(report["loaded"]), report["mismatched"], report["unexpected"]) == (100, [], [])
    missing = report["missing"]
    assert {name.split(".")[0] for name in missing} == {"aspp", "decoder"}
    assert f"100 of {100 + len(missing)} parameters loaded from b.ckpt\n" in done.stderr
    named = "".join(f"  {name}\n" for name in missing[:10]) + f"  … and {len(missing) - 10} more\n"
    assert f"{len(missing)} not in the file, initialized from scratch:\n{named}" in done.stderr
    before, after = _read(tmp_path / "b.ckpt"), _read(tmp_path / "run" / "last.ckpt")
    assert all(np.array_equal(value, after[f"backbone.{name}"]) for name, value in before.items())


def test_the_command_says_what_it_found_and_what_it_left_out(segtrain: Run, tmp_path: Path) -> None:
    source, target = _save(tmp_path / "a.safetensors", numbered("resnet18")), tmp_path / "new" / "b.ckpt"
    done = segtrain("convert-checkpoint", source, target, "--to", "backbone")
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines() == [
        f"{source}: resnet18, parameter names of torchvision or timm, RGB input",
        f"100 backbone parameters written to {target}, none missing",
        "left out: fc (2), num_batches_tracked (20)",
    ]
    again = segtrain("convert-checkpoint", source, target, "--to", "backbone")
    assert again.exit_code == 1
    assert "already exists (--overwrite replaces it)" in again.stderr

    over = segtrain(
        "convert-checkpoint", source, target, "--to", "model", "--input-order", "bgr", "--overwrite", "--json"
    )
    assert over.exit_code == 0, over.output
    report = checked(over.stdout, "segtrain convert-checkpoint")
    assert (report["path"], report["source"]) == (str(target), str(source))
    assert (report["input_order"], report["mapped"], report["head"], report["to"]) == ("bgr", 100, 0, "model")
    assert next(iter(read_parameters(target))).startswith("backbone.")


@pytest.mark.parametrize(
    ("args", "status", "words"),
    [
        (["{source}", "{target}"], 2, "Missing option '--to'"),
        (["/nowhere.pth", "{target}", "--to", "backbone"], 2, "'/nowhere.pth' does not exist"),
        (["{source}", "{target}", "--to", "head"], 2, "'head' is not one of"),
        (["{source}", "{target}", "--to", "backbone", "--backbone", "resnet34"], 2, "'resnet34' is not one of"),
        (["{source}", "{target}", "--to", "backbone"], 1, "damaged or not a safetensors file"),
    ],
)
def test_bad_calls_end_with_a_sentence_and_a_status(
    segtrain: Run, tmp_path: Path, args: list[str], status: int, words: str
) -> None:
    (tmp_path / "a.safetensors").write_bytes(b"damaged")
    places = {"source": tmp_path / "a.safetensors", "target": tmp_path / "b.ckpt"}
    result = segtrain("convert-checkpoint", *(arg.format(**places) for arg in args))
    assert result.exit_code == status, result.output
    assert isinstance(result.exception, SystemExit)
    assert words in result.stderr
    assert not (tmp_path / "b.ckpt").exists()


def test_a_checkpoint_in_the_way_is_kept_when_the_source_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").write_bytes(b"damaged")
    (tmp_path / "b.ckpt").write_bytes(b"kept")
    with pytest.raises(TargetExistsError):
        convert_checkpoint(tmp_path / "a.safetensors", tmp_path / "b.ckpt")
    with pytest.raises(InvalidInputError, match="damaged or not"):
        convert_checkpoint(tmp_path / "a.safetensors", tmp_path / "b.ckpt", overwrite=True)
    assert (tmp_path / "b.ckpt").read_bytes() == b"kept"
