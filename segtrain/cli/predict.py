"""The command that segments images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from segdata.cli.location import location_option, work_dir_option
from segdata.cli.options import EXISTING_DIR, json_option, overwrite_option
from segdata.cli.render import FAILED, emit, progress_bar
from segdata.errors import name_first
from segtrain.cli.options import INFERENCE, options_of

if TYPE_CHECKING:
    from segtrain.predict import PredictReport


@click.command("predict")
@location_option("--images", required=True, help="A directory of images, an image list or an image")
@click.option(
    "--data_root", type=EXISTING_DIR, help="Of a list: what its paths are relative to [default: the list's folder]"
)
@location_option("--out", required=True, help="Directory to write")
@options_of(INFERENCE)
@work_dir_option
@overwrite_option
@json_option
@click.pass_context
def predict(context: click.Context, /, as_json: bool, **options: Any) -> None:
    """Segment images: class ids, the same in colour, and an overlay, each at the image's own size.

    They go to index, palette and overlay below --out. An image list has one path a line; of a list file its images
    are taken. Images that cannot be read are named at the end; exit 1 then.

    \b
    Example:
      segtrain predict --images photos --ckpt_path runs/voc/best.ckpt --out segmented
    """
    from segtrain import remote

    report = remote.predict(progress=progress_bar, **options)
    emit(report, as_json, _predict_text)
    context.exit(FAILED if report.faults else 0)


def _predict_text(report: PredictReport) -> str:
    lines = [f"{report.images} images segmented into {report.directory}; found {', '.join(report.classes)}"]
    if report.faults:
        lines += [f"{len(report.faults)} images cannot be read:", name_first(report.faults)]
    return "\n".join(lines)
