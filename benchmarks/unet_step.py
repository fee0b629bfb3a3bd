"""Compare a training step of U-Net on the CPU with the same network in PyTorch.

    python benchmarks/unet_step.py [--model unet] [--width 64] [--input_size 572] [--batch_size 1]

float32, Adam, two classes, gray images. The PyTorch network is that of tests/data/unet_parity.py, with which the tests
compare the logits and gradients of segtrain's network. torch must be in the same environment. Each measurement is a
separate process. The first step, which compiles, is listed separately. The fastest of the others counts: other load can
only slow a step down, and it affects the two differently.
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

STEPS = 5
CLASSES, IGNORE = 2, 255


def by_mindspore(options: argparse.Namespace, images: Any, labels: Any) -> Callable[[], float]:
    from mindspore import Tensor

    from segtrain.config.recipes import override, recipe
    from segtrain.distributed.device import prepare_device
    from segtrain.models import build_network
    from segtrain.tasks import task_of
    from segtrain.training.step import build_train_step

    flags = {"model": options.model, "crop_size": options.input_size, "batch_size": options.batch_size}
    plain = {"amp": "O0", "loss_scale": 1, "num_classes": CLASSES, "ignore_label": IGNORE}
    config = override(recipe("unet_isbi"), {**flags, **plain}, [f"unet.width={options.width}"])
    prepare_device("CPU", seed=1)
    network = build_network(config, num_classes=CLASSES)
    step = build_train_step(network, task_of(config), config, np.full(STEPS + 1, 1e-4, np.float32))
    step.set_train(True)
    batch = Tensor(images), Tensor(labels)
    return lambda: float(step(*batch)[0].asnumpy())


def by_torch(options: argparse.Namespace, images: Any, labels: Any) -> Callable[[], float]:
    import torch
    from torch.nn import functional
    from unet_parity import UNet

    torch.manual_seed(1)
    network = UNet(CLASSES, options.width, simple=options.model == "unet_simple").train()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-4, weight_decay=5e-4)
    batch = torch.from_numpy(images), torch.from_numpy(labels).long()

    def step() -> float:
        optimizer.zero_grad()
        loss = functional.cross_entropy(network(batch[0]), batch[1], ignore_index=IGNORE)
        loss.backward()
        optimizer.step()
        return float(loss.detach())

    return step


WAYS: dict[str, Callable[[argparse.Namespace, Any, Any], Callable[[], float]]] = {
    "PyTorch": by_torch,
    "segtrain": by_mindspore,
}


def measure(options: argparse.Namespace) -> dict[str, float]:
    from segtrain.config.unet import output_size

    rng = np.random.default_rng(0)
    side = options.input_size
    images = rng.standard_normal((options.batch_size, 1, side, side), np.float32)
    side = output_size(side, 4, same_padding=options.model == "unet_simple")
    labels = rng.integers(0, CLASSES, (options.batch_size, side, side), np.int32)
    step = WAYS[options.way](options, images, labels)
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
    parser.add_argument("--model", choices=("unet", "unet_simple"), default="unet")
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--input_size", type=int, default=572)
    parser.add_argument("--batch_size", type=int, default=1)
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        print(json.dumps(measure(options)))
        return
    given = [f"--{name}={value}" for name, value in vars(options).items() if value is not None]
    found: dict[str, dict[str, float]] = {}
    for name in WAYS:
        command = [sys.executable, __file__, "--way", name, *given]
        lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
        found[name] = json.loads(lines[-1])
    base = found["PyTorch"]
    rows = [("network", "first step, s", "step, s", "times as long", "processor s", "times as much", "memory, GiB")]
    for name, one in found.items():
        times = f"{one['step'] / base['step']:.2f}", f"{one['processor'] / base['processor']:.2f}"
        figures = f"{one['first']:.1f}", f"{one['step']:.2f}", times[0], f"{one['processor']:.2f}", times[1]
        rows.append((name, *figures, f"{one['memory']:.1f}"))
    print_table(rows)


if __name__ == "__main__":
    main()
