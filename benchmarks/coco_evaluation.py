"""Compare hotcoco with pycocotools on a generated result of the size of COCO val2017.

    python benchmarks/coco_evaluation.py [--images 5000] [--classes 80]

Both must be installed (pip install '.[fast-eval]'). Each image has 7 instances on average, each instance 0 to 3
detections. Prints seconds for boxes and masks, and the largest difference of any precision.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from typing import Any

import numpy as np
from pycocotools import mask
from timing import print_table

from segtrain.evaluation.instance.coco import PrecisionTable, precision_tables

SIDE = 400


def shape(box: list[float]) -> dict[str, Any]:
    """Return box and mask of a quadrilateral."""
    x, y, width, height = box
    points = [x, y, x + width, y + height * 0.1, x + width * 0.9, y + height, x + width * 0.1, y + height * 0.9]
    rle = mask.frPyObjects([points], SIDE, SIDE)[0]
    return {"bbox": box, "segmentation": {"size": [SIDE, SIDE], "counts": rle["counts"].decode()}}


def generate(images: int, classes: int) -> tuple[Any, Any]:
    """Return a ground truth, and detections that are shifted, wrong, duplicated or missing."""
    rng = np.random.default_rng(0)
    annotations: list[Any] = []
    results: list[Any] = []
    for image in range(1, images + 1):
        for _ in range(rng.poisson(7)):
            size = np.exp(rng.uniform(np.log(6), np.log(SIDE * 0.8), 2))
            box = np.concatenate([rng.uniform(0, SIDE - size), size])
            ids = {"image_id": image, "category_id": int(rng.integers(1, classes + 1))}
            numbers = {"id": len(annotations) + 1, "area": float(size.prod()), "iscrowd": int(rng.random() < 0.03)}
            annotations.append({**ids, **numbers, **shape(box.tolist())})
            for _ in range(rng.integers(0, 4)):
                moved = box + rng.normal(0, 0.08, 4) * np.tile(size, 2)
                moved[2:] = np.maximum(moved[2:], 1)
                results.append({**ids, "score": round(rng.random(), 2), **shape(moved.tolist())})
    files = [{"id": id_, "file_name": f"{id_}.jpg", "height": SIDE, "width": SIDE} for id_ in range(1, images + 1)]
    categories = [{"id": id_, "name": str(id_)} for id_ in range(1, classes + 1)]
    return {"images": files, "annotations": annotations, "categories": categories}, results


def timed(truth: Any, results: Any) -> tuple[float, tuple[PrecisionTable, PrecisionTable]]:
    started = time.perf_counter()
    tables = precision_tables(truth, results)
    return time.perf_counter() - started, tables


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--classes", type=int, default=80)
    arguments = parser.parse_args()
    truth, results = generate(arguments.images, arguments.classes)
    importlib.import_module("hotcoco")
    fast, tables = timed(truth, results)
    # None makes an import fail, as without the library.
    sys.modules["hotcoco"] = None  # type: ignore[assignment]
    slow, oracle = timed(truth, results)
    pairs = zip(tables, oracle, strict=True)
    difference = max(np.nanmax(np.abs(ours.precision - theirs.precision)) for ours, theirs in pairs)
    print(f"{len(truth['annotations'])} instances, {len(results)} detections; largest difference {difference:.1e}")
    print_table([("library", "seconds"), ("pycocotools", f"{slow:.1f}"), ("hotcoco", f"{fast:.1f}")])


if __name__ == "__main__":
    main()
