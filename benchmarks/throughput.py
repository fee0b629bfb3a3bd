"""Compare images and MB per second of check and to-mindrecord, with 1 and 2 workers, with reading the files (cat).

    python benchmarks/throughput.py VOC_ROOT [--rows 2800]

VOC_ROOT needs its index masks (segdata voc-decolor). Pairs are repeated, as links, up to the requested number of rows.
Times are for complete processes, with the files in the page cache.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import tempfile
from pathlib import Path

from timing import costs_side_by_side, print_table
from to_mindrecord import make_input, run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("voc_root", type=Path)
    parser.add_argument("--rows", type=int, default=2800)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        payload = make_input(options.voc_root, root, options.rows)
        files = "".join(f"{path}\0" for path in sorted(root.iterdir()) if path.name != "list.txt").encode()

        def cat() -> None:
            subprocess.run(["xargs", "-0", "cat"], input=files, stdout=subprocess.DEVNULL, check=True)

        def check(workers: int, *flags: str) -> None:
            run("segdata", "check", root / "list.txt", "--workers", workers, *flags)

        def convert(workers: int) -> None:
            shutil.rmtree(root / "set", ignore_errors=True)
            source = ("--data_root", root, "--data_lst", root / "list.txt", "--dst_path", root / "set")
            run("segdata", "to-mindrecord", *source, "--num_shards", 8, "--workers", workers)

        ways = {"cat": cat}
        for count in (1, 2):
            workers = f"{count} worker{'s' if count != 1 else ''}"
            ways[f"check, {workers}"] = lambda count=count: check(count)
            ways[f"check --decode, {workers}"] = lambda count=count: check(count, "--decode")
            ways[f"check --decode --hash, {workers}"] = lambda count=count: check(count, "--decode", "--hash")
            ways[f"to-mindrecord, {workers}"] = lambda count=count: convert(count)
        costs = costs_side_by_side(ways, repeats=options.repeats)
    rows = [
        (
            name,
            f"{seconds:.2f}",
            f"{processor:.2f}",
            f"{options.rows / processor:,.0f}",
            f"{payload / processor / 1e6:,.0f}",
        )
        for name, (seconds, processor) in sorted(costs.items(), key=lambda item: item[0].split(",")[0])
    ]
    print_table([("way", "s", "processor, s", "images per processor second", "MB per processor second"), *rows])
    print(f"{options.rows} rows, {payload / 1e6:.0f} MB of images and labels")


if __name__ == "__main__":
    main()
