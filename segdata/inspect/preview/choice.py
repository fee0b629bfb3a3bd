"""Choose the samples of a preview."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
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
        not_found: ids of the classes to cover that no sample shows; None if classes were not to be covered.
        not_shown: ids of the classes to cover that only other samples show.
    """

    rows: tuple[int, ...]
    found: int
    unreadable: tuple[Fault, ...]
    not_found: frozenset[int] | None = None
    not_shown: frozenset[int] = frozenset()


def choose(
    dataset: Dataset,
    *,
    count: int,
    seed: int,
    classes: frozenset[int],
    cover: bool,
    workers: int,
    progress: Progress,
) -> PreviewChoice:
    """Choose up to `count` samples by the seeded order of their names; with `classes`, each shows at least one of them.

    With `cover`, few samples that together show every class come first: of `classes`, or of the data set. Labels are
    then read in this order, until all classes have been seen.

    Only names and labels decide, so a list and the record set made from it give the same samples.
    """
    names = [name for name, _ in dataset.files()]
    order = seeded_order(names, seed)
    if not classes and not cover:
        return PreviewChoice(tuple(order[:count]), len(names), ())
    unreadable: list[Fault] = []
    wanted = classes or frozenset(dataset.labels)
    shown = dict[int, frozenset[int]]()
    missing = set(wanted)
    # If every label is read anyway, in the order in which they are stored.
    read = range(len(names)) if classes else order
    for row, found in _classes_shown(dataset, read, unreadable, workers=workers, progress=progress):
        shown[row] = found & wanted
        missing -= found
        if not classes and not missing:
            break
    rows = [row for row in order if shown.get(row)] if classes else order
    if not cover:
        return PreviewChoice(tuple(rows[:count]), len(rows), tuple(unreadable))
    first = _cover({row: shown[row] for row in order if row in shown}, count)
    rest = set(rows).difference(first)
    chosen = tuple([*first, *(row for row in rows if row in rest)][:count])
    seen = frozenset[int]().union(*(shown.get(row, frozenset()) for row in chosen))
    # Classes that are only numbered are all that a label can have: none of them is missed.
    not_found = frozenset[int]() if dataset.numbered else frozenset(missing)
    return PreviewChoice(chosen, len(rows), tuple(unreadable), not_found, wanted - missing - seen)


def _cover(shown: Mapping[int, frozenset[int]], count: int) -> list[int]:
    """Choose up to `count` samples, each the one that adds most classes to those before; of equals, the first."""
    rows = dict[frozenset[int], int]()
    for row, classes in shown.items():
        rows.setdefault(classes, row)
    left = set[int]().union(*rows)
    chosen: list[int] = []
    while left and len(chosen) < count:
        best = max(rows, key=lambda classes: len(classes & left))
        chosen.append(rows[best])
        left -= best
    return chosen


def _classes_shown(
    dataset: Dataset, rows: Sequence[int], unreadable: list[Fault], *, workers: int, progress: Progress
) -> Iterator[tuple[int, frozenset[int]]]:
    """Yield index and classes of the samples `rows` that can be read; append the faults of the others."""
    return map_faults(
        partial(_classes_of, _label_classes if dataset.classes else _object_classes),
        zip(rows, dataset.samples(rows), strict=True),
        unreadable,
        name=_name,
        total=len(rows),
        label="classes",
        progress=progress,
        workers=workers,
        chunk=8,
    )


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
            assumed = "".join(f". Not given: {fact}" for fact in dataset.unknown)
            known = suggest(name, dataset.labels.values())
            raise InvalidInputError(f"{dataset.path}: has no class {name!r}; {known}{assumed}")
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
