"""Convert PASCAL VOC color masks to index masks, and write the list files of its splits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, get_args

from segdata.cluster import Workers, check_shared
from segdata.encoded import File
from segdata.errors import Fault, FaultsError, InvalidInputError
from segdata.files.ownership import check_inputs_outside, check_target_directory
from segdata.files.publishing import staged_directory
from segdata.labels.colormap import ColorMap, voc_colormap
from segdata.labels.masks import Method, to_index_png
from segdata.lists import Pair, format_list, read_ids
from segdata.lists.publish import check_target_lists, write_lists
from segdata.parallel import Progress, default_workers, map_faults, silent
from segdata.sources.finder import IdFiles
from segdata.text import plural

Split = Literal["train", "val", "trainval"]

COLOR_DIR = "SegmentationClass"
INDEX_DIR = "SegmentationClassGray"
IMAGE_DIR = "JPEGImages"
ID_LISTS = Path("ImageSets", "Segmentation")
VOC_IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")


def find_devkit(root: Path, holding: str | Path = IMAGE_DIR) -> Path:
    """Return the directory that contains `JPEGImages`: `root` itself, or VOC2012 in it or in its VOCdevkit.

    Args:
        root: where to search.
        holding: the folder that identifies it, for callers that do not start from the images.

    Raises:
        InvalidInputError: when there is no such directory, or there are several years to choose from.
    """
    for folder in (root, root / "VOCdevkit"):
        if (folder / holding).is_dir():
            return folder
        years = sorted(path for path in folder.glob("VOC[0-9]*") if (path / holding).is_dir())
        if len(years) > 1:
            raise InvalidInputError(
                f"{root}: contains {', '.join(year.name for year in years)}; expected one year. Name its folder."
            )
        if years:
            return years[0]
    raise InvalidInputError(
        f"{root}: contains no VOC devkit; expected VOCdevkit/VOC2012/{holding} in it, or VOCdevkit or VOC2012 itself"
    )


@dataclass(frozen=True)
class DecolorReport:
    """Report of `voc_decolor`: number of masks by method, and the files in the folder that are not masks."""

    source: str
    target: str
    masks: int
    rewritten: int
    by_color: int
    copied: int
    left_out: tuple[str, ...]
    written: bool


def voc_decolor(
    data_root: Path,
    *,
    src_path: Path | None = None,
    dst_path: Path | None = None,
    colormap: ColorMap | None = None,
    workers: Workers | None = None,
    overwrite: bool = False,
    dry_run: bool = False,
    progress: Progress = silent,
) -> DecolorReport:
    """Convert every mask in `SegmentationClass` to an index PNG in `SegmentationClassGray`.

    Args:
        data_root: see `find_devkit`; used only for a path that is not given.
        src_path: folder of masks, instead of the devkit's.
        dst_path: folder to write, instead of the devkit's.
        colormap: class colors; VOC's by default.
        workers: number of threads, all processors by default; or a cluster.
        overwrite: replace the masks of an earlier run.
        dry_run: read and check everything, but write nothing.
        progress: reports progress.

    Raises:
        InvalidInputError: when the masks are in `dst_path`, which would be replaced.
        FaultsError: when masks are damaged, or have a color or value without a class; names each. Nothing is written.
        TargetExistsError: when `dst_path` already exists.
    """
    source = (src_path or find_devkit(data_root) / COLOR_DIR).absolute()
    target = dst_path or find_devkit(data_root) / INDEX_DIR
    check_inputs_outside(target, source)
    masks, left_out = _masks(source)
    convert = partial(_convert, source, colormap or voc_colormap())
    run = partial(_convert_all, convert, masks, workers or default_workers(), progress)
    if dry_run:
        check_target_directory(target, overwrite=overwrite)
        methods = run(None)
    else:
        with staged_directory(target, overwrite=overwrite) as staging:
            methods = run(staging)
    return DecolorReport(
        source=str(source),
        target=str(target),
        masks=len(masks),
        rewritten=methods["rewritten"],
        by_color=methods["by color"],
        copied=methods["copied"],
        left_out=tuple(left_out),
        written=not dry_run,
    )


def _masks(source: Path) -> tuple[list[str], list[str]]:
    if not source.is_dir():
        raise InvalidInputError(f"{source}: no such folder; expected a folder of masks")
    names = sorted(path.name for path in source.iterdir() if not path.name.startswith("."))
    masks = [name for name in names if name.lower().endswith(".png")]
    if not masks:
        raise InvalidInputError(f"{source}: contains no PNG masks")
    return masks, [name for name in names if not name.lower().endswith(".png")]


def _convert(source: Path, colormap: ColorMap, staging: Path | None, name: str) -> Method:
    data, method = to_index_png(File(source, name, "missing_label").read(), colormap)
    if staging:
        (staging / name).write_bytes(data)
    return method


def _convert_all(
    convert: Callable[[Path | None, str], Method],
    masks: Sequence[str],
    workers: Workers,
    progress: Progress,
    staging: Path | None,
) -> Counter[str]:
    if staging:
        check_shared(workers, staging)
    faults: list[Fault] = []
    methods = Counter[str](
        map_faults(
            partial(convert, staging),
            masks,
            faults,
            name=str,
            total=len(masks),
            label="masks",
            progress=progress,
            workers=workers,
            chunk=32,
        )
    )
    if faults:
        raise FaultsError(f"{len(faults)} of {plural(len(masks), 'mask')} cannot be converted", faults)
    return methods


@dataclass(frozen=True)
class ListReport:
    """Report of `voc_list`: path and number of samples of each list file, by split."""

    root: str
    lists: dict[str, str]
    samples: dict[str, int]
    written: bool


def voc_list(
    data_root: Path,
    *,
    split: Split | Literal["all"] = "all",
    dst_path: Path | None = None,
    label_dir: str = INDEX_DIR,
    overwrite: bool = False,
    dry_run: bool = False,
) -> ListReport:
    """Write a list such as ``voc_train_lst.txt`` per split: image and label of each id, relative to `data_root`.

    Args:
        data_root: see `find_devkit`.
        split: one split, or all that the devkit's ImageSets contain.
        dst_path: folder to write the lists to; `data_root` by default.
        label_dir: folder of index masks within the devkit.
        overwrite: replace existing lists.
        dry_run: check everything, but write nothing.

    Raises:
        FaultsError: when files are missing or ambiguous, ids appear twice, or ids are both in train and in val; names
            all at once. Nothing is written.
        TargetExistsError: when a list already exists.
    """
    devkit = find_devkit(data_root)
    ids = _split_ids(devkit, get_args(Split) if split == "all" else (split,), wanted=split != "all")
    folder = dst_path or data_root
    lists = {name: folder / f"voc_{name}_lst.txt" for name in ids}
    check_target_lists(lists.values(), overwrite=overwrite)
    labels = devkit / label_dir
    if not labels.is_dir():
        raise InvalidInputError(
            f"{labels}: no such folder; expected a folder of index masks. Make it from {COLOR_DIR} with voc-decolor."
        )
    image_of = IdFiles(data_root, devkit / IMAGE_DIR, VOC_IMAGE_SUFFIXES)
    label_of = IdFiles(data_root, labels, (".png",))
    pairs = {
        name: [Pair(image_of(id_), label_of(id_)) for id_ in dict.fromkeys(wanted)] for name, wanted in ids.items()
    }
    faults = [*_repeated(ids), *_in_train_and_val(devkit), *image_of.faults(), *label_of.faults()]
    if faults:
        raise FaultsError(
            f"{data_root}: {plural(len(faults), 'fault')} in split{'s' if len(ids) != 1 else ''} {', '.join(ids)}",
            faults,
        )
    if not dry_run:
        texts = {path.name: format_list(pairs[name]).encode() for name, path in lists.items()}
        write_lists(folder, texts, overwrite=overwrite)
    return ListReport(
        root=str(data_root),
        lists={name: str(path) for name, path in lists.items()},
        samples={name: len(found) for name, found in pairs.items()},
        written=not dry_run,
    )


def _split_ids(devkit: Path, splits: Sequence[Split], *, wanted: bool) -> dict[Split, list[str]]:
    """Read the id lists of `splits`; a missing one is an error only if it was requested by name."""
    folder = devkit / ID_LISTS
    there = [split for split in splits if wanted or (folder / f"{split}.txt").is_file()]
    if not there:
        raise InvalidInputError(
            f"{folder}: contains no id lists; expected {', '.join(f'{split}.txt' for split in splits)}"
        )
    return {split: read_ids(folder / f"{split}.txt") for split in there}


def _repeated(ids: dict[Split, list[str]]) -> list[Fault]:
    return [
        Fault("invalid", f"{split}.txt", f"{id_} appears {count} times")
        for split, listed in ids.items()
        for id_, count in Counter(listed).items()
        if count > 1
    ]


def _in_train_and_val(devkit: Path) -> list[Fault]:
    """Name the ids that would leak from val into training; checked no matter which split is written."""
    paths = [devkit / ID_LISTS / f"{split}.txt" for split in ("train", "val")]
    if not all(path.is_file() for path in paths):
        return []
    shared = set(read_ids(paths[0])) & set(read_ids(paths[1]))
    return [Fault("overlap", id_, "both in train.txt and in val.txt") for id_ in sorted(shared)]
