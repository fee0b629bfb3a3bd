"""Merge data sets of one type: lists into a list, COCO JSONs into a JSON, record sets into a set."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from segdata.arguments import FilePath, check_choice, check_several, local_path, local_paths
from segdata.cluster import Workers
from segdata.errors import FaultsError, InvalidInputError, OptionError
from segdata.labels.mask_mapping import Unknown
from segdata.lists.merge import ListMergeReport, merge_lists
from segdata.opening import dataset_kind
from segdata.parallel import Progress, chosen_workers, silent
from segdata.records.merge import SetMergeReport, merge_sets
from segdata.records.plan import NUM_SHARDS
from segdata.samples import DatasetKind
from segdata.sources.coco.merge import CocoMergeReport, merge_jsons
from segdata.store.url import Location, Url, parse_location
from segdata.text import check_unique, option_names, plural

_T = TypeVar("_T")

_WHAT: dict[DatasetKind, str] = {"list": "list", "coco": "COCO JSON", "records": "record set"}


def merge(
    parts: Sequence[Location],
    dst_path: Location,
    *,
    data_root: FilePath | Sequence[FilePath] = (),
    images: FilePath | Sequence[FilePath] = (),
    class_names: Sequence[Sequence[str]] = (),
    unknown: Unknown = "error",
    prefix: bool = False,
    num_shards: int = NUM_SHARDS,
    shuffle: bool = True,
    seed: int = 0,
    workers: Workers | None = None,
    overwrite: bool = False,
    resume: bool = False,
    dry_run: bool = False,
    work_dir: FilePath | None = None,
    progress: Progress = silent,
) -> ListMergeReport | CocoMergeReport | SetMergeReport:
    """Merge lists into a list, COCO JSONs into a JSON, or record sets into a record set.

    The classes of JSONs and sets are united by name; their ids are those of the first part that has them. Samples that
    several parts have appear once. One part alone is accepted: it is written with other classes or shards.

    Args:
        parts: data sets of one type, and record sets of one task. Sets may be URLs.
        dst_path: list, JSON or set to write; a set may be a URL.
        data_root: for lists: folder that their paths are relative to, one for all or one for each; by default the
            folder of each list.
        images: for JSONs: folder of their images, one for all or one for each; by default as `open_dataset` finds it.
        class_names: for JSONs and sets: the classes of the result. For lists, whose labels are not rewritten: the
            classes of each list, to compare.
        unknown: for JSONs and sets with `class_names`: whether objects and pixels of other classes are refused, or left
            out and counted. Such pixels become ignored.
        prefix: for sets: put the name of each set's directory before its file names.
        num_shards: for sets, as the following: see `to_mindrecord`.
        shuffle: shuffle the rows by `seed`, or keep their order.
        seed: seed of that order.
        workers: see `to_mindrecord`.
        overwrite: replace an existing list, JSON or set.
        resume: keep the shards that an interrupted run of the same merge finished.
        dry_run: check everything, write nothing.
        work_dir: directory for local copies of sets in a store.
        progress: reports progress.

    Raises:
        FaultsError: for conflicts: an image with two labels or sizes, rows of one name that differ, two classes of one
            name in a part, classes that are refused, and parts of several types; names each.
        InvalidInputError: when a part cannot be read.
        OptionError: when the parts do not take a given option.
        TargetExistsError: when `dst_path` exists.

    Example:
        >>> merge([Path("train_a_lst.txt"), Path("train_b_lst.txt")], Path("train_lst.txt")).samples
        2000
    """
    check_choice("unknown", unknown, Unknown)
    work_dir = local_path(work_dir)
    workers = chosen_workers(workers)
    data_root, images = local_paths(data_root), local_paths(images)
    check_several("parts", parts)
    for names in class_names:
        check_several("class_names", names)
    places = [parse_location(part) for part in parts]
    target = parse_location(dst_path)
    kind = _common_kind(places)
    sets_only = {
        "prefix": prefix,
        "num_shards": num_shards != NUM_SHARDS,
        "no_shuffle": not shuffle,
        "seed": seed != 0,
        "resume": resume,
    }
    _check_options(
        kind,
        list={"data_root": data_root},
        coco={"images": images, "unknown": unknown != "error"},
        records={"unknown": unknown != "error", **sets_only},
    )
    if kind == "records":
        return merge_sets(
            places,
            target,
            class_names=_only(class_names),
            unknown=unknown,
            prefix=prefix,
            num_shards=num_shards,
            shuffle=shuffle,
            seed=seed,
            workers=workers,
            overwrite=overwrite,
            resume=resume,
            dry_run=dry_run,
            work_dir=work_dir,
            progress=progress,
        )
    paths = [place for place in places if isinstance(place, Path)]
    if isinstance(target, Url) or dataset_kind(target) != kind:
        suffix = "a name that ends in .json" if kind == "coco" else "a path such as merged_lst.txt"
        raise InvalidInputError(f"{target}: does not fit the parts, which are {_WHAT[kind]}s; expected {suffix}")
    writing: dict[str, Any] = {"overwrite": overwrite, "dry_run": dry_run}
    if kind == "coco":
        folders = _for_each(images, paths, "image folder")
        return merge_jsons(paths, target, images=folders, class_names=_only(class_names), unknown=unknown, **writing)
    roots = _for_each(data_root, paths, "data root") or [path.parent for path in paths]
    if len(class_names) not in (0, len(paths)):
        raise OptionError(
            f"--class_names: {plural(len(class_names), 'file')} for {plural(len(paths), 'list')}; expected one for "
            "each, to compare the classes. Labels of lists are not rewritten."
        )
    return merge_lists(paths, target, data_roots=roots, class_names=class_names, **writing)


def _common_kind(places: Sequence[Path | Url]) -> DatasetKind:
    """Return the type of all parts.

    Raises:
        InvalidInputError: when there are no parts.
        FaultsError: when there are several types, or a part is named twice.
    """
    if not places:
        raise InvalidInputError("nothing to merge; expected lists, COCO JSONs or record sets")
    check_unique(map(str, places), "Parts that are named several times; expected each once")
    kinds = {str(place): "records" if isinstance(place, Url) else dataset_kind(place) for place in places}
    if len(set(kinds.values())) > 1:
        raise FaultsError(
            "Parts of several types; expected only lists, only COCO JSONs or only record sets. Convert some first: "
            "segdata to-mindrecord writes a set, segdata unpack takes one apart, segdata coco-to-masks makes a list of "
            "a JSON",
            [f"{name}: {_WHAT[kind]}" for name, kind in kinds.items()],
        )
    return next(iter(kinds.values()))


def _check_options(kind: DatasetKind, **options: dict[str, object]) -> None:
    """Refuse options that are given and belong only to other types of data set."""
    given = dict.fromkeys(name for group in options.values() for name, value in group.items() if value)
    if useless := [name for name in given if name not in options[kind]]:
        raise OptionError(f"a merge of {_WHAT[kind]}s does not take {option_names(useless)}")


def _only(class_names: Sequence[Sequence[str]]) -> Sequence[str] | None:
    if len(class_names) > 1:
        raise OptionError(f"--class_names: {len(class_names)} files; expected one, with the classes of the result")
    return class_names[0] if class_names else None


def _for_each(given: Sequence[_T], parts: Sequence[Path], what: str) -> list[_T]:
    """Return one item for each part; an empty list if none is given."""
    if len(given) not in (0, 1, len(parts)):
        raise OptionError(
            f"{plural(len(given), what)} for {plural(len(parts), 'part')}; expected one for all or one for each, in "
            "the same order"
        )
    return list(given) * (len(parts) if len(given) == 1 else 1)
