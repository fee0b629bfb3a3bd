"""A list into a training and a validation list, so that a sample stays on its side when others come or go."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from segdata.errors import FaultsError, InvalidInputError
from segdata.files import check_target_file, resolve, write_file
from segdata.labels.colormap import IGNORE
from segdata.labels.masks import count_values, decode_index_png
from segdata.lists import Pair, format_list, read_list
from segdata.parallel import Progress, default_workers, ordered_map, silent
from segdata.seeded import seeded_digest, seeded_order

TRAIN, VAL = "train", "val"


@dataclass(frozen=True)
class ClassShare:
    """How many images of the whole list have a class, and which share of the images of each side, 0 to 1."""

    id: int
    images: int
    train: float
    val: float


@dataclass(frozen=True)
class SplitReport:
    """The two lists of `split_list`.

    Attributes:
        lists: path of each side's list; the sides are ``"train"`` and ``"val"``.
        samples: how many samples each side has.
        groups: how many groups these make up; without a group expression every sample is one.
        classes: where each class went, by id; empty unless the split is stratified.
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
    """Write ``NAME_train.txt`` and ``NAME_val.txt``, each in the order of the list; a group is never divided.

    A group goes to train when the SHA-256 of ``seed NUL group``, taken for a number from 0 to 1, is below `ratio`.
    Its side therefore depends on nothing else in the list. A stratified split takes, of the groups whose rarest class
    is the same, the first ``round(ratio * n)`` by that number; when samples are added, groups next to the boundary
    of their stratum may then change sides, and those for which another class has become the rarest.

    Args:
        data_lst: a list file. NAME is its stem, without ``_lst`` or ``_list`` at the end.
        ratio: share of the groups that is to train, between 0 and 1.
        seed: of the draw.
        stratify: keep the shares of classes even, by the labels: index PNGs, 255 is no class. How rare a class is
            is counted in images of the list.
        group: regular expression that is searched in the image path. What its first parenthesis matches, or all of
            it where it has none, is the group. By default every image is a group of its own.
        data_root: what the list's paths are relative to, for a stratified split; the list's folder by default.
        dst_path: folder to write to; the list's by default.
        workers: threads that read labels; all processors by default.
        overwrite: replace lists that stand there.
        dry_run: check everything, write nothing.
        progress: shows how far it is.

    Raises:
        FaultsError: naming every image path that the group expression does not match, or every label that cannot be
            read.
        InvalidInputError: when the list cannot be read, a side is left empty, or the ratio or the expression is none.
        TargetExistsError: when one of the lists exists; then neither is written.
    """
    if not 0 < ratio < 1:
        raise InvalidInputError(f"a ratio of {ratio}; expected a share for training between 0 and 1, without these two")
    name = re.sub("_(lst|list)$", "", data_lst.stem)
    lists = {side: (dst_path or data_lst.parent) / f"{name}_{side}.txt" for side in (TRAIN, VAL)}
    for path in lists.values():
        check_target_file(path, overwrite=overwrite)
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
        for side, path in lists.items():
            write_file(path, texts[side], overwrite=overwrite)
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
        raise InvalidInputError(f"{expression!r} is no regular expression: {error}") from error
    matches = [pattern.search(pair.image) for pair in pairs]
    keys = [match[min(pattern.groups, 1)] if match else None for match in matches]
    groups = [key for key in keys if key is not None]
    if len(groups) < len(pairs):
        unmatched = [pair.image for pair, key in zip(pairs, keys, strict=True) if key is None]
        raise FaultsError(f"{expression!r} finds no group in {len(unmatched)} of {len(pairs)} image paths", unmatched)
    return groups


def _draw(key: str, seed: int) -> float:
    """Return a number from 0 to 1 that depends on key and seed alone."""
    return int.from_bytes(seeded_digest(key, seed)[:8], "big") / 2**64


def stratified_groups(groups: Sequence[str], classes: Sequence[frozenset[int]], *, ratio: float, seed: int) -> set[str]:
    """Return the groups that go to train, given the group and the classes of each image; see `split_list`."""
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
    """Return the classes of each sample's label."""
    read = partial(_classes_of, root)
    results = []
    with progress(total=len(pairs), label="labels") as advance:
        for result in ordered_map(read, [pair.label for pair in pairs], workers=workers, chunk=32):
            results.append(result)
            advance(1)
    faults = [result for result in results if isinstance(result, str)]
    if faults:
        raise FaultsError(f"{len(faults)} of {len(pairs)} labels below {root} cannot be read", faults)
    return [result for result in results if not isinstance(result, str)]


def _classes_of(root: Path, label: str) -> frozenset[int] | str:
    """Return the classes of a label, or what is wrong with it."""
    try:
        counts = count_values(decode_index_png(resolve(root, label).read_bytes()))
    except InvalidInputError as error:
        return f"{label}: {error}"
    except OSError as error:
        return f"{label}: cannot be read: {error.strerror}"
    return frozenset(np.flatnonzero(counts).tolist()) - {IGNORE}


def _check_sides(data_lst: Path, sides: Sequence[str], *, stratify: bool) -> None:
    for side in (TRAIN, VAL):
        if side not in sides:
            cure = "another ratio" if stratify else "another seed, another ratio or a stratified split"
            raise InvalidInputError(
                f"{data_lst}: none of its {len(sides)} samples comes to the {side} side; choose {cure}, or add samples"
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
