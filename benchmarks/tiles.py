"""Compare tiles with a resized and with a complete image: time, peak memory, mIoU and agreement of the class maps.

    python benchmarks/tiles.py --ckpt_path run/best.ckpt --data_root devkit --data_lst devkit/voc_val_lst.txt \\
        [--size 3000 4000] [--overlap 128] [--complete]

The image is a mosaic of the list's images, cut to the size of the smallest. The network must be a DeepLab. Each way
runs in a separate process; seconds do not include compilation, memory includes MindSpore and the network. --complete
also passes the image through the network in one piece, which takes gigabytes, and compares the others with that.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from timing import print_table

from segdata.images.reading import read_image
from segdata.labels.masks import decode_index_png
from segdata.lists import read_list
from segtrain.evaluation.semantic.confusion import ConfusionMatrix
from segtrain.inference.semantic.segmenter import load_segmenter
from segtrain.inference.settings import EvalSettings


def mosaic(root: Path, list_file: Path, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Return an image and its label."""
    pairs = read_list(list_file)
    images = [read_image(root / pair.image) for pair in pairs]
    labels = [decode_index_png((root / pair.label).read_bytes()) for pair in pairs]
    high, wide = (min(label.shape[axis] for label in labels) for axis in (0, 1))
    order = [range(row, row + -(-width // wide)) for row in range(-(-height // high))]
    joined = [
        np.vstack([np.hstack([cells[place % len(pairs)][:high, :wide] for place in row]) for row in order])
        for cells in (images, labels)
    ]
    return joined[0][:height, :width], joined[1][:height, :width]


def measure(ckpt_path: Path, folder: Path, settings: EvalSettings) -> None:
    """Segment the image in `folder`; write the class map there and print the figures."""
    segmenter, info, _ = load_segmenter(ckpt_path, settings, "CPU")
    image = np.load(folder / "image.npy")
    segmenter([image[:64, :64]])
    start = time.perf_counter()
    (found,) = segmenter([image])
    seconds = time.perf_counter() - start
    np.save(folder / "found.npy", found)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "peak": peak, "classes": len(info.class_names)}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ckpt_path", type=Path, required=True)
    parser.add_argument("--data_root", type=Path)
    parser.add_argument("--data_lst", type=Path)
    parser.add_argument("--size", type=int, nargs=2, default=[3000, 4000])
    parser.add_argument("--overlap", type=int, nargs="+", default=[128])
    parser.add_argument("--crop_size", type=int, default=513)
    parser.add_argument("--complete", action="store_true")
    parser.add_argument("--measured", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measured:
        folder, settings = options.measured
        measure(options.ckpt_path, Path(folder), EvalSettings(**json.loads(settings)))
        return
    side = {"crop_size": options.crop_size, "batch_size": 1, "scales": (1.0,)}
    ways = {f"longer side {options.crop_size}": {"fit": "longer_side", **side}}
    for overlap in options.overlap:
        ways[f"tiles of {options.crop_size}, overlap {overlap}"] = {"fit": "tiles", "overlap": overlap, **side}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        image, label = mosaic(options.data_root, options.data_lst, *options.size)
        np.save(folder / "image.npy", image)
        if options.complete:
            ways = {"in one piece": {"fit": "longer_side", **side, "crop_size": max(image.shape)}, **ways}
        table: list[tuple[str, ...]] = [("way", "s", "peak, MB", "mIoU", "agreement with the first")]
        first: np.ndarray | None = None
        for way, settings in ways.items():
            command = [sys.executable, __file__, "--ckpt_path", options.ckpt_path, "--measured", folder]
            done = subprocess.run([*command, json.dumps(settings)], stdout=subprocess.PIPE, text=True, check=True)
            figures = json.loads(done.stdout.splitlines()[-1])
            found = np.load(folder / "found.npy")
            matrix = ConfusionMatrix(figures["classes"], 255)
            matrix.update(label, found)
            first = found if first is None else first
            score = matrix.report([str(id_) for id_ in range(figures["classes"])]).mean_iou
            numbers = f"{figures['seconds']:.1f}", f"{figures['peak']:.0f}"
            table.append((way, *numbers, f"{score:.2%}", f"{(found == first).mean():.2%}"))
    print_table(table)


if __name__ == "__main__":
    main()
