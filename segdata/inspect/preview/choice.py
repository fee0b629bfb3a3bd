"""Choose the samples of a preview."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from segdata.dataset import Dataset
from segdata.errors import Fault, InvalidInputError, faults_at, suggest
from segdata.labels.masks import count_values
from segdata.parallel import Progress, map_faults
from segdata.samples import Sample
from segdata.seeded import seeded_order


@dataclass(frozen=True)
class PreviewChoice:
    """Samples chosen for a preview.

    Attributes:
        rows: indices of the samples in the data set, in display order.
        found: number of samples to choose from: all, or those of the wanted classes.
        unreadable: faults of the samples whose classes cannot be read.
    """

    rows: tuple[int, ...]
    found: int
    unreadable: tuple[Fault, ...]


def choose(
    dataset: Dataset, *, count: int, seed: int, classes: frozenset[int], workers: int, progress: Progress
) -> PreviewChoice:
    """Choose up to `count` samples by the seeded order of their names; with `classes`, each shows at least one of them.

    Only the names decide, so a list and the record set made from it give the same samples.
    """
    unreadable: list[Fault] = []
    names = [name for name, _ in dataset.files()]
    rows = list(range(len(names)))
    if classes:
        shown = map_faults(
            partial(_classes_of, _label_classes if dataset.classes else _object_classes),
            enumerate(dataset.samples()),
            unreadable,
            name=_name,
            total=len(dataset),
            label="classes",
            progress=progress,
            workers=workers,
            chunk=8,
        )
        rows = [row for row, found in shown if found & classes]
    order = seeded_order([names[row] for row in rows], seed)
    return PreviewChoice(tuple(rows[place] for place in order[:count]), len(rows), tuple(unreadable))


def find_classes(dataset: Dataset, wanted: Sequence[str]) -> frozenset[int]:
    """Return the ids of the `wanted` classes, given as names or ids; names take precedence.

    Raises:
        InvalidInputError: when the data set has no such class; suggests similar names.
    """
    found = set[int]()
    for name in wanted:
        ids = [id_ for id_, known in dataset.labels.items() if known == name]
        ids = ids or [id_ for id_ in dataset.labels if str(id_) == name]
        if not ids:
            raise InvalidInputError(f"{dataset.path}: has no class {name!r}; {suggest(name, dataset.labels.values())}")
        found.update(ids)
    return frozenset(found)


def _name(item: tuple[int, Sample]) -> str:
    return item[1].name


def _classes_of(classes: Callable[[Sample], frozenset[int]], item: tuple[int, Sample]) -> tuple[int, frozenset[int]]:
    row, sample = item
    return row, classes(sample)


def _label_classes(sample: Sample) -> frozenset[int]:
    with faults_at(sample.index_png().name):
        pixels = count_values(sample.read_label())
    return frozenset(np.flatnonzero(pixels).tolist())


def _object_classes(sample: Sample) -> frozenset[int]:
    return frozenset(sample.annotated().labels.tolist())
