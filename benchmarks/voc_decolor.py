"""Compare converting color masks by chunk rewriting with the model zoo's way (open, array, save with Pillow).

    python benchmarks/voc_decolor.py VOC_ROOT [--masks 885]

The devkit's masks are repeated up to the requested number.
"""

from __future__ import annotations

import argparse
import itertools
import shutil
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image
from timing import print_table, side_by_side

from segdata.sources.voc import find_devkit, voc_decolor


def model_zoo(source: Path, target: Path) -> None:
    target.mkdir(exist_ok=True)
    for path in source.iterdir():
        Image.fromarray(np.array(Image.open(path))).save(target / path.name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("voc_root", type=Path)
    parser.add_argument("--masks", type=int, default=885)
    options = parser.parse_args()
    originals = sorted((find_devkit(options.voc_root) / "SegmentationClass").glob("*.png"))
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "masks")
        source.mkdir()
        for index, path in enumerate(itertools.islice(itertools.cycle(originals), options.masks)):
            shutil.copyfile(path, source / f"{index:06}.png")
        ways = {
            "Pillow, one file at a time": lambda: model_zoo(source, Path(folder, "zoo")),
            "voc-decolor, 1 worker": lambda: ours(source, Path(folder, "one"), 1),
            "voc-decolor, 2 workers": lambda: ours(source, Path(folder, "two"), 2),
        }
        seconds = side_by_side(ways)
        same = all(
            np.array_equal(np.asarray(Image.open(path)), np.asarray(Image.open(Path(folder, "zoo", path.name))))
            for path in Path(folder, "two").glob("*.png")
        )
    base = next(iter(seconds.values()))
    rows = [
        (name, f"{value:.3f}", f"{value / options.masks * 1e3:.3f}", f"{base / value:.1f}")
        for name, value in seconds.items()
    ]
    print_table([("way", "s", "ms per mask", "times as fast"), *rows])
    print(f"{options.masks} masks; pixels equal: {same}")


def ours(source: Path, target: Path, workers: int) -> None:
    voc_decolor(source, src_path=source, dst_path=target, workers=workers, overwrite=target.exists())


if __name__ == "__main__":
    main()
