"""Measure throughput and peak memory of an evaluation by number of samples and by mode.

    python benchmarks/evaluate.py VOC_ROOT [--rows 60 240 960]

VOC_ROOT needs its index masks (segdata voc-decolor). A small network (ResNet-18, crop 129, batch 8) is trained for
one epoch first. Each figure comes from a separate process and includes importing MindSpore (400 MB).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
from pathlib import Path

from timing import print_table
from to_mindrecord import make_input, run

SCALES = [part for scale in (0.5, 0.75, 1.0, 1.25, 1.75) for part in ("--scales", str(scale))]
MODES = {"single": [], "multi-scale": SCALES, "multi-scale, mirrored": [*SCALES, "--flip"]}


def evaluate(*args: object) -> tuple[dict[str, object], float]:
    """Return the report of `segtrain eval` and its peak memory in MB."""
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(["segtrain", "eval", "--json", *map(str, args)], stdout=output)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(process.returncode)
        output.seek(0)
        return json.load(output), usage.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("voc_root", type=Path)
    parser.add_argument("--rows", type=int, nargs="+", default=[60, 240, 960])
    options = parser.parse_args()
    table: list[tuple[str, ...]] = [("model", "mode", "images", "peak, MB", "images/s", "mIoU")]
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for rows in options.rows:
            (root / str(rows)).mkdir()
            make_input(options.voc_root, root / str(rows), rows)
        first = root / str(options.rows[0])
        run(
            "segdata",
            "to-mindrecord",
            "--data_root",
            first,
            "--data_lst",
            first / "list.txt",
            "--dst_path",
            root / "set",
        )
        for model in ("DeepLabV3plus_s16", "DeepLabV3plus_s8"):
            training = ("--recipe", "deeplabv3plus_cpu", "--model", model, "--train_epochs", 1)
            run("segtrain", "fit", *training, "--data_file", root / "set", "--train_dir", root / model)
            single = (
                [("single", rows) for rows in options.rows] if model.endswith("s16") else [("single", options.rows[0])]
            )
            for mode, rows in [*single, *((mode, options.rows[0]) for mode in list(MODES)[1:])]:
                data = ("--data_root", root / str(rows), "--data_lst", root / str(rows) / "list.txt")
                report, peak = evaluate(*data, "--ckpt_path", root / model / "last.ckpt", *MODES[mode])
                scores = report["scores"]
                assert report["samples"] == rows and isinstance(scores, dict)
                figures = f"{peak:.0f}", f"{report['images_per_s']:.1f}", f"{scores['mean_iou']:.2%}"
                table.append((model, mode, str(rows), *figures))
    print_table(table)


if __name__ == "__main__":
    main()
