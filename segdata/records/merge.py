"""Merge record sets of one task into one; it is written as `to_mindrecord` writes a list or a JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from segdata.errors import FaultsError, InvalidInputError
from segdata.files.ownership import check_inputs_outside
from segdata.files.paths import real
from segdata.labels.mask_mapping import Unknown
from segdata.parallel import Progress, silent
from segdata.records.convert import to_mindrecord
from segdata.records.convert_report import ConvertReport
from segdata.records.fetch import find_set, local_set
from segdata.records.foreign import is_foreign
from segdata.records.merged import MergedSets
from segdata.records.reader import open_set
from segdata.store.url import Location, Url, parse_location
from segdata.text import check_unique


@dataclass(frozen=True, kw_only=True)
class SetMergeReport(ConvertReport):
    """Report about a merged record set: that of its conversion, and what the merging did.

    Attributes:
        parts: number of rows by set.
        repeated: number of rows that an earlier set has.
        labels_changed: number of rows whose labels are encoded again, or renumbered, because ids of classes change.
        image_ids_changed: number of rows with a new image id.
        left_out: number of pixels (ignored now) or instances (left out) of other classes, by class.
    """

    parts: dict[str, int]
    repeated: int
    labels_changed: int
    image_ids_changed: int
    left_out: dict[str, int]


def merge_sets(
    sets: Sequence[Location],
    dst_path: Location,
    *,
    class_names: Sequence[str] | None = None,
    unknown: Unknown = "error",
    prefix: bool = False,
    work_dir: Path | None = None,
    progress: Progress = silent,
    **options: Any,
) -> SetMergeReport:
    """Write the rows of all sets as one set; images, and labels whose ids do not change, keep their bytes.

    Args:
        sets: record sets of one task.
        dst_path: see `to_mindrecord`, also for `work_dir`, `progress` and `options`.
        class_names: the classes of the result; by default those of all sets.
        unknown: ``ignore`` makes pixels of other classes ignored, and leaves out instances of other classes.
        prefix: put the name of each set's directory before its file names.
        work_dir: directory for copies of sets in a store.
        progress: reports progress.
        options: of `to_mindrecord`.

    Raises:
        FaultsError: for sets that do not fit together, and for rows that conflict or are damaged.
        InvalidInputError: when a set cannot be opened.
    """
    _check_ours(sets)
    places = [find_set(each)[0] for each in sets]
    _check_not_target(places, parse_location(dst_path))
    prefixes = _prefixes(places) if prefix else [""] * len(sets)
    opened = {str(each): open_set(local_set(each, work_dir=work_dir, progress=progress)) for each in sets}
    merged = MergedSets(opened, class_names, unknown, prefixes)
    converted = to_mindrecord(merged, dst_path, work_dir=work_dir, progress=progress, **options)
    return SetMergeReport(
        **{field.name: getattr(converted, field.name) for field in fields(converted)},
        parts={where: len(records) for where, records in opened.items()},
        repeated=merged.repeated,
        labels_changed=merged.labels_changed,
        image_ids_changed=sum(len(part.image_ids) for part in merged.parts),
        left_out=merged.left_out,
    )


def _check_ours(sets: Sequence[Location]) -> None:
    """Check that each set on disk has a manifest.

    Raises:
        FaultsError: naming those of other programs.
    """
    foreign = [str(each) for each in map(parse_location, sets) if isinstance(each, Path) and is_foreign(each)]
    if foreign:
        raise FaultsError("Sets without a manifest. Write one with segdata adopt first", foreign)


def _check_not_target(places: Sequence[Path | Url], target: Path | Url) -> None:
    """Refuse to replace one of the sets.

    Raises:
        InvalidInputError: when the target is, or contains, one of them.
    """
    if isinstance(target, Path):
        check_inputs_outside(target, *(place for place in places if isinstance(place, Path)))
    elif target in places:
        raise InvalidInputError(f"{target}: is one of the sets to merge and would be replaced. Choose another target.")


def _prefixes(places: Sequence[Path | Url]) -> list[str]:
    """Return the name of the directory of each set, with a slash.

    Raises:
        FaultsError: when several have one name.
    """
    names = [real(place).name if isinstance(place, Path) else place.name for place in places]
    check_unique(
        names,
        "Sets in directories of the same name; expected different names, because --prefix puts them before the "
        "file names. Rename a directory",
    )
    return [f"{name}/" for name in names]
