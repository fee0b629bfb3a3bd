"""Compare counting a confusion matrix with the model zoo's way, on the real VOC labels.

    python benchmarks/confusion_matrix.py VOC_ROOT

VOC_ROOT needs its index masks (segdata voc-decolor). Predictions are the labels coarsened by a factor of eight, with
one block in twenty wrong. As in both evaluations, the class ids start as int64, the type that np.argmax returns.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from timing import print_table, side_by_side

from segdata.labels.masks import decode_index_png
from segdata.sources.voc import INDEX_DIR, find_devkit
from segtrain.evaluation.semantic.confusion import ConfusionMatrix

CLASSES, IGNORE = 21, 255

Ids = npt.NDArray[Any]
Pairs = list[tuple[Ids, Ids]]


def model_zoo(pairs: Pairs) -> npt.NDArray[np.int64]:
    """Count as the published evaluation does, without any checks."""
    counts = np.zeros((CLASSES, CLASSES), np.int64)
    for label, prediction in pairs:
        truth, found = label.flatten(), prediction.flatten()
        known = (truth >= 0) & (truth < CLASSES)
        pair = CLASSES * truth[known].astype(np.int32) + found[known]
        counts += np.bincount(pair, minlength=CLASSES**2).reshape(CLASSES, CLASSES)
    return counts


def segtrain(pairs: Pairs) -> npt.NDArray[np.int64]:
    matrix = ConfusionMatrix(CLASSES, IGNORE)
    for label, prediction in pairs:
        matrix.update(label, prediction.astype(np.uint8))
    return matrix.counts


def predict(label: Ids, rng: np.random.Generator) -> Ids:
    height, width = label.shape
    coarse = cv2.resize(np.where(label == IGNORE, 0, label), (width // 8, height // 8), interpolation=cv2.INTER_NEAREST)
    wrong = rng.random(coarse.shape) < 0.05
    coarse[wrong] = rng.integers(0, CLASSES, wrong.sum())
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_NEAREST).astype(np.int64)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("voc_root", type=Path)
    labels = [
        decode_index_png(path.read_bytes())
        for path in sorted((find_devkit(parser.parse_args().voc_root) / INDEX_DIR).glob("*.png"))
    ]
    rng = np.random.default_rng(0)
    pairs = [(label, predict(label, rng)) for label in labels]
    narrow = [(label, prediction.astype(np.uint8)) for label, prediction in pairs]
    rows = [("class ids of predictions", "way", "ms per image", "times as fast")]
    for kind, inputs in (("int64, as argmax gives them", pairs), ("uint8", narrow)):
        ways: dict[str, Callable[[], object]] = {
            "the model zoo's": lambda inputs=inputs: model_zoo(inputs),
            "ConfusionMatrix": lambda inputs=inputs: segtrain(inputs),
        }
        seconds = side_by_side(ways, repeats=15)
        base = next(iter(seconds.values()))
        rows += [(kind, name, f"{1e3 * s / len(pairs):.3f}", f"{base / s:.1f}") for name, s in seconds.items()]
    print_table(rows)
    print(f"{len(pairs)} images; counts equal: {np.array_equal(model_zoo(pairs), segtrain(pairs))}")


if __name__ == "__main__":
    main()
