"""Near duplicates: recall on real images that were changed, false pairs, and time and memory of the index.

    python benchmarks/near_duplicates.py IMAGES… [--hashes 10000 100000]

IMAGES are folders of real images; files of equal content are taken once. Each change is applied to every image, with
its place drawn for a crop, and the copies are checked against the originals, as `segdata check --near --against` does.
Generated hashes are random, with the tones of the real images; their memory is that of a process of its own.
"""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from timing import print_table

from segdata.inspect.check import check
from segdata.inspect.check.near_hash import SIGNATURE_BYTES, signature, thumbnail
from segdata.inspect.check.near_index import propose
from segdata.opening import open_dataset

draw = np.random.default_rng(0)


def crop(image: np.ndarray) -> np.ndarray:
    height, width = (round(size * 0.9) for size in image.shape[:2])
    top, left = (int(draw.integers(0, old - new + 1)) for old, new in zip(image.shape, (height, width), strict=False))
    return image[top : top + height, left : left + width]


#: Changes with the JPEG quality that the result is saved with.
CHANGES: dict[str, tuple[Callable[[np.ndarray], np.ndarray], int]] = {
    "JPEG of quality 60": (lambda image: image, 60),
    "half the size": (lambda image: cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), 90),
    "a tenth of width and height cropped, place drawn": (crop, 90),
    "mirrored": (lambda image: image[:, ::-1], 90),
    "turned by a quarter": (lambda image: np.rot90(image), 90),
    "cropped and mirrored": (lambda image: crop(image)[:, ::-1], 90),
    "a tenth of the width cropped at the right": (lambda image: image[:, : round(image.shape[1] * 0.9)], 90),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images", type=Path, nargs="+")
    parser.add_argument("--hashes", type=int, nargs="*", default=[10_000, 30_000, 100_000])
    options = parser.parse_args()
    files = {hashlib.sha256(path.read_bytes()).digest(): path for path in found_images(options.images)}
    with tempfile.TemporaryDirectory() as folder:
        rows = recall(Path(folder), sorted(files.values()))
    print_table([("change", "images", "found", "recall", "other pairs", "s"), *rows])
    tones = np.array([list(signature(thumbnail(read(path)))[-4:]) for path in files.values()], np.uint8)
    print_table(
        [
            ("images", "processor s", "µs per image", "proposed pairs", "peak, MiB"),
            *(index(n, tones) for n in options.hashes),
        ]
    )


def found_images(folders: list[Path]) -> list[Path]:
    return [path for folder in folders for path in sorted(folder.rglob("*")) if path.suffix.lower() in (".jpg", ".png")]


def read(path: Path) -> np.ndarray:
    return cv2.imread(str(path))[..., ::-1]


def recall(root: Path, files: list[Path]) -> list[tuple[str, ...]]:
    """Return a row for the originals themselves and for each change."""
    originals = write(root / "original", files, lambda image: image, 0)
    report, seconds = timed(lambda: check(originals, near=True))
    rows = [("none: pairs within the originals", str(len(files)), "", "", str(of(report, "near_duplicate")), seconds)]
    for number, (name, (change, quality)) in enumerate(CHANGES.items()):
        copies = write(root / f"copy{number}", files, change, quality)
        report, seconds = timed(lambda copies=copies: check(copies, near=True, against=[open_dataset(originals)]))
        found = of(report, "overlap_near")
        wrong = of(report, "near_duplicate")
        rows.append((name, str(len(files)), str(found), f"{found / len(files):.1%}", str(wrong), seconds))
    return rows


def write(folder: Path, files: list[Path], change: Callable[[np.ndarray], np.ndarray], quality: int) -> Path:
    """Write copies, byte for byte without a quality, with a label each, and return their list."""
    folder.mkdir()
    lines = []
    for number, path in enumerate(files):
        name = f"{folder.name}_{number}.{'jpg' if quality else path.suffix[1:]}"
        image = change(cv2.imread(str(path)))
        if quality:
            cv2.imwrite(str(folder / name), image, [cv2.IMWRITE_JPEG_QUALITY, quality])
        else:
            (folder / name).write_bytes(path.read_bytes())
        cv2.imwrite(str(folder / f"{number}.png"), np.zeros(image.shape[:2], np.uint8))
        lines.append(f"{name} {number}.png\n")
    (folder / "list.txt").write_text("".join(lines))
    return folder / "list.txt"


def of(report: object, code: str) -> int:
    return sum(finding.count for finding in report.findings if finding.code == code)  # type: ignore[attr-defined]


def timed(work: Callable[[], object]) -> tuple[object, str]:
    start = time.perf_counter()
    result = work()
    return result, f"{time.perf_counter() - start:.1f}"


def index(number: int, tones: np.ndarray) -> tuple[str, ...]:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        seconds, pairs, added = pool.apply(search, (number, tones))
    return f"{number:,}", f"{seconds:.1f}", f"{seconds / number * 1e6:.0f}", f"{pairs:,}", f"{added:.0f}"


def search(number: int, tones: np.ndarray) -> tuple[float, int, float]:
    """Return the processor seconds of searching that many signatures, pairs proposed, and memory added in MiB."""
    random = np.random.default_rng(0)
    signatures = random.integers(0, 256, (number, SIGNATURE_BYTES), np.uint8)
    signatures[:, -tones.shape[1] :] = tones[random.integers(0, len(tones), number)]
    # The peak is otherwise that of the parent, which a new process starts with (proc(5)).
    Path("/proc/self/clear_refs").write_text("5")
    before = peak()
    start = time.process_time()
    pairs = len(propose(signatures, signatures, same=True))
    seconds = time.process_time() - start
    return seconds, pairs, peak() - before


def peak() -> float:
    """Return the peak of this process's memory in MiB."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    main()
