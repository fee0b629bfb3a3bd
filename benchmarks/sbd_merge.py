"""Compare sbd-merge with the loop it replaces: per file, loadmat and two Pillow saves, one gray, one with a palette.

    python benchmarks/sbd_merge.py [--data benchmark_RELEASE] [--files 1000] [--repeats 5]

The input is drawn masks of 500 x 375 pixels saved as SBD's structs, or the .mat files of `--data`, repeated under new
names up to `--files`. Both sides read the same files and write to the same temporary directory, alternately; medians
are reported. The merge does more: it reads each image's header, checks shape and values, and writes the list. Creating
small files is expensive on some file systems; TMPDIR=/dev/shm excludes this from the measurement.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.io import loadmat

from segdata.labels.colormap import IGNORE, voc_palette
from segdata.labels.masks import encode_index_png
from segdata.miniature.sbd import to_mat
from segdata.miniature.scene import draw
from segdata.sources.sbd.merge import read_mask, sbd_merge

DRAWN = 50
SIZE = (500, 375)


def drawn(folder: Path) -> list[tuple[Path, Path]]:
    """Draw scenes in VOC's usual size; return the paths of masks and images."""
    pairs = []
    for index in range(DRAWN):
        image, label = draw(np.random.default_rng(index))
        mask = np.asarray(Image.fromarray(np.where(label == IGNORE, 0, label).astype(np.uint8)).resize(SIZE, 0))
        pairs.append((folder / f"{index}.mat", folder / f"{index}.jpg"))
        pairs[-1][0].write_bytes(to_mat(mask))
        Image.fromarray(image).resize(SIZE).save(pairs[-1][1])
    return pairs


def given(release: Path) -> list[tuple[Path, Path]]:
    """Return the mask and image paths of each `.mat` file of a release."""
    dataset = release / "dataset"
    return [(mat, dataset / "img" / f"{mat.stem}.jpg") for mat in sorted((dataset / "cls").glob("*.mat"))]


def link_files(root: Path, sources: list[tuple[Path, Path]], files: int) -> None:
    """Create a data root: a devkit with one train and one val image, and a release with `files` others."""
    dataset, devkit = root / "benchmark_RELEASE" / "dataset", root / "VOCdevkit" / "VOC2012"
    lists = devkit / "ImageSets" / "Segmentation"
    gray = devkit / "SegmentationClassGray"
    for folder in (dataset / "cls", dataset / "img", devkit / "JPEGImages", gray, lists):
        folder.mkdir(parents=True)
    ids = [f"{index:06}" for index in range(files)]
    for index, id_ in enumerate(ids):
        mat, image = sources[index % len(sources)]
        shutil.copyfile(mat, dataset / "cls" / f"{id_}.mat")
        shutil.copyfile(image, dataset / "img" / f"{id_}.jpg")
    shutil.copyfile(sources[0][1], devkit / "JPEGImages" / "voc_train.jpg")
    (gray / "voc_train.png").write_bytes(encode_index_png(read_mask(sources[0][0])))
    for path, names in {
        dataset / "train.txt": ids[1:],
        dataset / "val.txt": ids[:1],
        lists / "train.txt": ["voc_train"],
        lists / "val.txt": ["voc_val"],
    }.items():
        path.write_text("\n".join(names))


def usual_loop(root: Path) -> int:
    """Convert as the model zoo's script does; return the size of the gray masks in bytes."""
    gray, colored = root / "usual" / "cls_png_gray", root / "usual" / "cls_png"
    for folder in (gray, colored):
        folder.mkdir(parents=True)
    palette = voc_palette().tobytes()
    for path in (root / "benchmark_RELEASE" / "dataset" / "cls").iterdir():
        mask = loadmat(path)["GTcls"][0]["Segmentation"][0].astype(np.uint8)
        Image.fromarray(mask).save(gray / f"{path.stem}.png")
        image = Image.fromarray(mask)
        image.putpalette(palette)
        image.save(colored / f"{path.stem}.png")
    return folder_bytes(gray)


def ours(root: Path, workers: int) -> int:
    """Merge; return the size of the masks in bytes."""
    sbd_merge(root, dst_path=root / "masks", workers=workers)
    return folder_bytes(root / "masks")


def folder_bytes(folder: Path) -> int:
    """Return the total size of the files of a folder in bytes."""
    return sum(path.stat().st_size for path in folder.glob("*.png"))


def clear(root: Path) -> None:
    """Remove what a run wrote."""
    for folder in (root / "usual", root / "masks"):
        shutil.rmtree(folder, ignore_errors=True)
    (root / "vocaug_train_lst.txt").unlink(missing_ok=True)


def seconds(work: Callable[[], object]) -> float:
    """Return the duration of one call."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def steps(mats: list[Path], folder: Path) -> dict[str, float]:
    """Return the milliseconds per file of each step of both sides, on one thread."""
    masks = [np.ascontiguousarray(read_mask(mat)) for mat in mats]
    work: dict[str, Callable[[], object]] = {
        "scipy loadmat": lambda: [loadmat(mat) for mat in mats],
        "read_mask": lambda: [read_mask(mat) for mat in mats],
        "Pillow PNG, default": lambda: [Image.fromarray(mask).save(folder / "x.png") for mask in masks],
        "PNG by runs": lambda: [(folder / "x.png").write_bytes(encode_index_png(mask)) for mask in masks],
    }
    return {name: min(seconds(call) for _ in range(3)) / len(mats) * 1e3 for name, call in work.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="benchmark_RELEASE folder with .mat files and images to use")
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        sources_folder, root = Path(name, "sources"), Path(name, "root")
        sources_folder.mkdir()
        sources = given(options.data) if options.data else drawn(sources_folder)
        link_files(root, sources, options.files)
        ways = {
            "loadmat + two Pillow saves": lambda: usual_loop(root),
            "segdata sbd-merge, 1 worker": lambda: ours(root, 1),
            "segdata sbd-merge, 2 workers": lambda: ours(root, 2),
        }
        walls: dict[str, list[float]] = {way: [] for way in ways}
        cpus: dict[str, list[float]] = {way: [] for way in ways}
        sizes: dict[str, int] = {}
        for _ in range(options.repeats):
            for way, run in ways.items():
                wall, cpu = time.perf_counter(), time.process_time()
                sizes[way] = run()
                walls[way].append((time.perf_counter() - wall) / options.files * 1e3)
                cpus[way].append((time.process_time() - cpu) / options.files * 1e3)
                clear(root)
        print(f"{options.files} files, medians of {options.repeats} runs\n")
        print("| way | ms per file | times as fast | processor ms per file | bytes per gray mask |")
        print("| --- | ---: | ---: | ---: | ---: |")
        usual = statistics.median(walls["loadmat + two Pillow saves"])
        for way in ways:
            wall, cpu = statistics.median(walls[way]), statistics.median(cpus[way])
            size = sizes[way] / options.files
            print(f"| {way} | {wall:.2f} | {usual / wall:.1f} | {cpu:.2f} | {size:.0f} |")
        print("\n| step, one thread | ms per file |\n| --- | ---: |")
        for step, milliseconds in steps([mat for mat, _ in sources], sources_folder).items():
            print(f"| {step} | {milliseconds:.3f} |")


if __name__ == "__main__":
    main()
