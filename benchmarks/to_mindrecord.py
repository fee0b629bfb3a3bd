"""Compare converting a list to MindRecord with the model zoo's loop (one writer, eight shards, 1000 rows per call).

    python benchmarks/to_mindrecord.py VOC_ROOT [--rows 2800 10582]

VOC_ROOT needs its index masks (segdata voc-decolor). Pairs are repeated, as links, up to the requested number of rows.
Times are for complete processes including their imports (MindSpore in the model zoo's loop), since a user waits for all
of it. Besides: tar of the same files, verify of the set against SHA-256 of its files, and the steps of to-mindrecord.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from pathlib import Path

from timing import costs_side_by_side, print_table

from segdata.images.reading import read_image_header
from segdata.labels.classes import Classes
from segdata.labels.masks import count_values, decode_index_png
from segdata.lists import Pair, write_list
from segdata.mindrecord.form import SetForm
from segdata.mindrecord.rows import mark_row, measure_row
from segdata.mindrecord.writer import ShardWriter
from segdata.parallel import ordered_map
from segdata.records.schema import ROW_SCHEMAS
from segdata.records.semantic import check_pair, pair_files
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


HASHES = """
import hashlib, sys
from pathlib import Path
for path in Path(sys.argv[1]).iterdir():
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("voc_root", type=Path)
    parser.add_argument("--rows", type=int, nargs="+", default=[2800, 10582])
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    for rows in options.rows:
        with tempfile.TemporaryDirectory() as folder:
            compare(options.voc_root, Path(folder), rows, options.repeats)
    with tempfile.TemporaryDirectory() as folder:
        split(options.voc_root, Path(folder))


def compare(voc_root: Path, folder: Path, rows: int, repeats: int) -> None:
    root = folder / "in"
    root.mkdir()
    payload = make_input(voc_root, root, rows)

    def zoo() -> None:
        shutil.rmtree(folder / "zoo", ignore_errors=True)
        (folder / "zoo").mkdir()
        run(sys.executable, "-c", MODEL_ZOO, root, root / "list.txt", folder / "zoo" / "voc.mindrecord")

    def ours(workers: int) -> None:
        shutil.rmtree(folder / "voc", ignore_errors=True)
        source = ("--data_root", root, "--data_lst", root / "list.txt", "--dst_path", folder / "voc")
        run("segdata", "to-mindrecord", *source, "--num_shards", 8, "--workers", workers)

    ways = {
        "the model zoo's loop": zoo,
        "to-mindrecord, 1 worker": lambda: ours(1),
        "to-mindrecord, 2 workers": lambda: ours(2),
        "tar, following links": lambda: run("tar", "--hard-dereference", "-chf", folder / "files.tar", "-C", root, "."),
        "SHA-256 of the set's files, by hashlib": lambda: run(sys.executable, "-c", HASHES, folder / "voc"),
        "verify": lambda: run("segdata", "verify", folder / "voc"),
    }
    costs = costs_side_by_side(ways, repeats=repeats)
    print(f"{rows} rows, {payload / 1e6:.0f} MB of images and labels")
    print_table([("way", "s", "processor, s"), *((name, f"{s:.2f}", f"{p:.2f}") for name, (s, p) in costs.items())])
    for name in ("zoo", "voc"):
        apparent, used = on_disk(folder / name)
        print(f"{name}: {apparent / payload:.3f} bytes, {used / payload:.3f} blocks of the payload")


def split(voc_root: Path, root: Path, rows: int = 1500) -> None:
    """Print the processor time of the steps, each alone and with all files in the page cache."""
    make_input(voc_root, root, rows)
    pairs = [pair_files(root, Pair(f"{index:06}.jpg", f"{index:06}.png")) for index in range(rows)]
    contents = [{"file_name": image.name, "data": image.read(), "label": label.read()} for image, label in pairs]
    schema = ROW_SCHEMAS["semantic"]
    form = SetForm(schema=schema, addresses=("steps",), header_size=1 << 20)

    def write() -> None:
        with ShardWriter(root / "steps", form, 0, [measure_row(schema, row) for row in contents]) as writer:
            for row in contents:
                writer.write(row)
            # Not closed: the next round writes it again.

    check = partial(check_pair, root, Classes(), None, False)
    steps: dict[str, Callable[[], object]] = {
        "checking, all of it": lambda: [None for image, label in pairs if check(Pair(image.name, label.name))],
        "— header of the image": lambda: [None for image, _ in pairs if read_image_header(image.find())],
        "— reading, inflating and counting the label": lambda: [
            None for _, label in pairs if count_values(decode_index_png(label.read())).any()
        ],
        "reading image and label": lambda: [None for image, label in pairs if image.read() and label.read()],
        "writing, digests included": write,
        "— SHA-256": lambda: [None for row in contents if hashlib.sha256(row["data"]).digest()],
        "— CRC-32 of the fields": lambda: [None for row in contents if mark_row(schema, row)],
    }
    best = dict.fromkeys(steps, math.inf)
    # Memory is kept as in the command.
    deque(ordered_map(str, [1], workers=1))
    for _ in range(5):
        for name, step in steps.items():
            start = time.process_time()
            step()
            best[name] = min(best[name], time.process_time() - start)
    print_table([("step", "processor, ms per pair"), *((name, f"{s / rows * 1e3:.3f}") for name, s in best.items())])


def run(*command: object) -> None:
    subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL)


def on_disk(folder: Path) -> tuple[int, int]:
    """Return the apparent and the allocated size in bytes (files may have holes)."""
    states = [os.stat(path) for path in folder.iterdir()]
    return sum(state.st_size for state in states), sum(state.st_blocks * 512 for state in states)


if __name__ == "__main__":
    main()
