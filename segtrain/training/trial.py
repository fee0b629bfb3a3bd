"""Trial whether memory is enough for a training: a program that makes its first two steps and writes nothing."""

from __future__ import annotations

import sys
from itertools import islice
from pathlib import Path

import numpy as np

from segdata.records.reader import open_set
from segtrain.config.config import Config
from segtrain.config.recipes import read_config
from segtrain.distributed.device import prepare_device
from segtrain.distributed.ranks import ALONE
from segtrain.models import build_network
from segtrain.tasks import task_of
from segtrain.training.freeze import freeze, set_train
from segtrain.training.step import build_train_step


def _steps(config: Config, data_file: Path) -> None:
    """Make a step that compiles and allocates everything, and one that does not."""
    prepare_device(config.device_target, seed=config.seed)
    records, task = open_set(data_file), task_of(config)
    network = build_network(config, num_classes=records.manifest.num_classes)
    frozen = freeze(network, config.freeze)
    rates = np.full(2, config.schedule.base_lr, np.float32)
    train_step = build_train_step(network, task, config, rates)
    set_train(train_step, frozen)
    batches = task.training_set(records, config).batches(epoch=0, first_step=0, ranks=ALONE)
    for batch in islice(batches, 2):
        for value in train_step(*batch):
            value.asnumpy()


if __name__ == "__main__":
    _steps(read_config(Path(sys.argv[1])), Path(sys.argv[2]))
