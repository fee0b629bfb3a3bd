"""Compare converting a list to MindRecord with the model zoo's loop (one writer, eight shards, 1000 rows per call).

    python benchmarks/to_mindrecord.py VOC_ROOT [--rows 2800]

VOC_ROOT needs its index masks (segdata voc-decolor). Pairs are repeated, as links, up to the requested number of rows.
Times are for complete processes including their imports (MindSpore in the model zoo's loop), since a user waits for all
of it.
"""

from __future__ import annotations

import argparse
import itertools
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from timing import print_table, side_by_side

from segdata.lists import Pair, write_list
from segdata.sources.voc import IMAGE_DIR, INDEX_DIR, find_devkit

MODEL_ZOO = """
import sys
import numpy as np
from mindspore.mindrecord import FileWriter
root, list_file, target = sys.argv[1:]
with open(list_file) as file:
    lines = file.readlines()
np.random.shuffle(lines)
writer = FileWriter(target, 8)
writer.add_schema({"file_name": {"type": "string"}, "label": {"type": "bytes"}, "data": {"type": "bytes"}}, "seg")
rows = []
for line in lines:
    image, label = line.strip().split(" ")
    row = {"file_name": image.split("/")[-1]}
    for name, path in (("data", image), ("label", label)):
        with open(root + "/" + path, "rb") as file:
            row[name] = file.read()
    rows.append(row)
    if len(rows) >= 1000:
        writer.write_raw_data(rows)
        rows = []
if rows:
    writer.write_raw_data(rows)
writer.commit()
"""


def make_input(voc_root: Path, root: Path, rows: int) -> int:
    """Link pairs below `root`, write the list and return the bytes of all files."""
    devkit = find_devkit(voc_root)
    labels = sorted((devkit / INDEX_DIR).glob("*.png"))
    pairs, size = [], 0
    for index, label in enumerate(itertools.islice(itertools.cycle(labels), rows)):
        pairs.append(Pair(f"{index:06}.jpg", f"{index:06}.png"))
        for source, name in ((devkit / IMAGE_DIR / f"{label.stem}.jpg", pairs[-1].image), (label, pairs[-1].label)):
            (root / name).symlink_to(source.resolve())
            size += source.stat().st_size
    write_list(root / "list.txt", pairs, overwrite=False)
    return size


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("voc_root", type=Path)
    parser.add_argument("--rows", type=int, default=2800)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        payload = make_input(options.voc_root, root, options.rows)
        targets = {
            "the model zoo's loop": root / "zoo",
            "to-mindrecord, 1 worker": root / "one",
            "to-mindrecord, 2 workers": root / "two",
        }

        def zoo() -> None:
            shutil.rmtree(root / "zoo", ignore_errors=True)
            (root / "zoo").mkdir()
            run(sys.executable, "-c", MODEL_ZOO, root, root / "list.txt", root / "zoo" / "voc.mindrecord")

        def ours(target: Path, workers: int) -> None:
            shutil.rmtree(target, ignore_errors=True)
            source = ("--data_root", root, "--data_lst", root / "list.txt", "--dst_path", target)
            run("segdata", "to-mindrecord", *source, "--num_shards", 8, "--workers", workers)

        ways = [zoo, lambda: ours(root / "one", 1), lambda: ours(root / "two", 2)]
        seconds = side_by_side(dict(zip(targets, ways, strict=True)))
        base = next(iter(seconds.values()))
        rows = []
        for name, value in seconds.items():
            apparent, used = on_disk(targets[name])
            rows.append(
                (name, f"{value:.2f}", f"{base / value:.2f}", f"{apparent / payload:.3f}", f"{used / payload:.3f}")
            )
    print_table([("way", "s", "times as fast", "bytes / payload", "blocks / payload"), *rows])
    print(f"{options.rows} rows, {payload / 1e6:.0f} MB of images and labels")


def run(*command: object) -> None:
    subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL)


def on_disk(folder: Path) -> tuple[int, int]:
    """Return the apparent and the allocated size in bytes (files may have holes)."""
    states = [os.stat(path) for path in folder.iterdir()]
    return sum(state.st_size for state in states), sum(state.st_blocks * 512 for state in states)


if __name__ == "__main__":
    main()
