"""A miniature SBD release that overlaps the miniature VOC devkit."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from segdata.files.publishing import staged_directory
from segdata.labels.colormap import IGNORE, VOC_CLASSES
from segdata.miniature.mat5 import cell_column, encode_struct, numbers, sparse_logical
from segdata.miniature.scene import draw
from segdata.miniature.voc import image_id, save_jpeg, write_ids
from segdata.sources.sbd.merge import MAT_DIR, SBD_IMAGE_DIR


@dataclass(frozen=True)
class SbdMiniature:
    """Location of the miniature release, and the number of ids in its lists."""

    root: str
    train: int
    val: int


def write_release(root: Path, *, voc_train: int = 24, voc_val: int = 8, seed: int = 0) -> SbdMiniature:
    """Write a miniature ``benchmark_RELEASE`` for the devkit that `segdata.miniature.voc.write_devkit` writes.

    It contains every third image of the devkit's train and val splits, and as many new images as the devkit's train
    split has. One id is in both lists. Masks have no void border, as in SBD.

    Args:
        root: folder above VOCdevkit; ``benchmark_RELEASE`` is written to it.
        voc_train: number of images in the devkit's train split.
        voc_val: number of images in the devkit's val split.
        seed: seed of the devkit; the same seed gives the same files.

    Raises:
        TargetExistsError: when ``benchmark_RELEASE`` exists and is not empty.
    """
    end = voc_train + voc_val
    indices = [*range(0, voc_train, 3), *range(voc_train, end, 3), *range(end, end + voc_train)]
    train = [index for index in indices if index % 4]
    val = [index for index in indices if index % 4 == 0 or index == train[-1]]
    with staged_directory(root / "benchmark_RELEASE", overwrite=False, ours=()) as staging:
        dataset = staging / "dataset"
        for folder in (MAT_DIR, SBD_IMAGE_DIR):
            (dataset / folder).mkdir(parents=True)
        for index in indices:
            image, label = draw(np.random.default_rng((seed, index)))
            save_jpeg(dataset / SBD_IMAGE_DIR / f"{image_id(index)}.jpg", image)
            mat = to_mat(np.where(label == IGNORE, 0, label).astype(np.uint8))
            (dataset / MAT_DIR / f"{image_id(index)}.mat").write_bytes(mat)
        write_ids(dataset / "train.txt", [image_id(index) for index in train])
        write_ids(dataset / "val.txt", [image_id(index) for index in val])
    return SbdMiniature(str(root), len(train), len(val))


def to_mat(mask: npt.NDArray[np.uint8]) -> bytes:
    """Return class ids ``(H, W)`` as an SBD ``cls/*.mat`` file: MATLAB v5, compressed, one struct `GTcls`.

    The struct has SBD's fields: `Boundaries`, a 20x1 cell of sparse logical matrices, one per class; `Segmentation`,
    uint8; and `CategoriesPresent`, a uint8 column.
    """
    boundaries = [sparse_logical(_boundary(mask == class_)) for class_ in range(1, len(VOC_CLASSES))]
    present = np.unique(mask[mask > 0]).reshape(-1, 1)
    fields = {
        "Boundaries": cell_column(boundaries),
        "Segmentation": numbers(mask),
        "CategoriesPresent": numbers(present),
    }
    return encode_struct("GTcls", fields)


def _boundary(inside: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return the pixels of a region that have a neighbor above, below, left or right outside it."""
    padded = np.pad(inside, 1)
    inner = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return np.asarray(inside & ~inner)
