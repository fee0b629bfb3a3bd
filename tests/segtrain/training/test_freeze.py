from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from click.testing import Result
from tiny_networks import deeplab

from segdata.errors import FaultsError, InvalidInputError
from segtrain.checkpoints.weights import read_parameters
from segtrain.config.config import Config
from segtrain.config.recipes import override, read_config
from segtrain.training.events import Event, StepDone
from segtrain.training.fit import FitReport, TrainingInterrupted, train
from segtrain.training.freeze import check_loaded, freeze

if TYPE_CHECKING:
    from mindspore import nn

    from tests.segtrain.conftest import Miniature, Trained


def _network() -> nn.Cell:
    return deeplab("DeepLabV3plus_s16", num_classes=2, backbone="resnet18", atrous_rates=(2,))


def _values(path: Path) -> dict[str, np.ndarray]:
    return {name: value.asnumpy() for name, value in read_parameters(path).items()}


@pytest.fixture(scope="module")
def config(trained: Trained, small: Config) -> Config:
    """Return settings that start from another training run, with everything but the decoder frozen."""
    settings = {"ckpt_pre_trained": str(trained.directory / "last.ckpt"), "train_epochs": 2, "base_lr": 0.05}
    return override(small, {**settings, "freeze": ("backbone", "aspp")})


@pytest.fixture(scope="module")
def unfrozen(config: Config, miniature: Miniature, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, FitReport]:
    """Return directory and report of a training run with these settings."""
    run = tmp_path_factory.mktemp("frozen") / "run"
    return run, train(config, miniature.train, run, eval_data_file=miniature.val)


def test_frozen_parts_stay_bit_for_bit_and_the_others_learn(trained: Trained, unfrozen: tuple[Path, FitReport]) -> None:
    run, report = unfrozen
    before, after = _values(trained.directory / "last.ckpt"), _values(run / "last.ckpt")
    # Weights, moving statistics and the dropout counter: dropout is off, too.
    network = [name for name in before if name.startswith(("backbone.", "aspp.", "decoder."))]
    assert {"backbone.bn1.moving_mean", "aspp.dropout.counter"} <= set(network)
    changed = [name for name in network if not np.array_equal(before[name], after[name])]
    assert changed == [name for name in network if name.startswith("decoder.")]

    moments = [name.removeprefix("moments.") for name in after if name.startswith("moments.")]
    assert moments == [name for name in network if name.startswith("decoder.") and ".moving_" not in name]
    assert report.started.parameters == sum(after[name].size for name in moments)
    assert read_config(run / "config.yaml").freeze == ("backbone", "aspp")


def test_a_training_with_frozen_parts_is_resumed_bit_for_bit(
    config: Config, unfrozen: tuple[Path, FitReport], miniature: Miniature, tmp_path: Path
) -> None:
    def interrupt(event: Event) -> None:
        if isinstance(event, StepDone) and event.step == 3:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(TrainingInterrupted, match="after step 3 of 4"):
        train(config, miniature.train, tmp_path / "run", observe=interrupt)
    train(config, miniature.train, tmp_path / "run", resume=True)
    expected, found = _values(unfrozen[0] / "last.ckpt"), _values(tmp_path / "run" / "last.ckpt")
    assert expected.keys() == found.keys()
    assert [name for name in expected if not np.array_equal(expected[name], found[name])] == []


def test_a_part_is_named_by_what_its_parameters_begin_with() -> None:
    network = _network()
    (part,) = freeze(network, ["backbone.layer1"])
    assert part is network.backbone.layer1
    trained = {parameter.name for parameter in network.trainable_params()}
    assert not any(name.startswith("backbone.layer1.") for name in trained)
    assert {"backbone.conv1.weight", "backbone.layer2.0.conv1.weight"} <= trained
    assert freeze(network, []) == []


@pytest.mark.parametrize("part", ["backbones", "Backbone", "backbone.layer9", "backbone.relu", "", "moments"])
def test_an_unknown_part_is_told_with_the_near_ones(part: str) -> None:
    with pytest.raises(
        InvalidInputError,
        match=rf"freeze = {part}: not a part of the network; .*[Ee]xpected one of aspp, ",
    ):
        freeze(_network(), [part])


def test_something_must_be_left_to_train() -> None:
    with pytest.raises(InvalidInputError, match="nothing is left to train"):
        freeze(_network(), ["backbone", "aspp", "decoder"])


def test_frozen_parts_never_keep_random_weights() -> None:
    network = _network()
    parts = ["backbone.layer1", "aspp"]
    frozen = freeze(network, parts)
    with pytest.raises(
        InvalidInputError, match=r"freeze = backbone\.layer1, aspp: there is no checkpoint .*--ckpt_pre_"
    ):
        check_loaded(parts, frozen, None)
    backbone = [each.name for each in network.backbone.get_parameters()]
    with pytest.raises(FaultsError, match="weights of these parts would stay random") as caught:
        check_loaded(parts, frozen, backbone)
    # Dropout's counter need not be in the file.
    weights = [each.name for each in network.aspp.get_parameters() if not each.name.endswith(".counter")]
    assert caught.value.faults == tuple(weights)
    check_loaded(parts, frozen, [*backbone, *weights])
    check_loaded([], freeze(network, []), None)


def test_a_frozen_part_without_a_checkpoint_is_refused_before_anything_is_written(
    miniature: Miniature, quick: Config, tmp_path: Path
) -> None:
    with pytest.raises(InvalidInputError, match=r"freeze = down: there is no checkpoint to start from"):
        train(override(quick, {"freeze": ("down",)}), miniature.train, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_flag_may_be_repeated_and_its_mistakes_are_told_before_anything_is_written(
    segtrain: Callable[..., Result], miniature: Miniature, tmp_path: Path
) -> None:
    result = segtrain(
        "fit", "--recipe", "deeplabv3plus_cpu", "--data_file", miniature.train, "--train_dir", tmp_path / "run",
        "--batch_size", 4, "--crop_size", 33, "--freeze", "aspp", "--freeze", "backbon",
    )  # fmt: skip
    assert result.exit_code == 1, result.output
    assert "freeze = backbon: not a part of the network; did you mean backbone" in result.stderr
    assert not (tmp_path / "run").exists()
