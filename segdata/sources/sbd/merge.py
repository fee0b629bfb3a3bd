"""Merge the class masks of SBD, the Semantic Boundaries Dataset, with VOC's training split.

SBD labels VOC images that have no masks in VOC itself. Both SBD splits together, without the images in VOC's val split
and with VOC's own masks where available, form the "augmented" training set, usually of 10,582 images.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from pathlib import Path

import numpy as np
import numpy.typing as npt

from segdata.arguments import FilePath, local_path
from segdata.cluster import Workers, check_shared
from segdata.errors import Fault, FaultsError, InvalidInputError
from segdata.files.ownership import check_inputs_outside, check_target_file
from segdata.files.paths import below, normal
from segdata.files.publishing import staged_unless
from segdata.images.header import IMAGE_SUFFIXES, ImageHeader, check_size
from segdata.images.reading import read_image_header
from segdata.labels.colormap import VOC_CLASSES
from segdata.labels.masks import encode_index_png, first_pixel
from segdata.lists import Pair, write_list
from segdata.parallel import Progress, chosen_workers, map_faults, silent
from segdata.regular import check_regular
from segdata.sources.finder import IdFiles
from segdata.sources.sbd.mat5 import read_field
from segdata.sources.sbd.splits import USUAL_COUNT, SplitCounts, find_release, read_splits
from segdata.sources.voc import COLOR_DIR, ID_LISTS, IMAGE_DIR, INDEX_DIR, find_devkit
from segdata.text import plural

MAT_DIR = "cls"
SBD_IMAGE_DIR = "img"
MASK_DIR = "cls_png_gray"
AUGMENTED_LIST = Path("vocaug_train_lst.txt")


@dataclass(frozen=True)
class SbdMergeReport:
    """Report of `sbd_merge`.

    Attributes:
        path: folder of the masks.
        list: path of the list.
        root: folder that the paths in the list are relative to; `--data_root` of later commands.
        counts: how the number of samples is computed.
        usual: number of samples that the official lists of VOC 2012 and SBD give.
        missing: number of files missing from each folder, in a dry run.
        written: false after a dry run.
    """

    path: str
    list: str
    root: str
    counts: SplitCounts
    usual: int
    missing: dict[str, int]
    written: bool


def sbd_merge(
    data_root: FilePath,
    *,
    sbd_root: FilePath | None = None,
    voc_root: FilePath | None = None,
    dst_path: FilePath | None = None,
    list_file: FilePath = AUGMENTED_LIST,
    expect_count: int | None = None,
    workers: Workers | None = None,
    overwrite: bool = False,
    dry_run: bool = False,
    progress: Progress = silent,
) -> SbdMergeReport:
    """Write index PNGs for the images that only SBD has, and a list of the training samples of VOC and SBD.

    The list contains SBD's train split, then SBD's val split, then VOC's train split, each in the order of its id
    list; the model zoo's own list has the same order. Paths are relative to `data_root`, so all folders must be in it.

    Args:
        data_root: the folder that contains VOCdevkit and benchmark_RELEASE.
        sbd_root: see `find_release`; `data_root` by default.
        voc_root: see `find_devkit`; `data_root` by default.
        dst_path: folder for the masks; ``cls_png_gray`` next to ``cls`` by default.
        list_file: the list to write, relative to `data_root`.
        expect_count: required number of samples.
        workers: number of threads, all processors by default; or a cluster.
        overwrite: replace the masks and list of an earlier run.
        dry_run: write nothing; check the files that exist and count those that are missing, so that the four id lists
            are enough to get the number of samples.
        progress: reports progress.

    Raises:
        FaultsError: when ids match no image, files are missing, ``.mat`` files are damaged or differ in form or size
            from their image, or masks have a value outside VOC's classes; names each. Nothing is written.
        InvalidInputError: when the number of samples is not `expect_count`, or a folder is outside `data_root`.
        TargetExistsError: when the masks or the list already exist.
    """
    data_root, dst_path, list_file = local_path(data_root), local_path(dst_path), local_path(list_file)
    sbd_root, voc_root = local_path(sbd_root), local_path(voc_root)
    workers = chosen_workers(workers)
    root = normal(data_root)
    devkit = below(root, find_devkit(voc_root or data_root, holding=ID_LISTS))
    dataset = below(root, find_release(sbd_root or data_root))
    target = below(root, dst_path or dataset / MASK_DIR)
    splits = read_splits(devkit, dataset)
    counts = splits.counts()
    if expect_count is not None and counts.samples != expect_count:
        raise InvalidInputError(_other_count(counts, expect_count))
    if not (dry_run or (devkit / INDEX_DIR).is_dir()):
        raise InvalidInputError(
            f"{devkit / INDEX_DIR}: no such folder; expected a folder of index masks. "
            f"Make it from {COLOR_DIR} with voc-decolor."
        )
    image_of = IdFiles(root, dataset / SBD_IMAGE_DIR, IMAGE_SUFFIXES)
    mat_of = IdFiles(root, dataset / MAT_DIR, (".mat",))
    voc_image_of = IdFiles(root, devkit / IMAGE_DIR, IMAGE_SUFFIXES)
    voc_mask_of = IdFiles(root, devkit / INDEX_DIR, (".png",))
    finders = (mat_of, image_of, voc_mask_of, voc_image_of)
    check_inputs_outside(target, *(root / finder.folder for finder in finders))
    images = image_of.ids() | voc_image_of.ids()
    splits.check_images(devkit, dataset, images, missing=bool(voc_image_of.ids()) or not dry_run)

    sources = [_Source(id_, mat_of(id_), image_of(id_)) for id_ in splits.only_sbd()]
    masks = target.relative_to(root)
    pairs = [Pair(source.image, (masks / f"{source.id_}.png").as_posix()) for source in sources]
    pairs += [Pair(voc_image_of(id_), voc_mask_of(id_)) for id_ in splits.voc_train]
    known = [fault for finder in finders for fault in finder.faults(missing=not dry_run)]

    list_path = root / list_file
    check_target_file(list_path, overwrite=overwrite)
    with staged_unless(dry_run, target, overwrite=overwrite) as staging:
        _convert_all(root, sources, known, workers, progress, staging)
    if not dry_run:
        write_list(list_path, pairs, overwrite=overwrite)
    return SbdMergeReport(
        path=str(target),
        list=str(list_path),
        root=str(root),
        counts=counts,
        usual=USUAL_COUNT,
        missing={finder.folder.as_posix(): len(finder.missing) for finder in finders if finder.missing},
        written=not dry_run,
    )


def _other_count(counts: SplitCounts, expected: int) -> str:
    more = counts.samples - expected
    return (
        f"{counts.samples:,} sample{'s' if counts.samples != 1 else ''}, "
        f"{abs(more):,} {'more' if more > 0 else 'fewer'} than the {expected:,} expected: "
        f"VOC train {counts.voc_train:,} + SBD train {counts.sbd_train:,} + SBD val {counts.sbd_val:,} - in both "
        f"{counts.sbd_both:,} - in VOC train {counts.in_voc_train:,} - in VOC val {counts.in_voc_val:,}"
    )


@dataclass(frozen=True)
class _Source:
    """An SBD id and its files, relative to the data root; a missing file is an empty string."""

    id_: str
    mat: str
    image: str


def _convert_all(
    root: Path,
    sources: Sequence[_Source],
    known: Sequence[Fault],
    workers: Workers,
    progress: Progress,
    staging: Path | None,
) -> None:
    """Convert every existing mask; raise the faults already `known` together with those found."""
    if staging:
        check_shared(workers, staging)
    there = [source for source in sources if source.mat]
    found: list[Fault] = []
    convert = partial(_convert, root, staging)
    converted = map_faults(
        convert,
        there,
        found,
        name=attrgetter("mat"),
        total=len(there),
        label="masks",
        progress=progress,
        workers=workers,
    )
    deque(converted, maxlen=0)
    if known or found:
        faults = [*found, *known]
        raise FaultsError(f"{root}: {plural(len(faults), 'fault')}; nothing was written", faults)


def _convert(root: Path, staging: Path | None, source: _Source) -> None:
    """Write the mask of one id to `staging`.

    Raises:
        InvalidInputError: when the mask cannot be read or does not have the size of its image.
    """
    mask = read_mask(root / source.mat)
    if source.image:
        image = Path(source.image).name
        header = _header_of(root / source.image)
        check_size(mask.shape, header.shape, f"its image {image} has")
    if staging:
        (staging / f"{source.id_}.png").write_bytes(encode_index_png(mask))


def read_mask(path: Path) -> npt.NDArray[np.uint8]:
    """Return the class ids ``(H, W)`` uint8, 0 to 20, of one of SBD's ``cls/*.mat`` files: `GTcls.Segmentation`.

    Raises:
        InvalidInputError: see `read_field`; also when the file cannot be read, it is not an image, or a pixel has a
            value outside VOC's classes.
    """
    try:
        check_regular(path)
        mask = read_field(path, "GTcls", "Segmentation")
    except OSError as error:
        raise InvalidInputError(f"cannot be read: {error.strerror}", "unreadable") from error
    if mask.ndim != 2 or not mask.size:
        raise InvalidInputError(f"GTcls.Segmentation has shape {mask.shape}; expected height and width")
    foreign = (mask < 0) | (mask >= len(VOC_CLASSES))
    if foreign.any():
        raise InvalidInputError(
            f"{first_pixel(foreign)} has value {mask[foreign][0]}; expected 0 to {len(VOC_CLASSES) - 1} "
            "(SBD has no ignore label)",
            "value_outside_classes",
        )
    return mask.astype(np.uint8, copy=False)


def _header_of(image: Path) -> ImageHeader:
    try:
        return read_image_header(image)
    except InvalidInputError as error:
        raise InvalidInputError(f"its image {image.name}: {error}", error.code) from error
