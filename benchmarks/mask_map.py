"""Compare converting masks to index masks with Pillow and a NumPy lookup table, as one writes it by hand.

    python benchmarks/mask_map.py VOC_ROOT [--masks 150]

The devkit's masks are repeated up to the requested number, as palette PNGs, as RGB and as gray of other values. The
results are compared.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from timing import costs_side_by_side, print_table

from segdata.labels.colormap import voc_palette
from segdata.labels.map_file import load_map
from segdata.labels.value_map import ValueMap
from segdata.sources.mask_map import mask_map
from segdata.sources.voc import find_devkit
from segdata.sources.voc_decolor import voc_decolor

#: Gray values that stand for the class ids: ids plus 100, and 99 for void.
SHIFTED = "100-120:0-20,99:255"


def by_palette(source: Path, target: Path) -> None:
    for path in source.iterdir():
        Image.fromarray(np.array(Image.open(path))).save(target / path.name)


def by_color(source: Path, target: Path) -> None:
    table = np.full(1 << 24, 254, np.uint8)
    palette = voc_palette().astype(np.int32)
    for id_ in (*range(21), 255):
        table[palette[id_] @ (1 << 16, 1 << 8, 1)] = id_
    for path in source.iterdir():
        pixels = np.asarray(Image.open(path)).astype(np.int32)
        ids = table[pixels[..., 0] << 16 | pixels[..., 1] << 8 | pixels[..., 2]]
        assert not (ids == 254).any()
        Image.fromarray(ids).save(target / path.name)


def by_value(source: Path, target: Path) -> None:
    table = np.full(256, 254, np.uint8)
    table[100:121], table[99] = range(21), 255
    for path in source.iterdir():
        ids = table[np.asarray(Image.open(path))]
        assert not (ids == 254).any()
        Image.fromarray(ids).save(target / path.name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("voc_root", type=Path)
    parser.add_argument("--masks", type=int, default=150)
    options = parser.parse_args()
    originals = sorted((find_devkit(options.voc_root) / "SegmentationClass").glob("*.png"))
    rows = [("masks", "way", "s", "processor, ms per mask", "times as fast")]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_sources(folder, originals, options.masks)
        cases: dict[str, tuple[Callable[[Path, Path], None], ValueMap, bool]] = {
            "palette": (by_palette, load_map("voc"), True),
            "RGB": (by_color, load_map("voc"), True),
            "gray": (by_value, load_map(SHIFTED), False),
            "index masks": (by_palette, load_map("0-20:0-20,255:255"), False),
        }
        for case, (by_hand, value_map, colors) in cases.items():
            costs = compare(folder / case, folder, by_hand, value_map, colors)
            base = next(iter(costs.values()))[0]
            for way, (seconds, processor) in costs.items():
                per_mask = f"{processor / options.masks * 1e3:.3f}"
                rows.append((case, way, f"{seconds:.3f}", per_mask, f"{base / seconds:.1f}"))
    print_table(rows)
    print(f"{options.masks} masks of each kind; pixels equal")


def write_sources(folder: Path, originals: list[Path], masks: int) -> None:
    shifted = np.arange(256, dtype=np.uint8) + np.uint8(100)
    for index, path in enumerate(itertools.islice(itertools.cycle(originals), masks)):
        with Image.open(path) as image:
            ids = np.asarray(image)
            forms = {"RGB": image.convert("RGB"), "gray": Image.fromarray(shifted[ids])}
            forms |= {"palette": image, "index masks": Image.fromarray(ids)}
            for form, mask in forms.items():
                (folder / form).mkdir(exist_ok=True)
                mask.save(folder / form / f"{index:06}.png")


def compare(
    source: Path,
    folder: Path,
    by_hand: Callable[[Path, Path], None],
    value_map: ValueMap,
    colors: bool,
) -> dict[str, tuple[float, float]]:
    targets = {way: folder / f"{source.name} {way}" for way in ("hand", "decolor 1", "decolor 2", "map 1", "map 2")}
    targets["hand"].mkdir()

    def decolor(workers: int) -> None:
        target = targets[f"decolor {workers}"]
        voc_decolor(source, src_path=source, dst_path=target, workers=workers, overwrite=True)

    def mapped(workers: int) -> None:
        mask_map(source, targets[f"map {workers}"], map=value_map, workers=workers, overwrite=True)

    ways: dict[str, Callable[[], object]] = {"Pillow and NumPy": lambda: by_hand(source, targets["hand"])}
    if colors:
        ways |= {"voc-decolor, 1 worker": lambda: decolor(1), "voc-decolor, 2 workers": lambda: decolor(2)}
    ways |= {"mask-map, 1 worker": lambda: mapped(1), "mask-map, 2 workers": lambda: mapped(2)}
    costs = costs_side_by_side(ways)
    for path in targets["hand"].iterdir():
        expected = np.asarray(Image.open(path))
        for target in targets.values():
            assert not target.exists() or np.array_equal(np.asarray(Image.open(target / path.name)), expected)
    return costs


if __name__ == "__main__":
    main()
