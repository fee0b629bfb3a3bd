"""Merge list files into one."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path, PurePosixPath

from segdata.errors import Fault, FaultsError, InvalidInputError, collecting
from segdata.files.ownership import check_inputs_outside
from segdata.files.paths import normal, real, resolve
from segdata.labels.classes import CLASS_NAMES, read_class_names
from segdata.lists import Pair, format_list, read_list, write_list
from segdata.lists.publish import check_target_lists
from segdata.text import plural


@dataclass(frozen=True)
class ListMergeReport:
    """Report about a merged list.

    Attributes:
        path: path of the list.
        root: folder that its paths are relative to; `--data_root` of later commands.
        parts: number of samples by list.
        samples: number of samples.
        repeated: number of samples that an earlier list had.
        written: false after a dry run.
    """

    path: str
    root: str
    parts: dict[str, int]
    samples: int
    repeated: int
    written: bool


def merge_lists(
    lists: Sequence[Path],
    dst_path: Path,
    *,
    data_roots: Sequence[Path],
    class_names: Sequence[Sequence[str]] = (),
    overwrite: bool = False,
    dry_run: bool = False,
) -> ListMergeReport:
    """Write the samples of all lists, in their order, with paths relative to the nearest folder above all data roots.

    A sample that an earlier list has is left out. Labels are not rewritten: their values must mean the same classes.

    Args:
        lists: list files.
        dst_path: list file to write.
        data_roots: folder that the paths of each list are relative to.
        class_names: names of the classes of each list, to compare; by default, those in the ``classes.txt`` beside
            the lists that have one.
        overwrite: replace an existing list.
        dry_run: check everything, write nothing.

    Raises:
        FaultsError: when an image has two labels, or a path leaves its data root.
        InvalidInputError: when a list cannot be read, or the classes differ.
        TargetExistsError: when `dst_path` exists.
    """
    check_inputs_outside(dst_path, *lists)
    check_target_lists([dst_path], overwrite=overwrite)
    if class_names:
        _check_same_classes(lists, class_names)
    else:
        _check_same_classes(*_classes_beside(lists))
    # A folder that is named twice, once through a link, has each image once.
    named: dict[Path, Path] = {}
    roots = [named.setdefault(real(root), normal(root)) for root in data_roots]
    common = Path(os.path.commonpath(roots))
    found: dict[str, tuple[Pair, Path]] = {}
    faults: list[Fault] = []
    parts: dict[str, int] = {}
    for path, root in zip(lists, roots, strict=True):
        pairs = read_list(path)
        parts[str(path)] = len(pairs)
        for pair in pairs:
            with collecting(faults, str(path)):
                moved = Pair(_below(common, root, pair.image), _below(common, root, pair.label))
                first, owner = found.setdefault(moved.image, (moved, path))
                if first != moved:
                    labels = f"has the label {first.label} in {owner} and {moved.label} in {path}"
                    faults.append(Fault("label_conflict", moved.image, f"{labels}; expected one"))
    if faults:
        raise FaultsError(f"{plural(len(faults), 'conflict')}; nothing was written. Correct the lists", faults)
    merged = [pair for pair, _ in found.values()]
    if dry_run:
        format_list(merged)
    else:
        write_list(dst_path, merged, overwrite=overwrite)
    return ListMergeReport(
        path=str(dst_path),
        root=str(common),
        parts=parts,
        samples=len(merged),
        repeated=sum(parts.values()) - len(merged),
        written=not dry_run,
    )


def _classes_beside(lists: Sequence[Path]) -> tuple[list[Path], list[tuple[str, ...]]]:
    """Return the lists with a ``classes.txt`` beside them, as segdata writes it, and the names in it."""
    found: dict[Path, tuple[str, ...]] = {}
    for path in lists:
        file = path.with_name(CLASS_NAMES)
        with suppress(InvalidInputError):
            if file.is_file():
                found[path] = read_class_names(file)
    return [*found], [*found.values()]


def _check_same_classes(lists: Sequence[Path], class_names: Sequence[Sequence[str]]) -> None:
    for path, names in zip(lists, class_names, strict=False):
        for id_, (first, name) in enumerate(zip_longest(class_names[0], names)):
            if first != name:
                raise InvalidInputError(
                    f"{path}: class {id_} is {_quoted(name)}, but {_quoted(first)} in {lists[0]}; expected the same "
                    "classes in the same order, because labels are not rewritten. Map the masks of one list to the "
                    f"classes of the other with segdata mask-map, or correct --class_names ({CLASS_NAMES} beside a "
                    "list by default)."
                )


def _quoted(name: str | None) -> str:
    return "missing" if name is None else repr(name)


def _below(common: Path, root: Path, name: str) -> str:
    """Return a path of a list relative to `common`, a folder above its data root."""
    resolve(root, name)
    return PurePosixPath(root.relative_to(common).as_posix(), name).as_posix()
