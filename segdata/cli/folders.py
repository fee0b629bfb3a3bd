"""The `pair-list` command: write a list file for your own folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import click

from segdata.console.options import ANY_PATH, EXISTING_DIR, EXISTING_FILE, dry_run_option, json_option, overwrite_option
from segdata.console.render import emit, progress_bar
from segdata.sources import folders
from segdata.text import plural


@click.command("pair-list")
@click.option("--images", type=EXISTING_DIR, required=True, help="Folder of images")
@click.option("--labels", type=EXISTING_DIR, required=True, help="Folder of labels; may be the same folder")
@click.option("--dst_path", type=ANY_PATH, required=True, metavar="LIST", help="List file to write")
@click.option(
    "--data_root",
    type=EXISTING_DIR,
    help="Folder that the list's paths are relative to [default: the nearest above both]",
)
@click.option(
    "--ids", type=EXISTING_FILE, help="List only these: a file with one name per line, without prefix and suffix"
)
@click.option("--image_prefix", default="", help="Start of image names, such as img_ [default: any]")
@click.option("--image_suffix", default="", help="Ending of image names, such as _rgb or _rgb.png [default: any]")
@click.option("--label_prefix", default="", help="Start of label names, such as mask_ [default: any]")
@click.option("--label_suffix", default="", help="Ending of label names, such as _mask or _mask.png [default: any]")
@click.option(
    "--unpaired",
    type=click.Choice(get_args(folders.Unpaired)),
    default="error",
    show_default=True,
    help="On images without a label and labels without an image: stop, or leave them out and count them",
)
@click.option("--recursive", is_flag=True, help="Search subfolders too, also linked ones")
@overwrite_option
@dry_run_option
@json_option
def pair_list_command(as_json: bool, images: Path, labels: Path, dst_path: Path, **options: Any) -> None:
    """Write a list file from two folders, pairing images and labels of the same name.

    Finds JPEG, PNG, BMP, TIFF and WebP files by their extension in upper or lower case. Prefixes, suffixes and
    extensions are removed before names are compared. Unpaired files, names shared by several files, damaged files,
    GIFs and pairs of different sizes are errors; all of them are reported at once.

    With --ids, each line of the file must name an image: its path in the folder, without prefix, suffix and extension.

    --recursive searches a folder once: a link to a folder that is searched anyway is left out and named. Folders that
    cannot be read are errors. Hidden files and folders are left out.

    \b
    Example:
      segdata pair-list --images data/photos --labels data/masks --label_suffix _mask --dst_path data/train_lst.txt
    """
    report = folders.pair_list(images, labels, dst_path, progress=progress_bar, **options)
    emit(report, as_json, _pair_list_text)


def _pair_list_text(report: folders.FolderReport) -> str:
    verb = "written to" if report.written else "would be written to"
    kinds = ", ".join(f"{kind}: {count}" for kind, count in report.labels.items())
    lines = [
        f"{plural(report.samples, 'sample')} {verb} {report.path}",
        f"data root, to use with the list: --data_root {report.root}",
        f"labels by format: {kinds}",
    ]
    others = report.samples - report.labels.get(folders.INDEX_KIND, 0)
    if others:
        noun = f"label is not an {folders.INDEX_KIND}" if others == 1 else f"labels are not {folders.INDEX_KIND}s"
        lines.append(f"{others} {noun}, which hold class ids. Convert masks of any kind with segdata mask-map")
    if report.left_out:
        endings = ", ".join(f"{ending}: {count}" for ending, count in report.left_out.items())
        lines.append(f"left out, neither images nor labels: {endings}")
    lines += [f"left out, {what}: {count}" for what, count in report.unpaired.items()]
    if report.unlisted:
        lines.append(f"left out, names not in --ids: {report.unlisted}")
    if report.left_out_folders:
        lines.append(f"left out, links to folders that were already searched: {', '.join(report.left_out_folders)}")
    return "\n".join(lines)
