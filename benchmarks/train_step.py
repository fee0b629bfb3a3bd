"""Compare a training step of DeepLabV3+ on the CPU with the same network in PyTorch.

    python benchmarks/train_step.py [--crop_size 257] [--batch_size 2]

ResNet-50 at output stride 16, float32, Momentum. The PyTorch network is that of tests/data/deeplab_parity.py, with
which the tests compare the logits and gradients of segtrain's network; it has no dropout. torch must be in the same
environment. The two run alternately, each measurement in a separate process. The first step, which compiles, is listed
separately. The fastest of the others counts: other load can only slow a step down, and it affects the two differently.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from timing import print_table

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "data"))

from parity_cases import BACKBONE, CLASSES, IGNORE, RATES

STEPS = 10


def by_mindspore(images: Any, labels: Any) -> Callable[[], float]:
    from mindspore import Tensor

    from segtrain.config.recipes import override, recipe
    from segtrain.distributed.device import prepare_device
    from segtrain.models import build_network
    from segtrain.tasks import semantic
    from segtrain.training.step import build_train_step

    changes = {"backbone": BACKBONE, "atrous_rates": RATES, "ignore_label": IGNORE}
    config = override(recipe("deeplabv3plus_cpu"), changes)
    prepare_device("CPU", seed=1)
    network = build_network(config, num_classes=CLASSES)
    step = build_train_step(network, semantic, config, np.full(STEPS + 1, 0.01, np.float32))
    step.set_train(True)
    batch = Tensor(images), Tensor(labels)
    return lambda: float(step(*batch)[0].asnumpy())


def by_torch(images: Any, labels: Any) -> Callable[[], float]:
    import torch
    from deeplab_parity import DeepLabV3Plus
    from torch.nn import functional

    torch.manual_seed(1)
    network = DeepLabV3Plus(16).train()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4)
    batch = torch.from_numpy(images), torch.from_numpy(labels).long()

    def step() -> float:
        optimizer.zero_grad()
        loss = functional.cross_entropy(network(batch[0]), batch[1], ignore_index=IGNORE)
        loss.backward()
        optimizer.step()
        return float(loss.detach())

    return step


WAYS: dict[str, Callable[[Any, Any], Callable[[], float]]] = {"PyTorch": by_torch, "segtrain": by_mindspore}


def measure(way: str, crop_size: int, batch_size: int) -> dict[str, float]:
    rng = np.random.default_rng(0)
    images = rng.standard_normal((batch_size, 3, crop_size, crop_size), np.float32)
    labels = rng.integers(0, CLASSES, (batch_size, crop_size, crop_size), np.int32)
    step = WAYS[way](images, labels)
    seconds, spent = [], []
    for _ in range(STEPS + 1):
        started, before = time.perf_counter(), time.process_time()
        step()
        seconds.append(time.perf_counter() - started)
        spent.append(time.process_time() - before)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {"first": seconds[0], "step": min(seconds[1:]), "processor": min(spent[1:]), "memory": memory}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--crop_size", type=int, default=257)
    parser.add_argument("--batch_size", type=int, default=2)
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        print(json.dumps(measure(options.way, options.crop_size, options.batch_size)))
        return
    found: dict[str, list[dict[str, float]]] = {name: [] for name in WAYS}
    for _ in range(3):
        for name in WAYS:
            command = [sys.executable, __file__, "--way", name]
            command += ["--crop_size", str(options.crop_size), "--batch_size", str(options.batch_size)]
            lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
            found[name].append(json.loads(lines[-1]))
    fastest = {name: {key: min(one[key] for one in values) for key in values[0]} for name, values in found.items()}
    base = fastest["PyTorch"]
    rows = [("network", "first step, s", "step, s", "times as long", "processor s", "times as much", "memory, GiB")]
    for name, one in fastest.items():
        times = f"{one['step'] / base['step']:.2f}", f"{one['processor'] / base['processor']:.2f}"
        figures = f"{one['first']:.1f}", f"{one['step']:.2f}", times[0], f"{one['processor']:.2f}", times[1]
        rows.append((name, *figures, f"{one['memory']:.1f}"))
    print_table(rows)


if __name__ == "__main__":
    main()
