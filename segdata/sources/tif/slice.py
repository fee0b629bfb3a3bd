"""Slice multi-page TIFF stacks (such as ISBI 2012) page by page into image files, index masks and list files."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from segdata.cluster import Workers
from segdata.errors import InvalidInputError
from segdata.files import check_target_directory, staged_directory, write_file
from segdata.labels.masks import encode_index_png
from segdata.lists import Pair, write_list
from segdata.lists.folds import Fold, LastBlock
from segdata.parallel import Progress, default_workers, silent
from segdata.sources.tif.pages import PageForm, Stack, open_stack
from segdata.sources.tif.tracks import Track, slice_all
from segdata.sources.tif.values import (
    Depth,
    Format,
    UnmappedLabelsError,
    ValueCounts,
    ValueRange,
    choose_scale,
    encode_png,
    encode_tif,
    keep_values,
    to_class_ids,
)
from segdata.text import plural

_IMAGE_DIR, _LABEL_DIR = "images", "labels"
_LISTS = {"all": "all_lst.txt", "train": "train_lst.txt", "val": "val_lst.txt"}


@dataclass(frozen=True)
class SliceReport:
    """Report of `tif_slice`.

    Attributes:
        form: size in pixels, data type and color of every page.
        scaled: the values that became 0 and 255; None if values were kept.
        clipped: number of samples outside this range.
        label_pixels: number of pixels by class id, over all pages.
        split: how the pages were divided; None if all are in one list.
        lists: list file of each split.
        split_pages: pages (from 0) of each split, in the order of its list.
    """

    images: str
    labels: str | None
    target: str
    stack_pages: int
    form: str
    scaled: tuple[float, float] | None
    clipped: int
    label_pixels: dict[int, int]
    split: str | None
    lists: dict[str, str]
    split_pages: dict[str, list[int]]
    written: bool

    @property
    def pages(self) -> int:
        """Return the number of sliced pages."""
        return sum(map(len, self.split_pages.values()))


def tif_slice(
    images: Path,
    *,
    dst_path: Path,
    labels: Path | None = None,
    label_map: Mapping[int, int] | None = None,
    pages: Sequence[int] | None = None,
    depth: Depth = "keep",
    value_range: ValueRange | None = None,
    split: Fold | LastBlock | None = None,
    image_format: Format = "png",
    max_page_mb: int = 1024,
    workers: Workers | None = None,
    overwrite: bool = False,
    dry_run: bool = False,
    progress: Progress = silent,
) -> SliceReport:
    """Write each page of a stack as ``images/NAME_0007.png``, its labels as an index PNG, and a list file per split.

    NAME is the file name of `images` without its suffix; the number is the page's position in its stack, from 0.
    Memory use does not grow with the number of pages.

    Args:
        images: the stack: any TIFF that tifffile reads, with gray, palette (as indices) or RGB pages of one form.
        dst_path: directory to create.
        labels: stack of equally many pages of the same size; without it, the list files name images only.
        label_map: class id of each label value; by default, the values are the ids.
        pages: pages to slice, from 0; all by default.
        depth: ``"keep"`` keeps the values, ``"8bit"`` scales them to 0…255 by the range of their data type.
        value_range: the values to scale to 0 and 255 instead; values outside are clipped.
        split: which pages train and which validate; by default, all are in one list.
        image_format: format of the images; labels are always PNGs.
        max_page_mb: refuse pages that claim more memory, before it is allocated.
        workers: number of threads, all processors by default; or a cluster.
        overwrite: replace the files of an earlier run with the same stack.
        dry_run: read and check everything, but write nothing.
        progress: reports progress.

    Raises:
        InvalidInputError: when a stack cannot be read, the two stacks do not match, or an option does not fit the
            data.
        UnmappedLabelsError: when the labels contain only 0 and 255 and there is no `label_map`.
        FaultsError: when pages are damaged, differ in form from the first or have labels that are not classes; names
            each. Nothing is written.
        TargetExistsError: when `dst_path` already exists.
    """
    _check_label_map(labels, label_map)
    with ExitStack() as files:
        stack = files.enter_context(open_stack(images, max_page_mb=max_page_mb))
        chosen = _choose(pages, stack)
        split_pages = _split(chosen, split)
        form = stack.form(chosen[0])
        with stack.naming(chosen[0]):
            scale = choose_scale(form, depth, value_range, image_format)
        name = _Name(images, len(stack), image_format)
        encode = encode_png if image_format == "png" else encode_tif
        tracks = [Track(stack, form, scale or keep_values, encode, name.image)]
        if labels:
            masks = files.enter_context(open_stack(labels, max_page_mb=max_page_mb))
            mask_form = _mask_form(masks, stack, form, chosen[0])
            convert = partial(to_class_ids, label_map=label_map)
            tracks.append(Track(masks, mask_form, convert, encode_index_png, name.label))
        ours = _ours(dst_path, name)
        if dry_run:
            check_target_directory(dst_path, overwrite=overwrite, ours=ours)
        staging = None if dry_run else files.enter_context(staged_directory(dst_path, overwrite=overwrite, ours=ours))
        clipped, *label_pixels = slice_all(
            tracks, chosen, staging, workers=workers or default_workers(), progress=progress
        )
        if labels and label_map is None:
            _check_not_binary(labels, *label_pixels)
        if staging:
            _write_lists(staging, name, split_pages, labeled=labels is not None)
    return SliceReport(
        images=str(images),
        labels=str(labels) if labels else None,
        target=str(dst_path),
        stack_pages=len(stack),
        form=str(form),
        scaled=(scale.low, scale.high) if scale else None,
        clipped=int(clipped.sum()),
        label_pixels={id_: count for ids in label_pixels for id_, count in enumerate(ids.tolist()) if count},
        split=str(split) if split else None,
        lists={part: str(dst_path / _LISTS[part]) for part in split_pages},
        split_pages=split_pages,
        written=not dry_run,
    )


def _check_label_map(labels: Path | None, label_map: Mapping[int, int] | None) -> None:
    if label_map is None:
        return
    if labels is None:
        raise InvalidInputError("a label map needs labels. Name their stack with --labels.")
    beyond = [id_ for id_ in label_map.values() if not 0 <= id_ <= 255]
    if beyond:
        raise InvalidInputError(f"the label map contains class id {beyond[0]}; expected 0 to 255")


def _choose(pages: Sequence[int] | None, stack: Stack) -> list[int]:
    chosen = list(range(len(stack))) if pages is None else sorted(set(pages))
    if not chosen:
        raise InvalidInputError(f"{stack.path}: no pages are selected; expected at least 1")
    if chosen[0] < 0 or chosen[-1] >= len(stack):
        beyond = chosen[0] if chosen[0] < 0 else chosen[-1]
        raise InvalidInputError(f"{stack.path}: has no page {beyond}; expected 0 to {len(stack) - 1}")
    return chosen


def _split(chosen: list[int], split: Fold | LastBlock | None) -> dict[str, list[int]]:
    if split is None:
        return {"all": chosen}
    train, val = split.split(len(chosen))
    return {"train": [chosen[index] for index in train], "val": [chosen[index] for index in val]}


def _mask_form(masks: Stack, stack: Stack, form: PageForm, first: int) -> PageForm:
    """Return the form of the label pages; refuse stacks that do not match."""
    if len(masks) != len(stack):
        raise InvalidInputError(
            f"{masks.path}: has {plural(len(masks), 'page')}; expected {len(stack)}, as in {stack.path}"
        )
    mask_form = masks.form(first)
    if mask_form.samples != 1:
        raise InvalidInputError(f"{masks.path}: {mask_form}; expected labels with one sample per pixel")
    if (mask_form.width, mask_form.height) != (form.width, form.height):
        raise InvalidInputError(
            f"{masks.path}: has pages of {mask_form.width} x {mask_form.height} pixels; "
            f"expected {form.width} x {form.height}, as in {stack.path}"
        )
    return mask_form


class _Name:
    """File names of a page, relative to the target."""

    def __init__(self, images: Path, stack_pages: int, image_format: Format) -> None:
        self.stem = images.stem.removesuffix(".ome")
        self._digits = max(4, len(str(stack_pages - 1)))
        self._format = image_format

    def image(self, page: int) -> str:
        return f"{_IMAGE_DIR}/{self.stem}_{page:0{self._digits}}.{self._format}"

    def label(self, page: int) -> str:
        return f"{_LABEL_DIR}/{self.stem}_{page:0{self._digits}}.png"


def _check_not_binary(labels: Path, pixels: ValueCounts) -> None:
    if pixels[255] and not pixels[1:255].any():
        raise UnmappedLabelsError(str(labels))


def _ours(target: Path, name: _Name) -> set[str]:
    """Return the entries of `target` from an earlier run with this stack; a folder with other files is not one."""
    sliced = re.compile(rf"{re.escape(name.stem)}_\d{{4,}}\.(png|tif)")
    folders = {
        folder
        for folder in (_IMAGE_DIR, _LABEL_DIR)
        if (target / folder).is_dir() and all(sliced.fullmatch(path.name) for path in (target / folder).iterdir())
    }
    return folders | set(_LISTS.values())


def _write_lists(staging: Path, name: _Name, split_pages: Mapping[str, Sequence[int]], *, labeled: bool) -> None:
    for split, pages in split_pages.items():
        path = staging / _LISTS[split]
        if labeled:
            write_list(path, [Pair(name.image(page), name.label(page)) for page in pages], overwrite=False)
        else:
            write_file(path, "".join(f"{name.image(page)}\n" for page in pages).encode(), overwrite=False)
