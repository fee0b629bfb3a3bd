"""Show where a U-Net errs on each slice of a list: near the boundaries of the labels, or farther away.

    python benchmarks/membrane_errors.py --ckpt_path folds/fold_1/last.ckpt --data_root all \\
        --data_lst all/all_lst.txt --held_out folds/fold_1/val_lst.txt [--scales 0.9 --scales 1 --scales 1.1]

The images are also evaluated mirrored. Columns for each slice: soft dice; the squared error of the membrane's
probability up to two pixels from the boundary, per pixel of boundary length; and the share of the squared error more
than four pixels away.
"""

from __future__ import annotations

from pathlib import Path

import click
import cv2
import numpy as np
from timing import print_table

from segdata.lists import read_list
from segtrain.data.semantic.crops import decode_sample, list_samples
from segtrain.evaluation.semantic.membranes import SoftDice
from segtrain.inference.semantic.segmenter import load_segmenter
from segtrain.inference.settings import EvalSettings

NEAR, FAR = 2, 4


def boundary_length(membrane: np.ndarray) -> float:
    """Return the length in pixels: the count of pixel edges, which is too long by 4 / pi on average, corrected."""
    edges = (membrane[1:] != membrane[:-1]).sum() + (membrane[:, 1:] != membrane[:, :-1]).sum()
    return float(edges * np.pi / 4)


def distances(membrane: np.ndarray) -> np.ndarray:
    """Return the distance of each pixel from the nearest pixel of the other class."""
    inside, outside = (cv2.distanceTransform(each.astype(np.uint8), cv2.DIST_L2, 5) for each in (membrane, ~membrane))
    return np.where(membrane, inside, outside)


@click.command()
@click.option("--ckpt_path", type=Path, required=True)
@click.option("--data_root", type=Path, required=True)
@click.option("--data_lst", type=Path, required=True)
@click.option("--held_out", type=Path, required=True)
@click.option("--scales", type=float, multiple=True, default=(1.0,))
@click.option("--membrane", default=0, help="Class id of the membrane")
def main(
    ckpt_path: Path, data_root: Path, data_lst: Path, held_out: Path, scales: tuple[float, ...], membrane: int
) -> None:
    segmenter, info, _ = load_segmenter(ckpt_path, EvalSettings(scales=scales, flip=True), "CPU")
    assert info.ignore_label is not None
    others = {pair.image for pair in read_list(held_out)}
    rows = [("slice", "", "soft dice", "near, per pixel of boundary", "far, share")]
    dice: dict[str, list[float]] = {"trained": [], "held out": []}
    for sample in list_samples(data_root, data_lst):
        image, label = decode_sample(sample, num_classes=len(info.class_names), ignore_label=info.ignore_label)
        (strips,) = segmenter.strips([image])
        probabilities, agreement = np.concatenate(list(strips), 1), SoftDice()
        agreement.update(probabilities, label)
        truth = label == membrane
        errors, away = (probabilities[membrane] - truth) ** 2, distances(truth)
        near = errors[away <= NEAR].sum() / boundary_length(truth)
        part = "held out" if sample.name in others else "trained"
        dice[part].append(agreement.score())
        far = errors[away > FAR].sum() / errors.sum()
        rows.append((Path(sample.name).stem, part, f"{dice[part][-1]:.4f}", f"{near:.3f}", f"{far:.1%}"))
    print_table(rows)
    for part, values in dice.items():
        print(f"{part}: mean soft dice {np.mean(values):.4f}, slices: {len(values)}")


if __name__ == "__main__":
    main()
