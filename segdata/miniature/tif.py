"""A miniature of the ISBI 2012 stacks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from segdata.files.publishing import staged_directory

IMAGE_STACK, LABEL_STACK = "train-volume.tif", "train-labels.tif"

#: Half the width of a membrane, and the side of the square that a cell covers on average, in pixels.
_MEMBRANE, _CELL = 1.5, 24


@dataclass(frozen=True)
class StackReport:
    """Paths, number of pages and page size of the two stacks."""

    images: str
    labels: str
    pages: int
    size: int


def write_stacks(root: Path, *, pages: int = 30, size: int = 128, seed: int = 0) -> StackReport:
    """Write ``train-volume.tif`` and ``train-labels.tif``: cells and membranes that move a little from page to page.

    As in ISBI 2012, pages are square and uint8. Labels are 0 on membranes and 255 inside cells.

    Args:
        root: directory to create.
        pages: number of pages in each stack.
        size: side length of a page in pixels.
        seed: the same seed gives the same files.

    Raises:
        TargetExistsError: when `root` exists and is not empty.
    """
    from tifffile import TiffWriter

    with (
        staged_directory(root, overwrite=False, ours=()) as staging,
        TiffWriter(staging / IMAGE_STACK) as images,
        TiffWriter(staging / LABEL_STACK) as labels,
    ):
        for image, label in _pages(pages, size, np.random.default_rng(seed)):
            images.write(image, photometric="minisblack", metadata=None)
            labels.write(label, photometric="minisblack", metadata=None)
    return StackReport(str(root / IMAGE_STACK), str(root / LABEL_STACK), pages, size)


def _pages(
    count: int, size: int, rng: np.random.Generator
) -> Iterator[tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]]:
    """Yield images and labels ``(size, size)``."""
    grid = np.arange(_CELL / 2, size + _CELL, _CELL)
    home = np.stack(np.meshgrid(grid, grid), axis=-1).reshape(-1, 2)
    centers = home + rng.normal(0, _CELL / 5, home.shape)
    shades = rng.integers(120, 200, len(home))
    for _ in range(count):
        # Pull centers back toward their home position, so that cells do not run into each other.
        centers += rng.normal(0, 1, home.shape) + (home - centers) / 20
        cell, border = _cells(centers, size)
        inside = border > _MEMBRANE
        image = np.where(inside, shades[cell], 60) + rng.normal(0, 12, (size, size))
        yield np.clip(image, 0, 255).astype(np.uint8), np.where(inside, 255, 0).astype(np.uint8)


def _cells(centers: npt.NDArray[np.float64], size: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float64]]:
    """Return the cell of each pixel (the one with the nearest center) and the distance to the next cell."""
    cells, borders = np.empty((size, size), np.intp), np.empty((size, size))
    columns = np.arange(size)
    for row in range(size):
        distances = np.sqrt((row - centers[:, 0, None]) ** 2 + (columns - centers[:, 1, None]) ** 2)
        nearest, second = np.argpartition(distances, 1, axis=0)[:2]
        apart = np.linalg.norm(centers[nearest] - centers[second], axis=-1)
        cells[row] = nearest
        borders[row] = (distances[second, columns] ** 2 - distances[nearest, columns] ** 2) / (2 * apart)
    return cells, borders
