"""Several processes. What needs two of them is done once, by two that ``msrun`` starts, and checked by many tests."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import psutil
import pytest
from drawn_instances import drawn, rectangle
from hypothesis import given, strategies as st
from hypothesis.extra.numpy import arrays
from rank_programs import INSTANCES, one_step

from segdata.errors import InvalidInputError
from segdata.labels.classes import Classes
from segdata.labels.masks import encode_index_png
from segdata.lists import Pair, write_list
from segdata.opening import open_dataset
from segdata.records.convert import to_mindrecord
from segdata.records.reader import open_set
from segtrain.checkpoints.checkpoint import read_checkpoint
from segtrain.checkpoints.weights import read_parameters
from segtrain.config.config import Config
from segtrain.config.networks import DeepLab
from segtrain.config.recipes import override, read_config, recipe
from segtrain.config.unet import UNetSimple
from segtrain.data.rows import steps_per_epoch
from segtrain.data.semantic.crops import crop_batches, list_samples, record_samples
from segtrain.distributed.device import prepare_device
from segtrain.distributed.ranks import ALONE, Ranks, device_id, from_float32, launched, to_float32
from segtrain.evaluation.semantic.evaluate import EvalReport, evaluate_semantic
from segtrain.training.fit import train
from segtrain.training.train_dir import TrainDir

if TYPE_CHECKING:
    from click.testing import Result

    from tests.segtrain.conftest import Miniature

PROGRAM = Path(__file__).parents[2] / "data" / "rank_programs.py"
PAIR = (Ranks(0, 2), Ranks(1, 2))
NAMES = ("background", "aeroplane", "bicycle", "bird")


@given(st.integers(1, 9).flatmap(lambda ranks: arrays(np.int64, (ranks, 2, 3))))
def test_int64_summed_as_float32_are_exact(counts: Any) -> None:
    summed = np.zeros(counts[0].size * 8, np.float32)
    for own in counts:
        summed += to_float32(own)
    assert (from_float32(summed, counts[0].shape) == counts.sum(0)).all()


@given(st.integers(0, 50), st.integers(1, 9))
def test_every_row_is_exactly_one_ranks(rows: int, size: int) -> None:
    shares = [row for rank in range(size) for row in Ranks(rank, size).share(rows)]
    assert sorted(shares) == list(range(rows))


def test_one_rank_alone_exchanges_nothing() -> None:
    counts = np.array([2**60])
    assert ALONE.sum(counts) is counts
    assert (ALONE.mean(0.1), ALONE.any(True), ALONE.any(False)) == (0.1, True, False)
    ALONE.check_equal("value", b"")


@pytest.mark.parametrize("first_step", [0, 1])
def test_the_batches_of_two_ranks_are_those_of_one_with_twice_the_size(
    miniature: Miniature, small: Config, first_step: int
) -> None:
    records = open_set(miniature.train)
    network = small.model_as(DeepLab)
    joint = [batch[0].asnumpy() for batch in crop_batches(records, small, network, epoch=1, first_step=first_step)]
    halves = override(small, {"batch_size": 2})
    parts = [
        [
            batch[0].asnumpy()
            for batch in crop_batches(records, halves, network, epoch=1, first_step=first_step, ranks=ranks)
        ]
        for ranks in PAIR
    ]
    assert len(joint) == 2 - first_step
    assert [np.concatenate(pair).tobytes() for pair in zip(*parts, strict=True)] == [step.tobytes() for step in joint]


def test_samples_are_dealt_to_the_ranks_by_number(miniature: Miniature) -> None:
    records = open_set(miniature.val)
    alone = list(record_samples(records))
    assert [list(record_samples(records, ranks)) for ranks in PAIR] == [alone[0::2], alone[1::2]]
    listed = list(list_samples(miniature.root, miniature.val_lst))
    assert [list(list_samples(miniature.root, miniature.val_lst, ranks)) for ranks in PAIR] == [
        listed[::2],
        listed[1::2],
    ]
    # More ranks than samples: there is nothing left for the last.
    assert list(record_samples(records, Ranks(5, 6))) == []


def test_rows_must_fill_a_batch_of_every_device() -> None:
    assert steps_per_epoch(10582, 32, 8) == 41  # the published number
    with pytest.raises(
        InvalidInputError, match="10 rows cannot fill one batch on each of 3 devices; expected 3 or less"
    ):
        steps_per_epoch(10, 4, 3)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, False),
        ({"MS_ROLE": "MS_WORKER"}, True),
        ({"RANK_TABLE_FILE": "hccl.json", "RANK_SIZE": "8"}, True),
        # ModelArts sets both for a single device too.
        ({"RANK_TABLE_FILE": "hccl.json", "RANK_SIZE": "1"}, False),
        ({"RANK_SIZE": "8"}, False),
    ],
)
def test_a_launch_is_told_by_the_environment(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], expected: bool
) -> None:
    for name in ("MS_ROLE", "RANK_TABLE_FILE", "RANK_SIZE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert launched() is expected


def test_the_device_is_that_of_the_environment_unless_msrun_deals_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DEVICE_ID", raising=False)
    assert device_id() == 0
    monkeypatch.setenv("DEVICE_ID", "5")
    assert device_id() == 5
    monkeypatch.setenv("MS_ROLE", "MS_WORKER")
    assert device_id() is None


@pytest.mark.parametrize(("name", "check"), [("RANK_SIZE", launched), ("DEVICE_ID", device_id)])
def test_an_impossible_environment_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, check: Callable[[], object]
) -> None:
    monkeypatch.setenv(name, "eight")
    with pytest.raises(InvalidInputError, match=f"environment variable {name} is 'eight'"):
        check()


def test_is_distributed_refuses_to_train_alone(segtrain: Callable[..., Result]) -> None:
    result = segtrain(
        "fit", "--is_distributed", "--recipe", "deeplabv3plus_cpu", "--data_file", "a", "--train_dir", "b"
    )
    assert result.exit_code == 2
    assert "this process was started alone; expected several. Start segtrain with msrun" in result.output


def test_synchronized_and_frozen_statistics_exclude_each_other(small: Config) -> None:
    with pytest.raises(
        InvalidInputError,
        match="freeze_bn and sync_bn: with freeze_bn, there are no batch statistics",
    ):
        override(small, {"freeze_bn": True, "sync_bn": True})


@contextmanager
def _msrun(what: str, base: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Start two ranks; whatever happens, none is left."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # msrun starts the "python" that it finds first.
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "GLOG_v": "3", "MS_NODE_TIMEOUT": "5"}
    options = f"--worker_num 2 --local_worker_num 2 --master_port {port} --cluster_time_out 300 --join True"
    command = [str(Path(sys.executable).with_name("msrun")), *options.split(), "--log_dir", str(base / "log")]
    log = (base / "msrun.log").open("wb")
    launch = subprocess.Popen([*command, str(PROGRAM), what, "."], cwd=base, env=environment, stdout=log, stderr=log)
    try:
        yield launch
    finally:
        for process in psutil.Process(launch.pid).children(recursive=True) if launch.poll() is None else []:
            process.kill()
        launch.kill()
        launch.wait()
        log.close()


def _logs(base: Path) -> str:
    return "\n".join(path.read_text(errors="replace") for path in sorted(base.glob("log/*.log")))


@dataclass(frozen=True)
class Together:
    """Files that two ranks wrote, and the JSON that each found."""

    base: Path
    found: tuple[dict[str, Any], dict[str, Any]]


@pytest.fixture(scope="module")
def together(miniature: Miniature, tmp_path_factory: pytest.TempPathFactory) -> Together:
    base = tmp_path_factory.mktemp("ranks")
    _write_set(base / "files", base / "train", rows=9)
    shutil.copytree(miniature.val, base / "val")
    _write_objects(base / "objects")
    with _msrun("work", base) as launch:
        assert launch.wait() == 0, _logs(base)
    found = [json.loads((base / f"found_{rank}.json").read_text()) for rank in range(2)]
    return Together(base, (found[0], found[1]))


def _write_set(files: Path, target: Path, *, rows: int) -> None:
    """Write images larger than the crop whose every pixel counts: each device's mean loss then weighs the same."""
    files.mkdir()
    random = np.random.default_rng(4)
    pairs = []
    for index in range(rows):
        cv2.imwrite(str(files / f"{index}.png"), random.integers(0, 256, (40, 44, 3), np.uint8))
        blocks = random.integers(0, 4, (5, 11), np.uint8)
        (files / f"{index}_label.png").write_bytes(encode_index_png(np.kron(blocks, np.ones((8, 4), np.uint8))))
        pairs.append(Pair(f"{index}.png", f"{index}_label.png"))
    write_list(files / "all.txt", pairs, overwrite=False)
    to_mindrecord(open_dataset(files / "all.txt", data_root=files, classes=Classes(NAMES)), target, num_shards=2)


