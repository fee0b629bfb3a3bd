"""Split a list into training and validation; a sample keeps its side when other samples are added or removed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from segdata.encoded import File
from segdata.errors import Fault, FaultsError, InvalidInputError
from segdata.labels.colormap import IGNORE
from segdata.labels.masks import count_values, decode_index_png
from segdata.lists import Pair, format_list, read_list
from segdata.lists.publish import check_target_lists, write_lists
from segdata.parallel import Progress, default_workers, map_faults, silent
from segdata.seeded import seeded_digest, seeded_order

TRAIN, VAL = "train", "val"


@dataclass(frozen=True)
class ClassShare:
    """The number of images in the full list that contain a class, and their share of each side, 0 to 1."""

    id: int
    images: int
    train: float
    val: float


@dataclass(frozen=True)
class SplitReport:
    """Report of `split_list` about its two lists.

    Attributes:
        lists: path of the list of each side; the sides are ``"train"`` and ``"val"``.
        samples: number of samples on each side.
        groups: number of groups on each side; without a group expression, every sample is a group.
        classes: shares of each class, by id; empty unless the split is stratified.
        written: false after a dry run.
    """

    lists: dict[str, str]
    samples: dict[str, int]
    groups: dict[str, int]
    classes: tuple[ClassShare, ...]
    written: bool


def split_list(
    data_lst: Path,
    *,
    ratio: float,
    seed: int = 0,
    stratify: bool = False,
    group: str | None = None,
    data_root: Path | None = None,
    dst_path: Path | None = None,
    workers: int | None = None,
    overwrite: bool = False,
    dry_run: bool = False,
    progress: Progress = silent,
) -> SplitReport:
    """Write ``NAME_train.txt`` and ``NAME_val.txt``, each in the order of the list, without dividing any group.

    A group goes to train when the SHA-256 of ``seed NUL group``, read as a number from 0 to 1, is below `ratio`. Its
    side therefore depends on nothing else in the list. For a stratified split, the groups with the same rarest class
    form a stratum, and the first ``round(ratio * n)`` of each stratum by that number go to train. When samples are
    added, groups next to the boundary of their stratum may change sides, and so may groups whose rarest class changes.

    Args:
        data_lst: list file. NAME is its stem, without ``_lst`` or ``_list`` at the end.
        ratio: share of the groups for training, between 0 and 1.
        seed: seed of the draw.
        stratify: keep the class shares of both sides even, according to the labels: index PNGs, where 255 is not a
            class. The rarity of a class is the number of images in the list that contain it.
        group: regular expression to search for in the image path. The group is the match of its first parenthesis,
            or the full match without one. By default, every image is its own group.
        data_root: folder that the paths in the list are relative to, for a stratified split; the list's folder by
            default.
        dst_path: folder to write to; the list's folder by default.
        workers: threads that read labels; one per processor by default.
        overwrite: replace existing lists.
        dry_run: check everything, write nothing.
        progress: reports progress.

    Raises:
        FaultsError: with every image path in which the expression finds no group, or every label that cannot be
            read.
        InvalidInputError: when the list cannot be read, a side is empty, or the ratio or the expression is invalid.
        TargetExistsError: when one of the lists exists; neither is written then.
    """
    if not 0 < ratio < 1:
        raise InvalidInputError(f"ratio {ratio}: expected a share for training between 0 and 1, exclusive")
    name = re.sub("_(lst|list)$", "", data_lst.stem)
    folder = dst_path or data_lst.parent
    lists = {side: folder / f"{name}_{side}.txt" for side in (TRAIN, VAL)}
    check_target_lists(lists.values(), overwrite=overwrite)
    pairs = read_list(data_lst)
    groups = _groups(pairs, group)
    classes: list[frozenset[int]] = []
    if stratify:
        classes = _read_classes(data_root or data_lst.parent, pairs, workers or default_workers(), progress)
        train = stratified_groups(groups, classes, ratio=ratio, seed=seed)
    else:
        train = {key for key in groups if _draw(key, seed) < ratio}
    sides = [TRAIN if key in train else VAL for key in groups]
    _check_sides(data_lst, sides, stratify=stratify)
    texts = {side: _text(pairs, sides, side) for side in lists}
    if not dry_run:
        write_lists(folder, {path.name: texts[side] for side, path in lists.items()}, overwrite=overwrite)
    return SplitReport(
        lists={side: str(path) for side, path in lists.items()},
        samples={side: sides.count(side) for side in lists},
        groups={TRAIN: len(train), VAL: len(set(groups)) - len(train)},
        classes=_class_shares(sides, classes),
        written=not dry_run,
    )


def _groups(pairs: Sequence[Pair], expression: str | None) -> list[str]:
    """Return the group of each sample."""
    if expression is None:
        return [pair.image for pair in pairs]
    try:
        pattern = re.compile(expression)
    except (re.error, OverflowError, RecursionError) as error:
        raise InvalidInputError(f"{expression!r}: is not a valid regular expression: {error}") from error
    matches = [pattern.search(pair.image) for pair in pairs]
    keys = [match[min(pattern.groups, 1)] if match else None for match in matches]
    groups = [key for key in keys if key is not None]
    if len(groups) < len(pairs):
        unmatched = [pair.image for pair, key in zip(pairs, keys, strict=True) if key is None]
        raise FaultsError(f"{expression!r}: finds no group in {len(unmatched)} of {len(pairs)} image paths", unmatched)
    return groups


def _draw(key: str, seed: int) -> float:
    """Return a number from 0 to 1 that depends only on key and seed."""
    return int.from_bytes(seeded_digest(key, seed)[:8], "big") / 2**64


def stratified_groups(groups: Sequence[str], classes: Sequence[frozenset[int]], *, ratio: float, seed: int) -> set[str]:
    """Return the groups for training, given the group and the classes of each image; see `split_list`."""
    images = Counter(id_ for found in classes for id_ in found)
    classes_of: dict[str, set[int]] = {}
    for key, found in zip(groups, classes, strict=True):
        classes_of.setdefault(key, set()).update(found)
    strata: dict[int | None, list[str]] = {}
    for key, present in classes_of.items():
        rarest = min(present, key=lambda id_: (images[id_], id_), default=None)
        strata.setdefault(rarest, []).append(key)
    return {keys[index] for keys in strata.values() for index in seeded_order(keys, seed)[: round(ratio * len(keys))]}


def _read_classes(root: Path, pairs: Sequence[Pair], workers: int, progress: Progress) -> list[frozenset[int]]:
    """Return the classes in the label of each sample."""
    faults: list[Fault] = []
    labels = [pair.label for pair in pairs]
    found = map_faults(
        partial(_classes_of, root),
        labels,
        faults,
        name=str,
        total=len(pairs),
        label="labels",
        progress=progress,
        workers=workers,
        chunk=32,
    )
    classes = list(found)
    if faults:
        raise FaultsError(f"{root}: {len(faults)} of {len(pairs)} labels cannot be read", faults)
    return classes


def _classes_of(root: Path, label: str) -> frozenset[int]:
    """Return the classes in a label."""
    counts = count_values(decode_index_png(File(root, label, "missing_label").read()))
    return frozenset(np.flatnonzero(counts).tolist()) - {IGNORE}


def _check_sides(data_lst: Path, sides: Sequence[str], *, stratify: bool) -> None:
    for side in (TRAIN, VAL):
        if side not in sides:
            cure = "another ratio" if stratify else "another seed, another ratio or a stratified split"
            raise InvalidInputError(
                f"{data_lst}: the {side} side is empty ({len(sides)} sample{'s' * (len(sides) != 1)} in total); "
                f"expected at least 1 sample on each side. Choose {cure}, or add samples."
            )


def _text(pairs: Sequence[Pair], sides: Sequence[str], side: str) -> bytes:
    return format_list([pair for pair, found in zip(pairs, sides, strict=True) if found == side]).encode()


def _class_shares(sides: Sequence[str], classes: Sequence[frozenset[int]]) -> tuple[ClassShare, ...]:
    samples = Counter(sides)
    images = Counter((id_, side) for side, found in zip(sides, classes, strict=False) for id_ in found)
    return tuple(
        ClassShare(
            id=id_,
            images=images[id_, TRAIN] + images[id_, VAL],
            train=images[id_, TRAIN] / samples[TRAIN],
            val=images[id_, VAL] / samples[VAL],
        )
        for id_ in sorted({id_ for id_, _ in images})
    )
