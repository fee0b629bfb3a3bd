"""Compare segtrain's training batches with the model zoo's order of operations and a PyTorch DataLoader.

    python benchmarks/input_pipeline.py VOC_ROOT [--rows 600] [--steps]

VOC_ROOT needs its index masks (segdata voc-decolor). All use the published augmentation (scale 0.5 to 2, crop 513,
mirror, normalize), batch 8 and two workers. The PyTorch rows need torch in the same environment; without it, they are
left out. The ways run alternately, each measurement in a separate process. The first batch, which includes the start,
is not counted. --steps shows instead what each step of segtrain's crop takes on one thread.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from timing import print_table
from to_mindrecord import make_input

from segdata import open_dataset, to_mindrecord
from segdata.lists import read_list
from segdata.records.reader import open_set
from segtrain.config.networks import DeepLab
from segtrain.config.recipes import override, recipe

WORKERS, BATCH, CROP = 2, 8, 513
CONFIG = override(
    recipe("deeplabv3plus_s16_r1"), {"batch_size": BATCH, "workers": WORKERS, "num_classes": 21, "ignore_label": 255}
)
MEAN, STD = (np.array(values[::-1], np.float32) for values in (CONFIG.image_mean, CONFIG.image_std))


def model_zoo(data: Any, label: Any) -> tuple[Any, Any]:
    """Apply the published order: decode, resize, normalize and pad the full image, crop, mirror, make planes."""
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    label = cv2.imdecode(np.frombuffer(label, np.uint8), cv2.IMREAD_GRAYSCALE)
    scale = np.random.uniform(0.5, 2.0)
    height, width = (int(scale * side) for side in label.shape)
    image = cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC)
    label = cv2.resize(label, (width, height), interpolation=cv2.INTER_NEAREST)
    image = (image - MEAN) / STD
    below, beside = max(CROP - height, 0), max(CROP - width, 0)
    if below or beside:
        image = cv2.copyMakeBorder(image, 0, below, 0, beside, cv2.BORDER_CONSTANT, value=0)
        label = cv2.copyMakeBorder(label, 0, below, 0, beside, cv2.BORDER_CONSTANT, value=255)
    top, left = (np.random.randint(side - CROP + 1) for side in label.shape)
    window = slice(top, top + CROP), slice(left, left + CROP)
    image, label = image[window], label[window]
    if np.random.uniform() > 0.5:
        image, label = image[:, ::-1], label[:, ::-1]
    return image.transpose(2, 0, 1).copy(), label.copy()


def segtrain_crop(data: bytes, label: bytes) -> tuple[Any, Any]:
    from segtrain.data.arrays import augment
    from segtrain.data.semantic.crops import EncodedSample, decode_sample

    image, ids = decode_sample(EncodedSample("", data, label), num_classes=21, ignore_label=255)
    pixels, labels = np.empty((3, CROP, CROP), np.float32), np.empty((CROP, CROP), np.int32)
    scaling = {"min_scale": 0.5, "max_scale": 2.0, "mean": CONFIG.image_mean, "std": CONFIG.image_std}
    augment(image, ids, np.random.default_rng(), pixels, labels, ignore_label=255, **scaling)
    return pixels, labels


def by_segtrain(root: Path) -> Iterator[Any]:
    from segtrain.data.semantic.crops import crop_batches

    return crop_batches(open_set(root / "set"), CONFIG, CONFIG.model_as(DeepLab), epoch=0)


def by_model_zoo(root: Path) -> Iterator[Any]:
    import mindspore.dataset as ds

    shards = [str(path) for path in open_set(root / "set").shard_paths]
    rows = ds.MindDataset(shards, columns_list=["data", "label"], shuffle=True, num_parallel_workers=WORKERS)
    crops = rows.map(model_zoo, ["data", "label"], ["data", "label"], num_parallel_workers=WORKERS)
    return crops.batch(BATCH, drop_remainder=True).create_tuple_iterator(num_epochs=1)


class Files:
    """Listed files as a PyTorch data set."""

    def __init__(self, root: Path, crop: Callable[[Any, Any], tuple[Any, Any]]) -> None:
        self.root, self.crop, self.pairs = root, crop, read_list(root / "list.txt")

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        pair = self.pairs[index]
        return self.crop((self.root / pair.image).read_bytes(), (self.root / pair.label).read_bytes())


def by_torch(root: Path, crop: Callable[[Any, Any], tuple[Any, Any]]) -> Iterable[Any]:
    from torch.utils.data import DataLoader

    return DataLoader(Files(root, crop), BATCH, shuffle=True, num_workers=WORKERS, drop_last=True)


def by_decoding(root: Path) -> Iterator[Any]:
    """Yield batches of images that are only decoded, the work that every order of operations needs."""
    images = [(root / pair.image).read_bytes() for pair in read_list(root / "list.txt")]

    def decode(index: int) -> list[Any]:
        return [cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) for data in images[index : index + BATCH]]

    with ThreadPoolExecutor(WORKERS) as executor:
        yield from executor.map(decode, range(0, len(images), BATCH))


WAYS: dict[str, Callable[[Path], Iterable[Any]]] = {
    "model zoo's order, MindDataset": by_model_zoo,
    "segtrain": by_segtrain,
    "model zoo's order, PyTorch DataLoader": lambda root: by_torch(root, model_zoo),
    "segtrain's crop, PyTorch DataLoader": lambda root: by_torch(root, segtrain_crop),
    "JPEG decoding alone": by_decoding,
}


def step_costs(root: Path) -> dict[str, float]:
    """Return the processor milliseconds per image of the steps from a row to its crop, on this thread."""
    from segdata.images.reading import read_image
    from segdata.labels.masks import decode_index_png
    from segtrain.data.arrays import augment, check_label
    from segtrain.data.semantic.crops import record_samples

    scaling = {"min_scale": 0.5, "max_scale": 2.0, "mean": CONFIG.image_mean, "std": CONFIG.image_std}
    images, labels = np.empty((BATCH, 3, CROP, CROP), np.float32), np.empty((BATCH, CROP, CROP), np.int32)
    spent: dict[str, float] = {}
    last = 0.0

    def done(step: str) -> None:
        nonlocal last
        now = time.thread_time()
        spent[step] = spent.get(step, 0) + now - last
        last = time.thread_time()

    records = open_set(root / "set")
    last = time.thread_time()
    for number, sample in enumerate(record_samples(records)):
        done("read the row")
        image = read_image(sample.image)
        done("decode the JPEG")
        ids = decode_index_png(sample.label)
        done("inflate the label")
        check_label(ids, image.shape, num_classes=21, ignore_label=255)
        done("check the label")
        place = images[number % BATCH], labels[number % BATCH]
        augment(image, ids, np.random.default_rng(number), *place, ignore_label=255, **scaling)
        done("draw, resize, mirror, normalize")
    return {step: seconds / len(records) * 1e3 for step, seconds in spent.items()}


def processor_seconds() -> float:
    times = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(time.ru_utime + time.ru_stime for time in times)


def measure(batches: Iterable[Any]) -> tuple[float, float]:
    """Return images per second and processor milliseconds per image, from the second batch on."""
    count = -1
    for count, _ in enumerate(batches):
        if count == 0:
            started, spent = time.perf_counter(), processor_seconds()
    seconds = time.perf_counter() - started
    del batches
    return count * BATCH / seconds, (processor_seconds() - spent) / (count * BATCH) * 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("voc_root", type=Path)
    parser.add_argument("--rows", type=int, default=600)
    parser.add_argument("--steps", action="store_true")
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        print(json.dumps(measure(WAYS[options.way](options.voc_root))))
        return
    ways = [name for name in WAYS if "PyTorch" not in name or importlib.util.find_spec("torch")]
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        make_input(options.voc_root, root, options.rows)
        to_mindrecord(open_dataset(root / "list.txt", data_root=root), root / "set", num_shards=4)
        if options.steps:
            # The first time is the start.
            found = [step_costs(root) for _ in range(6)][1:]
            medians = {step: statistics.median(each[step] for each in found) for step in found[0]}
            medians["sum"] = sum(medians.values())
            print_table([("step", "processor ms per image"), *((name, f"{ms:.2f}") for name, ms in medians.items())])
            return
        results = run_in_turn(ways, root)
    base = results[ways[0]]
    rows = [
        (name, f"{speed:.0f}", f"{speed / base[0]:.2f}", f"{spent:.2f}", f"{base[1] / spent:.2f}")
        for name, (speed, spent) in results.items()
    ]
    print_table([("way", "images/s", "times as fast", "processor ms per image", "times less"), *rows])


def run_in_turn(ways: list[str], root: Path, repeats: int = 5) -> dict[str, list[float]]:
    """Return the medians of the results of `measure`, with the ways run alternately (a b a b …)."""
    found: dict[str, list[Any]] = {name: [] for name in ways}
    for _ in range(repeats):
        for name in ways:
            command = [sys.executable, __file__, str(root), "--way", name]
            found[name].append(json.loads(subprocess.run(command, check=True, capture_output=True).stdout))
    return {name: [statistics.median(column) for column in zip(*values, strict=True)] for name, values in found.items()}


if __name__ == "__main__":
    main()
