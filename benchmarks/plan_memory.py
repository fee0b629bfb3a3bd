"""Measure memory and time of checking and planning by length of the list: dry runs in separate processes.

    python benchmarks/plan_memory.py VOC_ROOT [--rows 100000 1000000]

VOC_ROOT needs its index masks (segdata voc-decolor). The samples of each list are different paths to 2,000 pairs of
files, which are hard links to those of VOC_ROOT: a hundred or more linked folders point to one folder with all files.
"""

from __future__ import annotations

import argparse
import itertools
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from timing import print_table

from segdata.sources.voc import IMAGE_DIR, INDEX_DIR, find_devkit

FILES = 2000

DRY_RUN = """
import resource, sys, time
from pathlib import Path
from segdata import open_dataset, to_mindrecord
from segdata.records import writer
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
if __name__ == "__main__":
    start, before = time.perf_counter(), peak()
    root, rows = Path(sys.argv[1]), int(sys.argv[2])
    dataset = open_dataset(root / f"{rows}.txt", data_root=root)
    report = to_mindrecord(dataset, root / "set", num_shards=64, dry_run=True)
    assert report.rows == rows and not report.written
    print(peak(), before, time.perf_counter() - start)
"""


def make_input(voc_root: Path, root: Path, rows: list[int]) -> None:
    devkit = find_devkit(voc_root)
    labels = sorted((devkit / INDEX_DIR).glob("*.png"))
    (root / "files").mkdir()
    for index, label in enumerate(itertools.islice(itertools.cycle(labels), FILES)):
        copy = root / "files" / f"{index:04}"
        for source, target in ((devkit / IMAGE_DIR / f"{label.stem}.jpg", copy), (label, copy)):
            os.link(source.resolve(), target.with_suffix(source.suffix))
    for folder in range(-(-max(rows) // FILES)):
        (root / f"{folder:05}").symlink_to("files")
    for count in rows:
        with (root / f"{count}.txt").open("w") as file:
            for row in range(count):
                sample = f"{row // FILES:05}/{row % FILES:04}"
                file.write(f"{sample}.jpg {sample}.png\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("voc_root", type=Path)
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.voc_root) as folder:
        root = Path(folder)
        make_input(options.voc_root, root, options.rows)
        (root / "dry_run.py").write_text(DRY_RUN)
        table: list[tuple[str, ...]] = [("rows", "peak, MB", "before, MB", "s")]
        peaks = []
        for rows in options.rows:
            command = [sys.executable, str(root / "dry_run.py"), str(root), str(rows)]
            output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            peak, before, seconds = map(float, output.split())
            peaks.append(peak)
            table.append((f"{rows:,}", f"{peak:.0f}", f"{before:.0f}", f"{seconds:.1f}"))
    print_table(table)
    slope = (peaks[-1] - peaks[0]) * 2**20 / (options.rows[-1] - options.rows[0])
    print(f"{slope:.0f} bytes per row")


if __name__ == "__main__":
    main()
