"""Find a PASCAL VOC devkit, and write the list files of its splits."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from segdata.arguments import FilePath, local_path
from segdata.errors import Fault, FaultsError, InvalidInputError, suggest
from segdata.images.header import IMAGE_SUFFIXES
from segdata.lists import Pair, format_list, read_ids
from segdata.lists.publish import check_target_lists, write_together
from segdata.sources.finder import CLASS_FLAG, IdFiles, no_image
from segdata.text import plural

#: The splits of VOC, and the word for all of them.
VOC_SPLITS, ALL = ("train", "val", "trainval"), "all"

COLOR_DIR = "SegmentationClass"
INDEX_DIR = "SegmentationClassGray"
IMAGE_DIR = "JPEGImages"
ID_LISTS = Path("ImageSets", "Segmentation")


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
class ListReport:
    """Report of `voc_list`.

    Attributes:
        path: folder of the lists.
        root: folder that the paths in them are relative to; `--data_root` of later commands.
        files: path of the list of each split.
        samples: number of samples of each split.
        written: false after a dry run.
    """

    path: str
    root: str
    files: dict[str, str]
    samples: dict[str, int]
    written: bool


def voc_list(
    data_root: FilePath,
    *,
    split: FilePath = ALL,
    dst_path: FilePath | None = None,
    label_dir: str = INDEX_DIR,
    overwrite: bool = False,
    dry_run: bool = False,
) -> ListReport:
    """Write a list such as ``voc_train_lst.txt`` per split: image and label of each id, relative to `data_root`.

    Images may have any format that segdata reads. An id may have spaces, and it may name a subfolder of
    ``JPEGImages`` and `label_dir`, as in CVAT's exports.

    Args:
        data_root: see `find_devkit`.
        split: an id list in ``ImageSets/Segmentation`` (``trainaug``) or elsewhere in ``ImageSets`` (``Main/train``),
            a file, or ``all``: those of train, val and trainval that there are.
        dst_path: folder to write the lists to; `data_root` by default.
        label_dir: folder of index masks within the devkit.
        overwrite: replace existing lists.
        dry_run: check everything, but write nothing.

    Raises:
        FaultsError: when ids match no image, labels are missing, files are ambiguous, ids appear twice, or ids are both
            in train and in val; names all at once. Nothing is written.
        InvalidInputError: when there is no such id list, or it is a list of one class, with 1 or -1 after each id.
        TargetExistsError: when a list already exists.
    """
    data_root, dst_path, split = local_path(data_root), local_path(dst_path), local_path(split)
    devkit = find_devkit(data_root)
    ids = {name: read_ids(path, folders=True) for name, path in _id_lists(devkit, split).items()}
    folder = dst_path or data_root
    lists = {name: folder / f"voc_{name}_lst.txt" for name in ids}
    check_target_lists(lists.values(), overwrite=overwrite)
    labels = devkit / label_dir
    if not labels.is_dir():
        raise InvalidInputError(
            f"{labels}: no such folder; expected a folder of index masks. Make it from {COLOR_DIR} with voc-decolor."
        )
    image_of = IdFiles(data_root, devkit / IMAGE_DIR, IMAGE_SUFFIXES)
    label_of = IdFiles(data_root, labels, (".png",))
    wrong = {name: image_of.near(listed) for name, listed in ids.items()}
    pairs = {
        name: [Pair(image_of(id_), label_of(id_)) for id_ in dict.fromkeys(listed) if id_ not in wrong[name]]
        for name, listed in ids.items()
    }
    faults = [*_repeated(ids), *_in_train_and_val(devkit), *_wrong(ids, wrong), *image_of.faults(), *label_of.faults()]
    if faults:
        raise FaultsError(
            f"{data_root}: {plural(len(faults), 'fault')} in split{'s' if len(ids) != 1 else ''} {', '.join(ids)}",
            faults,
        )
    if not dry_run:
        texts = {path.name: format_list(pairs[name]).encode() for name, path in lists.items()}
        write_together(folder, texts, overwrite=overwrite)
    return ListReport(
        path=str(folder),
        root=str(data_root),
        files={name: str(path) for name, path in lists.items()},
        samples={name: len(found) for name, found in pairs.items()},
        written=not dry_run,
    )


def _id_lists(devkit: Path, split: Path) -> dict[str, Path]:
    """Return the id list of each split that `split` means, by its name in the names of the results."""
    folder = devkit / ID_LISTS
    if str(split) == ALL:
        # A FIFO, or a link that leads nowhere, is an error and not a split that is missing.
        there = {name: folder / f"{name}.txt" for name in VOC_SPLITS if os.path.lexists(folder / f"{name}.txt")}
        if not there:
            raise InvalidInputError(
                f"{folder}: contains no id lists; expected {', '.join(f'{name}.txt' for name in VOC_SPLITS)}. Name "
                "another list with --split, or list all images that have a mask with segdata pair-list."
            )
        return there
    sets = folder.parent
    for path in (folder / f"{split}.txt", folder / split, sets / f"{split}.txt", sets / split, split):
        if path.is_file():
            return {_name(path, folder, sets): path}
    known = sorted(_name(path, folder, sets) for path in folder.glob("*.txt"))
    raise InvalidInputError(f"{folder / f'{split}.txt'}: no such id list; {suggest(str(split), known)}, or a file")


def _name(path: Path, folder: Path, sets: Path) -> str:
    """Return ``trainaug`` for a list in ``ImageSets/Segmentation``, ``Main_train`` for one elsewhere in `sets`."""
    for above in (folder, sets):
        if path.is_relative_to(above):
            return "_".join(path.relative_to(above).with_suffix("").parts)
    return path.stem


def _wrong(ids: dict[str, list[str]], wrong: dict[str, dict[str, str]]) -> list[Fault]:
    """Return a fault for each split with ids that match no image, but have a near form that does.

    Raises:
        InvalidInputError: when the split is a list of one class.
    """
    for split, near in wrong.items():
        if near and all(id_ in near and CLASS_FLAG.search(id_) for id_ in ids[split]):
            raise InvalidInputError(
                f"{split}: has 1, 0 or -1 after each id, as the lists of one class in ImageSets/Main; expected ids "
                "alone. Name another list with --split, such as Main/train."
            )
    return [
        Fault("missing_image", f"{split}.txt", no_image(list(near), len(ids[split]), next(iter(near.values()))))
        for split, near in wrong.items()
        if near
    ]


def _repeated(ids: dict[str, list[str]]) -> list[Fault]:
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
    train, val = (read_ids(path, folders=True) for path in paths)
    return [Fault("overlap", id_, "both in train.txt and in val.txt") for id_ in sorted({*train} & {*val})]
