"""Moving averages of weights: their values, and their use in evaluations and checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import mindspore as ms
import pytest
from mindspore import Parameter, Tensor, nn

from segtrain.checkpoints.checkpoint import load_network
from segtrain.checkpoints.naming import AVERAGE, averaged
from segtrain.checkpoints.pretrained import load_pretrained
from segtrain.checkpoints.weights import read_parameters
from segtrain.config.config import Config
from segtrain.config.recipes import override
from segtrain.evaluation.semantic.evaluate import evaluate_semantic
from segtrain.models import build_network
from segtrain.training.averaging import MovingAverage
from segtrain.training.fit import train
from segtrain.training.train_dir import TrainDir

if TYPE_CHECKING:
    from tests.segtrain.conftest import Miniature


class _Network(nn.Cell):
    def __init__(self) -> None:
        super().__init__()
        self.weight = Parameter(Tensor([8.0, 0.0], ms.float32))
        self.counter = Parameter(Tensor(7, ms.int32), requires_grad=False)


@pytest.fixture(autouse=True)
def _graph_mode_on_cpu() -> None:
    ms.set_device("CPU")
    ms.set_context(mode=ms.GRAPH_MODE)


def test_each_step_moves_the_average_and_the_first_one_sets_it() -> None:
    network = _Network()
    average = MovingAverage(network, decay=0.15)
    found = []
    for step, value in enumerate((1.0, 11.0, 1.0), start=1):
        network.weight.set_data(Tensor([value, 0], ms.float32))
        average(Tensor([step], ms.int32))
        found.append(float(average.averages[0].asnumpy()[0]))
    # The decay is 0, then 1/10, then 2/11, limited to 0.15.
    assert found == pytest.approx([1, 0.1 * 1 + 0.9 * 11, 0.15 * 10 + 0.85 * 1])


def test_a_network_has_its_averages_for_a_while_and_its_own_values_again_whatever_happens() -> None:
    network = _Network()
    average = MovingAverage(network, decay=0.9)
    network.weight.set_data(Tensor([1.0, 2.0], ms.float32))
    with pytest.raises(KeyboardInterrupt), average.in_place():
        assert network.weight.asnumpy().tolist() == [8, 0]
        raise KeyboardInterrupt
    assert network.weight.asnumpy().tolist() == [1, 2]
    assert average.averages[0].asnumpy().tolist() == [8, 0]


def test_counters_have_no_average_and_stay_what_they_are() -> None:
    average = MovingAverage(_Network(), decay=0.9)
    assert [each.name for each in average.averages] == [f"{AVERAGE}weight"]
    assert averaged({"weight": 1, f"{AVERAGE}weight": 2, "counter": 3}) == {"weight": 2, "counter": 3}


@pytest.fixture(scope="module")
def run(quick: Config, miniature: Miniature, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("averaged") / "run"
    train(override(quick, {"ema_decay": 0.9}), miniature.train, directory, eval_data_file=miniature.val)
    return directory


def _differ(values: dict[str, Any], network: nn.Cell) -> list[str]:
    return [each.name for each in network.get_parameters() if (each.asnumpy() != values[each.name].asnumpy()).any()]


def test_a_checkpoint_holds_weights_and_averages_and_its_network_has_the_averages(run: Path) -> None:
    parameters = read_parameters(run / "last.ckpt")
    network, _, report = load_network(run / "last.ckpt")
    floats = [each.name for each in network.get_parameters() if each.dtype == ms.float32]
    assert [name for name in parameters if name.startswith(AVERAGE)] == [f"{AVERAGE}{name}" for name in floats]
    assert _differ(averaged(parameters), network) == []
    assert "classifier.weight" in _differ(parameters, network)
    assert len(report.loaded) == len(list(network.get_parameters()))


def test_a_training_starts_from_the_averages_of_another(run: Path, quick: Config) -> None:
    network = build_network(quick, num_classes=4)
    load_pretrained(network, run / "last.ckpt")
    assert _differ(averaged(read_parameters(run / "last.ckpt")), network) == []


def test_a_training_is_evaluated_by_its_averages_and_resumes_from_its_weights(
    run: Path, quick: Config, miniature: Miniature, tmp_path: Path
) -> None:
    last = [line for line in TrainDir(run).metrics.lines() if "miou" in line][-1]
    assert evaluate_semantic(run / "last.ckpt", miniature.val).scores.mean_iou == last["miou"]

    # Neither averages nor evaluations affect what is learned.
    train(override(quick, {"ema_decay": 0}), miniature.train, tmp_path / "plain")
    plain, weights = read_parameters(tmp_path / "plain" / "last.ckpt"), read_parameters(run / "last.ckpt")
    assert weights.keys() - plain.keys() == {name for name in weights if name.startswith(AVERAGE)}
    assert [name for name in plain if (plain[name].asnumpy() != weights[name].asnumpy()).any()] == []


def test_the_best_checkpoint_is_of_averages_alone(run: Path, miniature: Miniature) -> None:
    best = read_parameters(run / "best.ckpt")
    assert not [name for name in best if name.startswith(AVERAGE)]
    scores = evaluate_semantic(run / "best.ckpt", miniature.val).scores
    assert scores.mean_iou == max(line["miou"] for line in TrainDir(run).metrics.lines() if "miou" in line)
