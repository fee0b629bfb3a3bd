"""Split a list into training, validation and perhaps test; a sample keeps its split when others come or go."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from segdata.arguments import FilePath, local_path
from segdata.encoded import File
from segdata.errors import Fault, FaultsError
from segdata.labels.colormap import IGNORE
from segdata.labels.masks import count_index_png
from segdata.lists import Pair, format_list, read_list
from segdata.lists.draw import Draw, check_test_side, side_files, side_shares
from segdata.lists.groups import group_keys
from segdata.lists.publish import check_target_lists, write_together
from segdata.lists.split_report import SplitReport, split_report
from segdata.parallel import Progress, chosen_workers, map_faults, silent


def split_list(
    data_lst: FilePath,
    *,
    ratio: float | Sequence[float],
    seed: int = 0,
    exact: bool = False,
    stratify: bool = False,
    group: str | None = None,
    data_root: FilePath | None = None,
    dst_path: FilePath | None = None,
    workers: int | None = None,
    overwrite: bool = False,
    dry_run: bool = False,
    progress: Progress = silent,
) -> SplitReport:
    """Write ``NAME_train.txt``, ``NAME_val.txt`` and perhaps ``NAME_test.txt``, each in the order of the list.

    A group goes to train when the SHA-256 of ``seed NUL group``, read as a number from 0 to 1, is below the first
    share, to val when it is below the sum of the first two, and so on. Its split therefore depends on nothing else in
    the list. If the stem ends with names of earlier splits, such as ``_train``, each is put before the group, with a
    NUL, so that the draw does not repeat the earlier one.

    For a stratified split, the groups with the same rarest class form a stratum, and the first ``round(share * n)`` of
    each stratum in the order of ``seed NUL group``'s SHA-256 go to train. When samples are added, groups next to the
    boundary of their stratum may change splits, and so may groups whose rarest class changes. For an exact split, the
    groups are dealt out in this order, each to the split furthest behind its share; added samples may move any other.

    Args:
        data_lst: list file. NAME is its stem, without ``_lst`` or ``_list`` at the end.
        ratio: share for training, between 0 and 1; or the shares of train and val, or of train, val and test, which
            sum to 1.
        seed: seed of the draw.
        exact: give each split its share of the images to within rounding (largest remainder), stratified or not. Groups
            are not divided for it: the counts are then as near as moving single groups brings them.
        stratify: keep the class shares of all splits even, according to the labels: index PNGs, where 255 is not a
            class. The rarity of a class is the number of images in the list that contain it.
        group: regular expression to search for in the image path. The group is the match of its first parenthesis,
            or the full match without one. By default, every image is its own group.
        data_root: folder that the paths in the list are relative to, for a stratified split; the list's folder by
            default.
        dst_path: folder to write to; the list's folder by default.
        workers: threads that read labels; one per CPU core by default.
        overwrite: replace existing lists.
        dry_run: check everything, write nothing.
        progress: reports progress.

    Raises:
        FaultsError: with every image path in which the expression finds no group, or every label that cannot be
            read.
        InvalidInputError: when the list cannot be read, a split is empty or of improbable size because the list was
            drawn with this seed before, or the ratio or the expression is invalid.
        TargetExistsError: when one of the lists exists, or the test list of an earlier split would share images with
            them; none is written then.
    """
    data_lst, data_root, dst_path = local_path(data_lst), local_path(data_root), local_path(dst_path)
    workers = chosen_workers(workers)
    shares = side_shares(ratio)
    files = side_files(data_lst, dst_path, shares, ".txt")
    check_target_lists(files.values(), overwrite=overwrite)
    pairs = read_list(data_lst)
    images = [pair.image for pair in pairs]
    check_test_side(files, images, _images)
    groups = group_keys(images, group)
    classes = None
    if stratify:
        classes = _read_classes(data_root or data_lst.parent, pairs, workers, progress)
    sides = Draw(shares, seed, exact).sides(data_lst, groups, classes)
    texts = {path.name: _text(pairs, sides, side) for side, path in files.items()}
    if not dry_run:
        write_together(dst_path or data_lst.parent, texts, overwrite=overwrite)
    return split_report(files, shares, sides, groups, classes, written=not dry_run)


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
    _, counts = count_index_png(File(root, label, "missing_label").read())
    return frozenset(np.flatnonzero(counts).tolist()) - {IGNORE}


def _images(path: Path) -> list[str]:
    return [pair.image for pair in read_list(path, faults=[])]


def _text(pairs: Sequence[Pair], sides: Sequence[str], side: str) -> bytes:
    return format_list([pair for pair, found in zip(pairs, sides, strict=True) if found == side]).encode()
