"""Quality of images: what `segdata check --quality` and CleanVision say of the same real images, changed in some ways.

    python benchmarks/image_quality.py IMAGES… [--cleanvision VENV/bin/python]

IMAGES are folders of real images; each second one is taken. CleanVision judges all images in one run with its own
thresholds; only its issues of the kinds that segdata has are counted.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from near_duplicates import found_images
from timing import print_table

from segdata.inspect.check.quality import quality_faults

#: Changes with the kind that they should have.
CHANGES: dict[str, tuple[str, Callable[[np.ndarray], np.ndarray]]] = {
    "none": ("", lambda image: image),
    "a quarter of the light": ("dark", lambda image: image // 4),
    "a third of the light": ("dark", lambda image: image // 3),
    "levels from 245 to 254": ("bright", lambda image: 245 + image // 26),
    "levels from 120 to 135": ("low_contrast", lambda image: 120 + image // 16),
    "blurred, sigma 1.5": ("blurry", lambda image: cv2.GaussianBlur(image, (0, 0), 1.5)),
    "blurred, sigma 3": ("blurry", lambda image: cv2.GaussianBlur(image, (0, 0), 3)),
    "blurred, sigma 5": ("blurry", lambda image: cv2.GaussianBlur(image, (0, 0), 5)),
    "cut to a strip of 4 : 1": ("odd_aspect", lambda image: image[: max(1, image.shape[1] // 4)]),
}

#: CleanVision's names of the kinds.
THEIRS = {
    "dark": "dark",
    "bright": "light",
    "low_contrast": "low_information",
    "blurry": "blurry",
    "odd_aspect": "odd_aspect_ratio",
}

PROGRAM = """
import json, sys
from cleanvision import Imagelab
lab = Imagelab(filepaths=json.load(open(sys.argv[1])))
lab.find_issues({name: {} for name in json.loads(sys.argv[3])}, n_jobs=1, verbose=False)
names = json.loads(sys.argv[3])
found = {name: list(lab.issues.index[lab.issues[f"is_{name}_issue"]]) for name in names}
json.dump(found, open(sys.argv[2], "w"))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images", type=Path, nargs="+")
    parser.add_argument("--cleanvision", type=Path)
    options = parser.parse_args()
    originals = found_images(options.images)[::2]
    with tempfile.TemporaryDirectory() as folder:
        files = {
            change: written(Path(folder, str(n)), originals, how)
            for n, (change, (_, how)) in enumerate(CHANGES.items())
        }
        paths = [path for found in files.values() for path in found]
        start = time.perf_counter()
        ours = {path: {fault.code for fault in quality_faults(path, cv2.imread(path)[..., ::-1])} for path in paths}
        seconds = {"segdata": time.perf_counter() - start}
        theirs: dict[str, set[str]] = {}
        if options.cleanvision:
            start = time.perf_counter()
            theirs = cleanvision(options.cleanvision, paths, Path(folder))
            seconds["CleanVision"] = time.perf_counter() - start
    rows = [("change", "kind", "images", "segdata", "segdata, other kinds", "CleanVision", "CleanVision, other kinds")]
    for change, found in files.items():
        kind = CHANGES[change][0]
        cells = []
        for said in (ours, theirs):
            right = sum(kind in said.get(path, ()) for path in found)
            other = sum(bool(set(said.get(path, ())) - {kind}) for path in found)
            cells += [str(right) if kind else "", str(other)] if said else ["", ""]
        rows.append((change, kind, str(len(found)), *cells))
    print_table(rows)
    print(", ".join(f"{name} {value:.0f} s" for name, value in seconds.items()))


def written(folder: Path, originals: list[Path], change: Callable[[np.ndarray], np.ndarray]) -> list[str]:
    folder.mkdir()
    paths = [str(folder / f"{number}.png") for number in range(len(originals))]
    for path, original in zip(paths, originals, strict=True):
        cv2.imwrite(path, np.ascontiguousarray(change(cv2.imread(str(original)))))
    return paths


def cleanvision(python: Path, paths: list[str], folder: Path) -> dict[str, set[str]]:
    """Return the kinds that CleanVision says of each image."""
    (folder / "paths.json").write_text(json.dumps(paths))
    words = [python, "-c", PROGRAM, folder / "paths.json", folder / "found.json", json.dumps([*THEIRS.values()])]
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    found = {name: set(paths) for name, paths in json.loads((folder / "found.json").read_text()).items()}
    return {path: {kind for kind, name in THEIRS.items() if path in found[name]} for path in paths}


if __name__ == "__main__":
    main()
