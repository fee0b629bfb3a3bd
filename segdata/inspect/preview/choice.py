"""Choose the samples of a preview."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from segdata.coco.annotations import Entry
from segdata.dataset import Dataset, sample_names
from segdata.errors import InvalidInputError, suggest
from segdata.inspect.preview.pictures import Unreadable, label_name
from segdata.labels.masks import count_values
from segdata.parallel import Progress, ordered_map
from segdata.records.instance import Instances
from segdata.samples import Sample, read_label
from segdata.seeded import seeded_order


@dataclass(frozen=True)
class PreviewChoice:
    """Samples chosen for a preview.

    Attributes:
        rows: indices of the samples in the data set, in display order.
        found: number of samples to choose from: all, or those of the wanted classes.
        unreadable: samples whose classes cannot be read.
    """

    rows: tuple[int, ...]
    found: int
    unreadable: tuple[Unreadable, ...]


def choose(
    dataset: Dataset, *, count: int, seed: int, classes: frozenset[int], workers: int, progress: Progress
) -> PreviewChoice:
    """Choose up to `count` samples by the seeded order of their names; with `classes`, each shows at least one of them.

    Only the names decide, so a list and the record set made from it give the same samples.
    """
    unreadable: list[Unreadable] = []
    names = sample_names(dataset)
    rows = list(range(len(names)))
    if classes:
        shown = _shown_classes(dataset, workers, progress)
        unreadable = [found for found in shown if isinstance(found, Unreadable)]
        rows = [row for row, found in enumerate(shown) if isinstance(found, frozenset) and found & classes]
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


def _shown_classes(dataset: Dataset, workers: int, progress: Progress) -> list[frozenset[int] | Unreadable]:
    found = []
    with progress(total=len(dataset), label="classes") as advance:
        for one in ordered_map(_classes_of, dataset.samples(), workers=workers, chunk=8):
            found.append(one)
            advance(1)
    return found


def _classes_of(sample: Sample) -> frozenset[int] | Unreadable:
    if isinstance(sample.label, Instances | Entry):
        return frozenset(sample.label.labels.tolist())
    try:
        return frozenset(np.flatnonzero(count_values(read_label(sample))).tolist())
    except InvalidInputError as error:
        return Unreadable(sample.name, f"{label_name(sample)}: {error}")
