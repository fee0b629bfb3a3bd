"""Convert PASCAL VOC color masks to index masks."""

from __future__ import annotations

from dataclasses import dataclass

from segdata.arguments import FilePath, local_path
from segdata.cluster import Workers
from segdata.files.ownership import check_inputs_outside
from segdata.files.publishing import staged_unless
from segdata.labels.mask_mapping import MaskMapping
from segdata.labels.value_map import ValueMap, voc_colormap
from segdata.parallel import Progress, chosen_workers, silent
from segdata.sources.mask_folder import convert_masks, find_masks
from segdata.sources.voc import COLOR_DIR, INDEX_DIR, find_devkit


@dataclass(frozen=True)
class DecolorReport:
    """Report of `voc_decolor`.

    Attributes:
        path: folder of the index masks.
        source: folder of the palette masks.
        masks: number of masks.
        rewritten: number of masks whose palette was removed without re-encoding the pixels.
        by_color: number of masks whose colors were mapped to class ids.
        copied: number of masks that were already index masks.
        left_out: names of the files in the folder that are not masks.
        written: false after a dry run.
    """

    path: str
    source: str
    masks: int
    rewritten: int
    by_color: int
    copied: int
    left_out: tuple[str, ...]
    written: bool


def voc_decolor(
    data_root: FilePath,
    *,
    src_path: FilePath | None = None,
    dst_path: FilePath | None = None,
    colormap: ValueMap | None = None,
    workers: Workers | None = None,
    overwrite: bool = False,
    dry_run: bool = False,
    progress: Progress = silent,
) -> DecolorReport:
    """Convert every mask in `SegmentationClass` and its subfolders to an index PNG in `SegmentationClassGray`.

    `mask_map` does the same for any folder, and counts what became what. Here, masks whose palette is the color map are
    not even decoded.

    Args:
        data_root: see `find_devkit`; used only for a path that is not given.
        src_path: folder of masks, instead of the devkit's.
        dst_path: folder to write, instead of the devkit's.
        colormap: class colors; VOC's by default.
        workers: number of threads, all CPU cores by default; or a cluster.
        overwrite: replace the masks of an earlier run.
        dry_run: read and check everything, but write nothing.
        progress: reports progress.

    Raises:
        InvalidInputError: when the masks are in `dst_path`, which would be replaced, or all gray masks are black and
            white, whose 255 would be ignored.
        FaultsError: when masks are damaged, or have a color or value without a class; names each. Nothing is written.
        TargetExistsError: when `dst_path` already exists.
    """
    data_root, src_path, dst_path = local_path(data_root), local_path(src_path), local_path(dst_path)
    workers = chosen_workers(workers)
    source = (src_path or find_devkit(data_root) / COLOR_DIR).absolute()
    target = dst_path or find_devkit(data_root) / INDEX_DIR
    check_inputs_outside(target, source)
    masks, left_out = find_masks(source, target)
    mapping = MaskMapping(colormap or voc_colormap())
    with staged_unless(dry_run, target, overwrite=overwrite) as staging:
        converted = convert_masks(source, masks, mapping, staging, count=False, workers=workers, progress=progress)
    return DecolorReport(
        path=str(target),
        source=str(source),
        masks=len(masks),
        rewritten=converted.methods["rewritten"],
        by_color=converted.methods["mapped"],
        copied=converted.methods["copied"],
        left_out=tuple(left_out),
        written=not dry_run,
    )
