"""Program that ``msrun`` starts in tests: one of several processes that do something together.

``python ranks.py WHAT DIRECTORY`` does it as often as there are ranks; what each found is left in the directory.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
import numpy.typing as npt
from click.testing import CliRunner
from mindspore import Tensor, nn, ops

from segdata.errors import SegDataError
from segtrain.config.config import Config
from segtrain.config.recipes import override, read_config, recipe
from segtrain.distributed.device import prepare_device
from segtrain.distributed.ranks import ALONE, Ranks, current
from segtrain.models.layers import Dropout, batch_norm
from segtrain.models.normalization import synchronize
from segtrain.tasks.semantic import WithLoss
from segtrain.training.events import Event, StepDone
from segtrain.training.step import TrainStep, average_gradients

#: A joint batch, and what a small network shall make of it.
_IMAGES = np.random.default_rng(1).normal(1, 2, (4, 3, 9, 9)).astype(np.float32)
_TARGETS = np.random.default_rng(2).normal(size=(4, 4, 9, 9)).astype(np.float32)

#: A training of two steps. Adam would make much of rounding: it divides by what gradients usually are.
_FIT = "--recipe unet_isbi_cpu --is_distributed --batch_size 2 --crop_size 34 --train_epochs 1 --save_steps 2 "
_FIT += "--set repeat=1 --base_lr 0.01 --set optimizer=momentum --set loss=cross_entropy --set warmup_steps=0 "
_FIT += "--set class_weights=null --set unet.width=4 --set unet.poolings=1 --set unet.patch=1 --set unet.channels=3"

#: Changes to the recipe mask_rcnn_cpu for a training of three steps. The first stage draws 40 of 512 anchors; the
#: second takes all proposals, as rounding decides which of two with nearly equal scores comes first.
INSTANCES: dict[str, Any] = {
    "optimizer": "momentum", "base_lr": 0.01, "warmup_steps": 0, "train_epochs": 1, "save_steps": 1, "freeze_bn": True,
    "image_height": 64, "image_width": 96, "max_instances": 3, "mask_crop_size": 8, "fpn_channels": 4,
    "anchor_scales": (4.0,), "anchor_ratios": (1.0,), "rpn_samples": 40, "rpn_positives": 20, "rpn_candidates": 512,
    "rpn_proposals": 512, "rpn_nms": 1.0, "roi_positives": 515, "roi_negatives": 515, "roi_size": 3,
    "mask_roi_size": 4, "box_head_width": 8, "mask_head_width": 4, "mask_head_convs": 1, "batch_size": 1,
}  # fmt: skip


class SmallNet(nn.Cell):
    def __init__(self, *, freeze_bn: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, weight_init="xavier_uniform")
        self.bn = batch_norm(8, freeze_bn=freeze_bn)
        self.dropout = Dropout(0.5)
        self.head = nn.Conv2d(8, 4, 1, weight_init="xavier_uniform")

    def construct(self, x: Tensor) -> Tensor:
        return self.head(self.dropout(ops.relu(self.bn(self.conv(x)))))


def one_step(ranks: Ranks, *, freeze_bn: bool = False) -> dict[str, npt.NDArray[Any]]:
    """Return all parameters after a step at learning rate 1, and the gradients that made it."""
    ms.set_seed(1)
    network = SmallNet(freeze_bn=freeze_bn)
    if ranks.size > 1:
        synchronize(network, ranks.size)
    before = {each.name: each.asnumpy().copy() for each in network.trainable_params()}
    optimizer = nn.SGD(network.trainable_params(), learning_rate=1.0)
    train_step = TrainStep(WithLoss(network, nn.MSELoss()), optimizer, 1.0)
    average_gradients(train_step, ranks)
    part = len(_IMAGES) // ranks.size
    mine = slice(ranks.rank * part, (ranks.rank + 1) * part)
    train_step.set_train(True)(Tensor(_IMAGES[mine]), Tensor(_TARGETS[mine]))
    after = {each.name: each.asnumpy().copy() for each in network.get_parameters()}
    return after | {f"gradient of {name}": value - after[name] for name, value in before.items()}


def exchange(ranks: Ranks) -> dict[str, Any]:
    """Return what this rank has of everything that ranks exchange."""
    own = ms.Parameter(Tensor([ranks.rank + 1, 7], ms.int32), name="own")
    ranks.broadcast([own])
    ranks.check_equal("number", b"1")
    try:
        ranks.check_equal("rank", str(ranks.rank).encode())
    except SegDataError as error:
        unequal = str(error)
    return {
        "rank": [ranks.rank, ranks.size],
        "sum": ranks.sum(np.array([[2**52 + ranks.rank, -5], [0, 1]])).tolist(),
        "mean": ranks.mean(ranks.rank),
        "any": [ranks.any(False), ranks.any(ranks.rank == 1)],
        "broadcast": own.asnumpy().tolist(),
        "unequal": unequal,
    }


def fit_interrupted(base: Path, config: Config, ranks: Ranks) -> str:
    """Train until rank 0 has asked rank 1 to stop, after step 1; return what was said."""
    from segtrain.training.fit import TrainingInterrupted, train

    def interrupt(event: Event) -> None:
        if isinstance(event, StepDone) and event.step == 1:
            os.kill(int((base / "pid_1").read_text()), signal.SIGTERM)

    try:
        train(config, base / "train", base / "frozen", observe=interrupt)
    except TrainingInterrupted as stop:
        return str(stop)
    return "not interrupted"


def work(base: Path, ranks: Ranks) -> dict[str, Any]:
    """Do everything that ranks do together, once: a launch takes long."""
    from segtrain.cli import main
    from segtrain.training.fit import train

    found = exchange(ranks)
    np.savez(base / f"synchronized_{ranks.rank}.npz", **one_step(ranks))
    np.savez(base / f"frozen_{ranks.rank}.npz", **one_step(ranks, freeze_bn=True))

    training, val, plain = base / "train", base / "val", base / "plain"
    lines = {
        "fit": f"fit {_FIT} --data_file {training} --eval_data_file {val} --train_dir {plain}",
        "eval": f"eval --data_file {val} --ckpt_path {plain / 'last.ckpt'} --json",
    }
    for name, line in lines.items():
        result = CliRunner().invoke(main, line.split())
        if result.exit_code:
            raise SystemExit(f"{name}: {result.output}")
        found[name] = result.output

    config = override(read_config(plain / "config.yaml"), {"freeze_bn": True, "train_epochs": 2})
    found["interrupted"] = fit_interrupted(base, config, ranks)
    report = train(config, training, base / "frozen", resume=True)
    train(override(recipe("mask_rcnn_cpu"), INSTANCES), base / "objects" / "set", base / "instances")
    return found | {"first_step": report.started.first_step, "steps": report.steps}


def main(what: str, base: Path) -> None:
    prepare_device("CPU", seed=1)
    ranks = current()
    assert ranks != ALONE
    (base / f"pid_{ranks.rank}").write_text(str(os.getpid()))
    ranks.check_equal("directory", bytes(base))
    if what == "fail" and ranks.rank == 1:
        raise SystemExit("rank 1 fails")
    found = work(base, ranks) if what == "work" else {"mean": ranks.mean(1.0)}
    (base / f"found_{ranks.rank}.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
