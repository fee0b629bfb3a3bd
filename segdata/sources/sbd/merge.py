"""SBD, the Semantic Boundaries Dataset: its class masks, merged with VOC's training split.

SBD labels VOC images that VOC itself has no masks for. Both its splits together, without the images of VOC's val
split and with VOC's own masks where there are some, are the "augmented" training set, usually of 10,582 images.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from segdata.cluster import Workers, check_shared
from segdata.errors import FaultsError, InvalidInputError
from segdata.files import below, check_target_directory, check_target_file, normal, staged_directory
from segdata.images import read_image_header
from segdata.labels.colormap import VOC_CLASSES
from segdata.labels.masks import encode_index_png, first_pixel
from segdata.lists import Pair, write_list
from segdata.parallel import Progress, default_workers, ordered_map, silent
from segdata.sources.finder import IdFiles
from segdata.sources.sbd.mat5 import read_field
from segdata.sources.sbd.splits import USUAL_COUNT, SplitCounts, find_release, read_splits
from segdata.sources.voc import COLOR_DIR, ID_LISTS, IMAGE_DIR, INDEX_DIR, VOC_IMAGE_SUFFIXES, find_devkit

MAT_DIR = "cls"
SBD_IMAGE_DIR = "img"
MASK_DIR = "cls_png_gray"
AUGMENTED_LIST = Path("vocaug_train_lst.txt")


@dataclass(frozen=True)
class MergeReport:
    """What `sbd_merge` made, how its number comes about, and how many files of each folder a dry run did not find."""

    list: str
    masks: str
    counts: SplitCounts
    usual: int
    missing: dict[str, int]
    written: bool


def sbd_merge(
    data_root: Path,
    *,
    sbd_root: Path | None = None,
    voc_root: Path | None = None,
    dst_path: Path | None = None,
    list_file: Path = AUGMENTED_LIST,
    expect_count: int | None = None,
    workers: Workers | None = None,
    overwrite: bool = False,
    dry_run: bool = False,
    progress: Progress = silent,
) -> MergeReport:
    """Write index PNGs of the images that only SBD has, and the list of VOC's and SBD's training samples.

    The list begins with SBD's train split, then SBD's val split, then VOC's train split, each in the order of its id
    list: the order of the model zoo's own list. Its paths are relative to `data_root`, so all folders lie below it.

    Args:
        data_root: the folder above VOCdevkit and benchmark_RELEASE.
        sbd_root: see `find_release`; `data_root` by default.
        voc_root: see `find_devkit`; `data_root` by default.
        dst_path: folder of the masks; ``cls_png_gray`` beside ``cls`` by default.
        list_file: the list; relative to `data_root`.
        expect_count: how many samples there must be.
        workers: threads, all processors by default; or a cluster.
        overwrite: replace masks and list of an earlier run.
        dry_run: write nothing; check what is there and count what is missing, so that the four id lists are enough
            to learn the number of samples.
        progress: shows how far it is.

    Raises:
        FaultsError: naming every missing file, every ``.mat`` file that is damaged, of another form or size than its
            image, and every mask with a value beyond VOC's classes. Nothing is written.
        InvalidInputError: when the count is not the one expected, or a folder lies outside `data_root`.
        TargetExistsError: when the masks or the list exist.
    """
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
            f"{devkit / INDEX_DIR}: no such folder of index masks; voc-decolor makes it from {COLOR_DIR}"
        )
    image_of = IdFiles(root, dataset / SBD_IMAGE_DIR, VOC_IMAGE_SUFFIXES)
    mat_of = IdFiles(root, dataset / MAT_DIR, (".mat",))
    voc_image_of = IdFiles(root, devkit / IMAGE_DIR, VOC_IMAGE_SUFFIXES)
    voc_mask_of = IdFiles(root, devkit / INDEX_DIR, (".png",))
    finders = (mat_of, image_of, voc_mask_of, voc_image_of)

    sources = [_Source(id_, mat_of(id_), image_of(id_)) for id_ in splits.only_sbd()]
    masks = target.relative_to(root)
    pairs = [Pair(source.image, (masks / f"{source.id_}.png").as_posix()) for source in sources]
    pairs += [Pair(voc_image_of(id_), voc_mask_of(id_)) for id_ in splits.voc_train]
    known = [fault for finder in finders for fault in finder.faults(missing=not dry_run)]
    convert = partial(_convert_all, root, sources, known, workers or default_workers(), progress)

    list_path = root / list_file
    ours = [f"{id_}.png" for id_ in (*splits.sbd_train, *splits.sbd_val)]
    check_target_file(list_path, overwrite=overwrite)
    if dry_run:
        check_target_directory(target, overwrite=overwrite, ours=ours)
        convert(None)
    else:
        with staged_directory(target, overwrite=overwrite, ours=ours) as staging:
            convert(staging)
        write_list(list_path, pairs, overwrite=overwrite)
    return MergeReport(
        list=str(list_path),
        masks=str(target),
        counts=counts,
        usual=USUAL_COUNT,
        missing={finder.folder.as_posix(): len(finder.missing) for finder in finders if finder.missing},
        written=not dry_run,
    )


def _other_count(counts: SplitCounts, expected: int) -> str:
    more = counts.samples - expected
    return (
        f"{counts.samples:,} samples, {abs(more):,} {'more' if more > 0 else 'fewer'} than the {expected:,} expected: "
        f"VOC train {counts.voc_train:,} + SBD train {counts.sbd_train:,} + SBD val {counts.sbd_val:,} - in both "
        f"{counts.sbd_both:,} - in VOC train {counts.in_voc_train:,} - in VOC val {counts.in_voc_val:,}"
    )


@dataclass(frozen=True)
class _Source:
    """An id of SBD with its files, relative to the data root; empty where there is none."""

    id_: str
    mat: str
    image: str


def _convert_all(
    root: Path,
    sources: Sequence[_Source],
    known: Sequence[str],
    workers: Workers,
    progress: Progress,
    staging: Path | None,
) -> None:
    """Convert every mask that is there; raise the faults already `known` together with those found."""
    if staging:
        check_shared(workers, staging)
    there = [source for source in sources if source.mat]
    with progress(total=len(there), label="masks") as advance:
        found = []
        for fault in ordered_map(partial(_convert, root, staging), there, workers=workers):
            advance(1)
            found += [fault] if fault else []
    if known or found:
        faults = [*found, *known]
        raise FaultsError(f"{len(faults)} faults in {root}", faults)


def _convert(root: Path, staging: Path | None, source: _Source) -> str | None:
    """Write the mask of one id to `staging`; return what is wrong with it instead, if anything is."""
    try:
        mask = read_mask(root / source.mat)
        if source.image:
            _check_size(mask, root / source.image)
    except InvalidInputError as error:
        return f"{source.mat}: {error}"
    except OSError as error:
        return f"{source.mat}: cannot be read: {error.strerror}"
    if staging:
        (staging / f"{source.id_}.png").write_bytes(encode_index_png(mask))
    return None


def read_mask(path: Path) -> npt.NDArray[np.uint8]:
    """Return the class ids ``(H, W)`` uint8, 0 to 20, of one of SBD's ``cls/*.mat`` files: `GTcls.Segmentation`.

    Raises:
        InvalidInputError: see `read_field`; and when it is no image, or a pixel has a value beyond VOC's classes.
        OSError: when the file cannot be read.
    """
    mask = read_field(path, "GTcls", "Segmentation")
    if mask.ndim != 2 or not mask.size:
        raise InvalidInputError(f"GTcls.Segmentation has the shape {mask.shape}; expected height and width")
    foreign = (mask < 0) | (mask >= len(VOC_CLASSES))
    if foreign.any():
        raise InvalidInputError(
            f"{first_pixel(foreign)} has value {mask[foreign][0]}; expected 0 to {len(VOC_CLASSES) - 1}, "
            "and SBD has no void"
        )
    return mask.astype(np.uint8, copy=False)


def _check_size(mask: npt.NDArray[np.uint8], image: Path) -> None:
    try:
        header = read_image_header(image)
    except InvalidInputError as error:
        raise InvalidInputError(f"its image {image.name}: {error}") from error
    height, width = mask.shape
    if (header.width, header.height) != (width, height):
        raise InvalidInputError(f"{width} x {height} pixels; its image {image.name} has {header.size}")
