"""Measure a training step and a detection of Mask R-CNN on the CPU, and their parts.

    python benchmarks/mask_rcnn_step.py [--backbone resnet18] [--height 256] [--width 384] [--batch_size 2]
                                        [--published]

float32, Momentum, three objects per image. Sizes of heads and samples come from a small configuration, or with
--published from the defaults. The first step, which compiles, is listed separately; the fastest of the others counts.
The parts are forward passes, compiled one by one, on the regions that training samples.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from mindspore import Tensor, nn, ops
from timing import print_table

from segtrain.config.mask_rcnn import MaskRcnn
from segtrain.config.recipes import override, recipe
from segtrain.distributed.device import prepare_device
from segtrain.models.mask_rcnn import MaskRcnnDetector, MaskRcnnLoss, MaskRcnnNetwork
from segtrain.training.step import TrainStep

STEPS = 5
CLASSES = 5


def make_batch(settings: MaskRcnn, images: int) -> list[Tensor]:
    rng = np.random.default_rng(0)
    height, width = settings.image_height, settings.image_width
    rows, crop = settings.max_instances, settings.mask_crop_size
    pictures = rng.standard_normal((images, 3, height, width), np.float32)
    boxes, labels = np.zeros((images, rows, 4), np.float32), np.zeros((images, rows), np.int32)
    for image in range(images):
        for row in range(3):
            x, y = rng.uniform(0, width / 2), rng.uniform(0, height / 2)
            boxes[image, row] = x, y, x + rng.uniform(30, width / 2), y + rng.uniform(30, height / 2)
            labels[image, row] = rng.integers(1, CLASSES + 1)
    masks = np.ones((images, rows, crop, crop), np.float32)
    sizes = np.array([[height, width]] * images, np.float32)
    return [Tensor(one) for one in (pictures, sizes, boxes, labels, 0 * labels, masks)]


def measure(run: Callable[[], Any]) -> tuple[float, float, float]:
    """Return the seconds of the first run, and the least seconds and processor seconds of the others."""
    seconds, spent = [], []
    for _ in range(STEPS + 1):
        started, before = time.perf_counter(), time.process_time()
        found = run()
        for one in found if isinstance(found, tuple) else (found,):
            one.asnumpy()
        seconds.append(time.perf_counter() - started)
        spent.append(time.process_time() - before)
    return seconds[0], min(seconds[1:]), min(spent[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backbone", default="resnet18")
    parser.add_argument("--height", type=int, default=256)
    parser.add_argument("--width", type=int, default=384)
    parser.add_argument("--batch_size", type=int, default=2)
    parser.add_argument("--published", action="store_true")
    options = parser.parse_args()
    prepare_device("CPU", seed=1)
    changes: dict[str, Any] = {"image_height": options.height, "image_width": options.width, "freeze_bn": True}
    base = recipe("mask_rcnn_coco" if options.published else "mask_rcnn_cpu")
    settings = override(base, {**changes, "backbone": options.backbone}).model_as(MaskRcnn)
    network = MaskRcnnNetwork(settings, CLASSES)
    loss = MaskRcnnLoss(network)
    batch = make_batch(settings, options.batch_size)
    step = TrainStep(loss, nn.Momentum(network.trainable_params(), 0.001, 0.9), 1.0).set_train(True)
    rows = [("part", "first, s", "then, s", "processor s", "peak memory so far, GiB")]

    def add(name: str, run: Callable[[], Any]) -> None:
        first, fastest, spent = measure(run)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        rows.append((name, f"{first:.1f}", f"{fastest:.3f}", f"{spent:.3f}", f"{memory:.1f}"))

    add("training step", lambda: step(*batch))
    images, content = batch[:2]
    levels, logits, offsets = network(images)
    canvas = loss.regions(levels)
    samples = settings.roi_positives + settings.roi_negatives
    boxes, usable = loss.proposals(logits, offsets, content)
    boxes, usable = boxes[:, :samples], ops.ones_like(usable[:, :samples])
    objects = boxes[:, : settings.roi_positives], usable[:, : settings.roi_positives]
    features = loss.regions.for_masks(canvas, *objects)
    add("backbone", lambda: network.backbone(images))
    add("backbone, pyramid, first stage", lambda: network(images)[1:])
    add("proposals", lambda: loss.proposals(logits, offsets, content))
    add("box features", lambda: loss.regions.for_boxes(canvas, boxes, usable))
    add("mask features", lambda: loss.regions.for_masks(canvas, *objects))
    add("mask head", lambda: network.mask_head(features))
    detector = MaskRcnnDetector(network).set_train(False)
    add("detection", lambda: detector(images, content))
    print_table(rows)


if __name__ == "__main__":
    main()