def _write_objects(directory: Path) -> None:
    """Write six images of noise with one to three objects: areas of one color would turn rounding into other signs."""
    random = np.random.default_rng(5)
    directory.mkdir()
    rows = []
    for count in (1, 3, 2, 3, 1, 2):
        corners = [(8 + 28 * number, 6 + 9 * number) for number in range(count)]
        objects = [(rectangle((64, 96), x, y, x + 22, y + 30), 3, False) for x, y in corners]
        rows.append((random.integers(0, 256, (64, 96, 3), np.uint8), objects))
    drawn(directory, rows)


def test_the_ranks_exchange_what_they_have(together: Together) -> None:
    for rank, found in enumerate(together.found):
        assert found["rank"] == [rank, 2]
        assert found["sum"] == [[2**53 + 1, -10], [0, 2]]
        assert found["mean"] == 0.5
        assert found["any"] == [False, True]
        assert found["broadcast"] == [1, 7]
        assert found["unequal"].startswith(f"rank {rank} of 2 does not have the same rank as the others")


@pytest.mark.parametrize("freeze_bn", [False, True])
def test_the_averaged_gradient_is_that_of_the_joint_batch(together: Together, freeze_bn: bool) -> None:
    prepare_device("CPU", seed=1)
    joint = one_step(ALONE, freeze_bn=freeze_bn)
    name = "frozen" if freeze_bn else "synchronized"
    parts = [dict(np.load(together.base / f"{name}_{rank}.npz")) for rank in range(2)]
    assert parts[0].keys() == joint.keys()
    assert sum(value.any() for key, value in joint.items() if key.startswith("gradient")) == 4
    for key, value in joint.items():
        assert parts[0][key].tobytes() == parts[1][key].tobytes(), key
        np.testing.assert_allclose(parts[0][key], value, rtol=1e-5, atol=1e-6, err_msg=key)


