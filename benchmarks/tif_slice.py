"""Compare tif-slice with the usual loop: tifffile for the pages, Pillow's default PNG for images and labels.

    python benchmarks/tif_slice.py [--data isbi2012] [--repeats 5]

The input is drawn stacks of 30 pages of 512 x 512, or train-volume.tif and train-labels.tif of `--data`. Both sides
write to the same temporary directory, alternately; medians are reported. The second table compares peak memory by
number of pages with that of reading the entire stack, each in a separate process.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image
from timing import print_table, side_by_side

from segdata.labels.map_file import load_map
from segdata.miniature.tif import IMAGE_STACK, LABEL_STACK, write_stacks
from segdata.sources.tif.slice import tif_slice

PAGES = (200, 2000)
LABEL_MAP = "0:0,255:1"


def usual_loop(data: Path, target: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)
    for folder in ("images", "labels"):
        (target / folder).mkdir(parents=True)
    with tifffile.TiffFile(data / IMAGE_STACK) as images, tifffile.TiffFile(data / LABEL_STACK) as labels:
        for index, (image, label) in enumerate(zip(images.pages, labels.pages, strict=True)):
            Image.fromarray(image.asarray()).save(target / "images" / f"{index:04}.png")
            Image.fromarray(label.asarray() // 255).save(target / "labels" / f"{index:04}.png")


def ours(data: Path, target: Path, workers: int | None) -> None:
    tif_slice(
        data / IMAGE_STACK,
        labels=data / LABEL_STACK,
        map=load_map(LABEL_MAP),
        dst_path=target,
        overwrite=True,
        workers=workers,
    )


def size_of(folder: Path) -> float:
    """Return the megabytes of the PNG files below `folder`."""
    return sum(path.stat().st_size for path in folder.rglob("*.png")) / 1e6


def speed(data: Path, scratch: Path, repeats: int) -> None:
    seconds = side_by_side(
        {
            "tifffile + Pillow": lambda: usual_loop(data, scratch / "usual"),
            "tif-slice, 1 worker": lambda: ours(data, scratch / "one", 1),
            "tif-slice, all processors": lambda: ours(data, scratch / "all", None),
        },
        repeats=repeats,
    )
    usual = seconds["tifffile + Pillow"]
    sizes = dict(zip(seconds, map(size_of, (scratch / "usual", scratch / "one", scratch / "all")), strict=True))
    print_table(
        [
            ("30 + 30 pages of 512 x 512", "ms", "times as fast", "MB of PNG"),
            *((way, f"{s * 1e3:.0f}", f"{usual / s:.1f}", f"{sizes[way]:.2f}") for way, s in seconds.items()),
        ]
    )


SLICE = """
import sys, pathlib
from segdata.sources.tif.slice import tif_slice
stack, target = map(pathlib.Path, sys.argv[1:])
tif_slice(stack, dst_path=target)
"""
WHOLE = "import sys, tifffile; tifffile.imread(sys.argv[1])"


def peak_mb(program: str, *arguments: Path) -> float:
    """Run `program` in a separate process; return its peak memory in megabytes (Linux only)."""
    # Not ru_maxrss: it would include the memory that this process had when it forked.
    measure = f"{program}\nprint(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])"
    command = [sys.executable, "-c", measure, *map(str, arguments)]
    return int(subprocess.run(command, check=True, capture_output=True).stdout) * 1024e-6


def memory(scratch: Path) -> None:
    rows: list[tuple[str, ...]] = [
        ("pages of 512 x 512", "MB of file", "tif-slice, MB", "reading the entire stack, MB")
    ]
    for pages in PAGES:
        stack, target = scratch / f"{pages}.tif", scratch / f"{pages}"
        noise = np.random.default_rng(0).integers(0, 255, (512, 512), np.uint8)
        with tifffile.TiffWriter(stack, bigtiff=True) as writer:
            for index in range(pages):
                writer.write(np.roll(noise, index), metadata=None)
        sliced, whole = peak_mb(SLICE, stack, target), peak_mb(WHOLE, stack)
        rows.append((str(pages), f"{stack.stat().st_size / 1e6:.0f}", f"{sliced:.0f}", f"{whole:.0f}"))
        shutil.rmtree(target)
        stack.unlink()
    print_table(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        data = arguments.data or Path(write_stacks(scratch / "stacks", size=512).images).parent
        speed(data, scratch, arguments.repeats)
        print()
        memory(scratch)


if __name__ == "__main__":
    main()
