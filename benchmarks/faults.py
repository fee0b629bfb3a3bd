"""Kill conversions at random moments, resume them, and compare: is anything ever lost, half written or different?

    python benchmarks/faults.py VOC_ROOT [--kills 50 --rows 2800 --workers 3 --seed 0]

VOC_ROOT needs its index masks (segdata voc-decolor). Each conversion is started, killed with SIGKILL at a random moment
within the duration of an undisturbed one, and restarted with --resume until it finishes. Then the next one starts.
"""

from __future__ import annotations

import argparse
import random
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from timing import print_table
from to_mindrecord import make_input, run

from segdata.records.resume import finished_shards
from segdata.records.verify import verify


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("voc_root", type=Path)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--rows", type=int, default=2800)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    draw = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "data").mkdir()
        make_input(options.voc_root, root / "data", options.rows)
        started = time.perf_counter()
        run(*command(root, root / "undisturbed" / "set", options.workers))
        whole = time.perf_counter() - started
        expected = contents(root / "undisturbed" / "set")
        target = root / "set"
        kills = ends = resumed = kept = published = 0
        while kills < options.kills or finished_shards(target):
            before = finished_shards(target)
            process = subprocess.Popen(command(root, target, options.workers), stdout=subprocess.DEVNULL)
            resumed += before > 0
            try:
                process.wait(draw.uniform(0, whole) if kills < options.kills else None)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                kills += 1
            if target.exists():
                ends += 1
                published += verify(target).ok and contents(target) == expected
                shutil.rmtree(target)
                shutil.rmtree(root / ".set.staging", ignore_errors=True)
            else:
                kept += finished_shards(target) - before
                assert finished_shards(target) >= before, "a finished shard was lost"
    rows = [
        ("SIGKILLs", str(kills)),
        ("runs that resumed with finished shards", str(resumed)),
        ("finished shards left by killed runs", str(kept)),
        ("sets published under the final name", str(ends)),
        ("of these, intact and equal to the undisturbed set", str(published)),
    ]
    print_table([("event", "count"), *rows])
    workers = f"{options.workers} worker{'s' if options.workers != 1 else ''}"
    print(f"{options.rows} rows in 16 shards, {workers}, {whole:.1f} s undisturbed")


def command(root: Path, target: Path, workers: int) -> list[str]:
    source = ("--data_root", root / "data", "--data_lst", root / "data" / "list.txt", "--dst_path", target)
    words = ("segdata", "to-mindrecord", *source, "--num_shards", 16, "--workers", workers, "--resume")
    return [str(word) for word in words]


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


if __name__ == "__main__":
    main()