def test_training_by_two_is_training_by_one_with_the_joint_batch(together: Together, tmp_path: Path) -> None:
    # Batch normalization by what a device sees would differ, and what it makes of rounding grows with each step.
    config = override(read_config(together.base / "frozen" / "config.yaml"), {"batch_size": 4})
    assert config.model_as(UNetSimple).freeze_bn
    train(config, together.base / "train", tmp_path)
    _check_same_training(together.base / "frozen", tmp_path, steps=4)


def test_mask_rcnn_trained_by_two_is_that_trained_by_one_with_the_joint_batch(
    together: Together, tmp_path: Path
) -> None:
    # The two images of a step have different numbers of samples, and each draws its own.
    config = override(recipe("mask_rcnn_cpu"), INSTANCES | {"batch_size": 2})
    train(config, together.base / "objects" / "set", tmp_path)
    _check_same_training(together.base / "instances", tmp_path, steps=3)


def _check_same_training(by_two: Path, by_one: Path, *, steps: int) -> None:
    """Check that two trainings have the same losses, parts included, and the same weights and moments."""
    both, one = (read_parameters(path / "last.ckpt") for path in (by_two, by_one))
    assert both.keys() == one.keys()
    for name, value in one.items():
        expected = value.asnumpy().astype(float)
        # The optimizer's moments among them are sums of gradients.
        assert np.linalg.norm(both[name].asnumpy() - expected) <= 1e-5 * np.linalg.norm(expected), name
    lines = [TrainDir(path).metrics.lines() for path in (by_two, by_one)]
    assert len(lines[0]) == len(lines[1]) == steps
    for line, expected_line in zip(*lines, strict=True):
        losses = {name: value for name, value in expected_line.items() if name.startswith("loss")}
        assert {name: line[name] for name in losses} == pytest.approx(losses, rel=1e-5)


