"""Commands for a PASCAL VOC devkit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from segdata.cli.mask_map import methods_text
from segdata.console.options import (
    ANY_PATH,
    EXISTING_DIR,
    cluster_options,
    dry_run_option,
    json_option,
    overwrite_option,
)
from segdata.console.render import emit, progress_bar
from segdata.labels.map_file import load_map
from segdata.sources import voc, voc_decolor
from segdata.text import plural

data_root_option = click.option(
    "--data_root",
    "--data_dir",
    type=EXISTING_DIR,
    required=True,
    help="VOC2012, VOCdevkit, or the folder above VOCdevkit",
)


@click.command("voc-decolor")
@data_root_option
@click.option("--src_path", type=EXISTING_DIR, help="Folder of masks [default: the devkit's SegmentationClass]")
@click.option("--dst_path", type=ANY_PATH, help="Folder to write [default: the devkit's SegmentationClassGray]")
@click.option("--colormap", default="voc", show_default=True, metavar="NAME|FILE", help="Class colors")
@cluster_options
@overwrite_option
@dry_run_option
@json_option
def voc_decolor_command(colormap: str, as_json: bool, **options: Any) -> None:
    """Turn color masks into index masks: 8-bit gray PNGs whose pixels are class ids, with 255 for ignore.

    PNGs whose palette is the color map are rewritten without re-encoding. RGB masks, RGBA masks and masks with other
    palettes are converted color by color, in subfolders too. Gray masks are read by color if all colors of the map are
    gray, or a class has the color of another's id (255 is void); otherwise they must contain class ids. A pixel of an
    unknown color is an error, and nothing is written. Index masks appear black because class ids are small numbers.

    --colormap takes what mask-map --map takes, such as a file with lines 'name r g b' in the order of the class ids, or
    CVAT's labelmap.txt. A class may have several colors. Classes named void, ignore, ignored or __ignore__ get 255.

    \b
    Example:
      segdata voc-decolor --data_root data
    """
    report = voc_decolor.voc_decolor(colormap=load_map(colormap), progress=progress_bar, **options)
    emit(report, as_json, _decolor_text)


def _decolor_text(report: voc_decolor.DecolorReport) -> str:
    methods = methods_text(report.by_color, report.rewritten, report.copied)
    verb = "written to" if report.written else "would be written to"
    lines = [f"{plural(report.masks, 'index mask')} {verb} {report.path} ({methods})"]
    if report.left_out:
        lines.append(f"left out, not masks: {len(report.left_out)} ({', '.join(report.left_out[:10])})")
    return "\n".join(lines)


@click.command("voc-list")
@data_root_option
@click.option(
    "--split",
    default=voc.ALL,
    show_default=True,
    metavar="NAME|FILE",
    help="Id list in ImageSets/Segmentation (trainaug) or ImageSets (Main/train), a file, or all: train, val, trainval",
)
@click.option("--dst_path", type=ANY_PATH, help="Folder to write the lists to [default: the data root]")
@click.option("--label_dir", default=voc.INDEX_DIR, show_default=True, help="Folder of index masks in the devkit")
@overwrite_option
@dry_run_option
@json_option
def voc_list_command(as_json: bool, data_root: Path, **options: Any) -> None:
    """Write voc_train_lst.txt, voc_val_lst.txt, …: image and label path of each sample, relative to the data root.

    Ids may have spaces and name subfolders; images may have any format that segdata reads. Ids that match no image,
    missing labels, duplicate ids and ids in both train and val are errors; all of them are reported at once.

    \b
    Example:
      segdata voc-list --data_root data --split train
      segdata voc-list --data_root data --split trainaug --label_dir SegmentationClassAug
    """
    emit(voc.voc_list(data_root, **options), as_json, _lists_text)


def _lists_text(report: voc.ListReport) -> str:
    verb = "written to" if report.written else "would be written to"
    return "\n".join(f"{plural(report.samples[name], 'sample')} {verb} {path}" for name, path in report.files.items())
