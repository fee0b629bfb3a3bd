"""The `predict` command: segment images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from segdata.console.location import location_option, work_dir_option
from segdata.console.options import EXISTING_DIR, json_option, overwrite_option
from segdata.console.render import FAILED, emit, progress_bar
from segdata.text import plural
from segtrain.cli.instances import instances_found, unreadable
from segtrain.cli.options import INFERENCE, options_of, with_settings

if TYPE_CHECKING:
    from segtrain.inference.semantic.predict import PredictReport


@click.command("predict")
@location_option("--images", required=True, help="Directory of images, image list or single image")
@click.option(
    "--data_root",
    type=EXISTING_DIR,
    help="For a list: folder that its paths are relative to [default: the list's folder]",
)
@location_option("--out", required=True, help="Directory to write to")
@options_of(INFERENCE)
@click.option("--score", type=float, help="Instances: lowest score to keep [default: 0.5]")
@click.option("--cutout", is_flag=True, default=None, help="Instances: also cut them out of the background")
@work_dir_option
@overwrite_option
@json_option
@click.pass_context
def predict_command(context: click.Context, /, as_json: bool, **options: Any) -> None:
    """Segment images, each at its original size.

    Semantic networks write class ids, color masks and overlays to the folders index, palette and overlay in --out. Mask
    R-CNN writes the folders overlay and, with --cutout, cutout; results.json has boxes and masks as COCO results.

    An image list has one path per line; from a list file, only the images are used. Images that cannot be read or are
    too large for the memory are listed at the end, and the exit status is 1.

    --fit tiles segments large images at full resolution, in overlapping tiles of the crop size.

    \b
    Example:
      segtrain predict --images photos --ckpt_path runs/voc/best.ckpt --out segmented
    """
    from segtrain.remote import programs

    report = programs.predict(progress=progress_bar, **with_settings(options))
    if report.task == "instance":
        emit(report, as_json, instances_found)
    else:
        emit(report, as_json, _predict_text)
    context.exit(FAILED if report.faults else 0)


def _predict_text(report: PredictReport) -> str:
    lines = [
        f"all {report.loaded} parameters loaded",
        f"{plural(report.images, 'image')} segmented into {report.directory}; found {', '.join(report.classes)}",
    ]
    return "\n".join([*lines, *unreadable(report.faults)])