def test_a_stop_of_one_rank_stops_all_and_resumed_they_do_the_rest(together: Together) -> None:
    for found in together.found:
        stopped = re.match(r"Stopped after step ([12]) of 4; .*last\.ckpt is complete", found["interrupted"])
        assert stopped, found["interrupted"]
        assert (found["first_step"], found["steps"]) == (int(stopped[1]), 4 - int(stopped[1]))


def test_a_training_is_not_resumed_by_another_number_of_devices(together: Together) -> None:
    config = read_config(together.base / "plain" / "config.yaml")
    with pytest.raises(InvalidInputError, match="was trained on 2 devices, so it cannot resume on 1"):
        train(config, together.base / "train", together.base / "plain", resume=True)


def test_the_checkpoint_tells_how_many_trained(together: Together) -> None:
    info, _ = read_checkpoint(together.base / "frozen" / "last.ckpt")
    assert (info.devices, info.rows, info.epoch, info.step) == (2, 9, 2, 4)


@pytest.fixture(scope="module")
def alone(together: Together) -> EvalReport:
    return evaluate_semantic(together.base / "plain" / "last.ckpt", together.base / "val")


def test_an_evaluation_of_an_odd_number_of_rows_by_two_is_that_by_one(together: Together, alone: EvalReport) -> None:
    report = json.loads(together.found[0]["eval"])
    assert (report["samples"], alone.samples) == (5, 5)
    assert report["scores"]["confusion"] == [list(row) for row in alone.scores.confusion]
    assert report["scores"]["mean_iou"] == alone.scores.mean_iou


def test_the_evaluation_while_training_is_that_of_the_checkpoint(together: Together, alone: EvalReport) -> None:
    # Each rank had moving statistics of its own.
    lines = [line for line in TrainDir(together.base / "plain").metrics.lines() if "miou" in line]
    assert [line["epoch"] for line in lines] == [1]
    assert lines[-1]["miou"] == alone.scores.mean_iou
    assert lines[-1]["pixel_accuracy"] == alone.scores.pixel_accuracy


def test_rank_0_alone_prints(together: Together) -> None:
    main, other = together.found
    assert "on 2 devices: 1 epoch of 2 steps, 1 row left out of each epoch" in main["fit"]
    assert (other["fit"], other["eval"]) == ("", "")


def test_rank_0_alone_writes(together: Together) -> None:
    names = ["last", "best", "unet_simple-1_2"]
    expected = {f"{name}.{suffix}" for name in names for suffix in ("ckpt", "json")}
    own = {"config.yaml", "metrics.jsonl", ".segtrain-files.json"}
    assert {path.name for path in (together.base / "plain").iterdir()} == expected | own
    assert len(TrainDir(together.base / "plain").metrics.lines()) == 2 + 1


def test_a_rank_that_fails_ends_the_others(tmp_path: Path) -> None:
    with _msrun("fail", tmp_path) as launch:
        assert launch.wait() == 1
    assert "rank 1 fails" in (tmp_path / "log" / "worker_1.log").read_text()
    assert not (tmp_path / "found_0.json").exists()
    for rank in range(2):
        assert not psutil.pid_exists(int((tmp_path / f"pid_{rank}").read_text()))
