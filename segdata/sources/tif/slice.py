"""Slice TIFF stacks (such as ISBI 2012) plane by plane into image files, index masks and list files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

from segdata.arguments import FilePath, check_choice, check_number, check_several, local_path
from segdata.cluster import Workers
from segdata.errors import InvalidInputError, OptionError
from segdata.files.ownership import check_inputs_outside
from segdata.files.paths import normal
from segdata.files.publishing import staged_unless
from segdata.images.tiff import Stack
from segdata.images.tiff_pixels import PageForm
from segdata.images.values import Percentiles, ValueRange
from segdata.labels.classes import CLASS_NAMES, write_class_names
from segdata.labels.mask_mapping import Unknown
from segdata.labels.masks import encode_index_png
from segdata.labels.value_map import ValueMap
from segdata.lists.folds import Fold, LastBlock
from segdata.parallel import Progress, chosen_workers, silent
from segdata.sources.coco_export import encode_coco
from segdata.sources.instances import AnnotatedImage, Instance
from segdata.sources.tif.axes import Planes, find_channel, label_channel, partners
from segdata.sources.tif.meaning import LabelMeaning, label_meaning
from segdata.sources.tif.names import SLICE_JSONS, SLICE_LISTS, SliceNames
from segdata.sources.tif.report import Pairing, SliceReport
from segdata.sources.tif.selection import choose_range, label_form, open_at_level, stack_planes
from segdata.sources.tif.tracks import Track, slice_all
from segdata.sources.tif.values import Depth, Format, check_depth, encode_png, encode_tif, to_eight_bits


def tif_slice(
    images: FilePath,
    *,
    dst_path: FilePath,
    labels: FilePath | None = None,
    map: ValueMap | None = None,
    unknown: Unknown = "error",
    instances: bool = False,
    border: int | None = None,
    class_name: str | None = None,
    class_names: Sequence[str] | None = None,
    pages: Sequence[int] | None = None,
    axes: str | None = None,
    label_axes: str | None = None,
    channel: str | None = None,
    level: int = 0,
    depth: Depth = "keep",
    value_range: ValueRange | Percentiles | None = None,
    split: Fold | LastBlock | None = None,
    image_format: Format = "png",
    max_page_mb: int = 1024,
    workers: Workers | None = None,
    overwrite: bool = False,
    dry_run: bool = False,
    progress: Progress = silent,
) -> SliceReport:
    """Write each plane of a stack as ``images/NAME_0007.png``, its labels as an index PNG, and a list file per split.

    NAME is the file name of `images` without its suffix; the number is the position of the plane in canonical order
    (`segdata.sources.tif.axes`), from 0. Images are read as everywhere (``docs/images.md``): 0-is-white inverted, a
    palette applied, alpha dropped, 1 to 7 bits stretched; labels keep their stored values. Memory use does not grow
    with the number of pages, but with that of instances.

    Values of labels are class ids, or mean what `map` says. With `instances` or `border`, they number objects, and 0
    is background; the same number on several planes is an object on each. Only `instances` writes COCO JSONs,
    ``instances_all.json`` in `dst_path`, in place of index PNGs and list files.

    Args:
        images: the stack: a TIFF with gray, palette or RGB pages of one form.
        dst_path: directory to create.
        labels: stack of labels with the same axes, or fewer; without it, the list files name images only.
        map: class of each label value or color, see `load_map`; by default, the values are the ids. Of objects, the
            class of each number, of which 0 is background; by default, all numbers but 0 are class 1.
        unknown: ``error`` refuses values that `map` does not name, ``ignore`` gives them its ignore label.
        instances: write objects as RLE, with the boxes and areas of their masks.
        border: give pixels within this Euclidean distance of two different objects, in pixels, a class of its own: the
            id after all others, which is 2 without `map`.
        class_name: without `map`, class of all objects; ``object`` by default.
        class_names: names of the classes of `map` from 0, if it has none.
        pages: positions of the planes to slice, from 0; all by default.
        axes: axes of the pages of `images` in the order of the file, such as ``"TZYX"`` or ``"T2Z5YX"``; by default,
            those in the metadata of the file.
        label_axes: the same for `labels`.
        channel: number (from 0) or name of the channel to slice; required if there are several.
        level: resolution: 0 is the full one; of labels as well if they have several.
        depth: ``"keep"`` keeps the samples, ``"8bit"`` scales them to 0…255 by `value_range`.
        value_range: the samples to scale to 0 and 255, or which percentiles of all chosen planes these are; samples
            outside are clipped. 8-bit samples need none.
        split: which pages train and which validate; by default, all are in one list.
        image_format: format of the images; labels are always PNGs.
        max_page_mb: refuse pages that claim more memory, before it is allocated.
        workers: number of threads, all CPU cores by default; or a cluster.
        overwrite: replace the files of an earlier run with the same stack.
        dry_run: read and check everything, but write nothing.
        progress: reports progress.

    Raises:
        InvalidInputError: when a stack cannot be read, the two stacks do not match, a channel must be chosen, samples
            need a value range, or an option does not fit the data.
        OptionError: when options of labels contradict each other, or there are no labels.
        UnmappedLabelsError: when the labels contain only 0 and 255 and there is no `map`.
        FaultsError: when pages are damaged, differ in form from the first or have labels that are not classes; names
            each. Nothing is written.
        TargetExistsError: when `dst_path` already exists.
    """
    check_several("class_names", class_names)
    images, labels, dst_path = local_path(images), local_path(labels), local_path(dst_path)
    check_choice("unknown", unknown, Unknown)
    check_choice("depth", depth, Depth)
    check_choice("image_format", image_format, Format)
    check_number("level", level, 0)
    check_number("max_page_mb", max_page_mb, 1)
    workers = chosen_workers(workers)
    if labels is None and (map or instances or border is not None):
        raise OptionError("--map, --instances and --border: say what labels mean; expected --labels")
    meaning = label_meaning(
        map, unknown, instances=instances, border=border, class_name=class_name, class_names=class_names
    )
    check_inputs_outside(dst_path, images, labels)
    with ExitStack() as files:
        stack = open_at_level(files, images, level, max_page_mb)
        planes = stack_planes(stack, axes, "--axes")
        channel_index = find_channel(planes, channel)
        slices = planes if channel_index is None else planes.only("C", channel_index)
        chosen = _choose(pages, slices)
        split_pages = _split(chosen, split)
        names = SliceNames(images, len(slices), image_format)
        track = _image_track(stack, slices, chosen, names, depth, value_range, image_format)
        scale = choose_range(track, chosen, depth, value_range, workers, progress)
        tracks = [replace(track, convert=partial(to_eight_bits, value_range=scale)) if scale else track]
        pairing: Pairing | None = None
        if labels:
            masks = open_at_level(files, labels, level, max_page_mb, optional=True)
            mask_planes = label_channel(stack_planes(masks, label_axes, "--label_axes"), planes, channel_index)
            pairing = "order" if slices.unknown or mask_planes.unknown else "axes"
            tracks.append(_label_track(masks, mask_planes, slices, track, names, meaning))
        staging = files.enter_context(staged_unless(dry_run, dst_path, overwrite=overwrite))
        sliced = slice_all(tracks, chosen, staging, meaning.cure, workers=workers, progress=progress)
        clipped, *label_pixels = sliced.counts
        if labels:
            meaning.check_classes(labels, *label_pixels)
            meaning.check_border(labels, binary=sliced.binary)
        jsons = _encode_jsons(split_pages, names, track.form, sliced.instances, meaning) if instances else {}
        class_file = CLASS_NAMES if meaning.names and not instances else None
        if staging:
            for name, data in jsons.items():
                (staging / name).write_bytes(data)
            if not instances:
                names.write_lists(staging, split_pages, labeled=labels is not None)
            if class_file:
                write_class_names(staging / class_file, meaning.names, meaning.mapping.map.ignore_label)
    objects = Counter(instance.category for found in sliced.instances.values() for instance in found)
    return SliceReport(
        path=str(dst_path),
        source=str(images),
        label_source=str(labels) if labels else None,
        stack_pages=len(slices),
        axes=f"{planes.axes}YX",
        sizes=(*planes.pages.shape, track.form.height, track.form.width),
        channel=None if channel_index is None else planes.channel_words(channel_index),
        level=level,
        pairing=pairing,
        form=str(track.form),
        scaled=(scale.low, scale.high) if scale else None,
        clipped=int(clipped.sum()),
        label_pixels={id_: count for ids in label_pixels for id_, count in enumerate(ids.tolist()) if count},
        border_class=meaning.border_class,
        objects={name: objects[name] for name in meaning.categories} if instances else {},
        binary=sliced.binary,
        class_names_file=str(dst_path / class_file) if class_file else None,
        split=str(split) if split else None,
        files={part: str(dst_path / (SLICE_JSONS if instances else SLICE_LISTS)[part]) for part in split_pages},
        split_pages=split_pages,
        written=not dry_run,
    )


def _image_track(
    stack: Stack,
    slices: Planes,
    chosen: Sequence[int],
    names: SliceNames,
    depth: Depth,
    value_range: ValueRange | Percentiles | None,
    image_format: Format,
) -> Track:
    all_pages = slices.pages.ravel().tolist()
    pages = {position: all_pages[position] for position in chosen}
    first = pages[chosen[0]]
    form = stack.form(first)
    with stack.naming(first):
        check_depth(form, depth, ranged=value_range is not None, image_format=image_format)
    return Track(stack, form, pages, names.image, encode_png if image_format == "png" else encode_tif)


def _label_track(
    masks: Stack,
    mask_planes: Planes,
    slices: Planes,
    track: Track,
    names: SliceNames,
    meaning: LabelMeaning,
) -> Track:
    chosen = list(track.pages)
    pages = dict(zip(chosen, partners(slices, chosen, mask_planes), strict=True))
    colors = meaning.mapped and not meaning.objects
    form = label_form(masks, pages[chosen[0]], track.stack, track.form, colors=colors)
    return Track(masks, form, pages, names.label, encode_index_png, meaning.convert(), meaning.take())


def _encode_jsons(
    split_pages: Mapping[str, Sequence[int]],
    names: SliceNames,
    form: PageForm,
    instances: Mapping[int, tuple[Instance, ...]],
    meaning: LabelMeaning,
) -> dict[str, bytes]:
    """Return the COCO JSON of each split by its name; image names are relative to the target."""
    root = normal(Path())
    jsons = {}
    for split, positions in split_pages.items():
        images = [
            AnnotatedImage(root / names.image(position), form.height, form.width, instances[position])
            for position in positions
        ]
        jsons[SLICE_JSONS[split]] = encode_coco(images, root, meaning.categories, "TIFF stack")
    return jsons


def _choose(pages: Sequence[int] | None, slices: Planes) -> list[int]:
    chosen = list(range(len(slices))) if pages is None else sorted(set(pages))
    if not chosen:
        raise InvalidInputError(f"{slices.where}: no pages are selected; expected at least 1")
    if chosen[0] < 0 or chosen[-1] >= len(slices):
        beyond = chosen[0] if chosen[0] < 0 else chosen[-1]
        raise InvalidInputError(f"{slices.where}: has no page {beyond}; expected 0 to {len(slices) - 1}")
    return chosen


def _split(chosen: list[int], split: Fold | LastBlock | None) -> dict[str, list[int]]:
    if split is None:
        return {"all": chosen}
    train, val = split.split(len(chosen))
    return {"train": [chosen[index] for index in train], "val": [chosen[index] for index in val]}
