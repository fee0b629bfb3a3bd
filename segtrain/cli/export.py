"""The command that hands a trained network to other programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from segdata.console.location import location_option, work_dir_option
from segdata.console.options import ANY_PATH, json_option, overwrite_option
from segdata.console.render import emit, progress_bar
from segtrain.config.config import DeviceTarget, FileFormat

if TYPE_CHECKING:
    from segdata.store.url import Location
    from segtrain.exporting.export import ExportReport


@click.command("export")
@location_option("--ckpt_path", "--checkpoint_url", required=True, help="Checkpoint, its .json beside it")
@click.option(
    "--format",
    "file_format",
    type=click.Choice(get_args(FileFormat)),
    default="mindir",
    show_default=True,
    help="What the file is",
)
@click.option("--out", type=ANY_PATH, required=True, help="File to write; its name ends as the format is called")
@click.option("--crop_size", type=int, help="Height and width of the input [default: the training's]")
@click.option("--batch_size", type=click.IntRange(min=1), default=1, show_default=True, help="Images in the input")
@click.option(
    "--device_target",
    type=click.Choice(get_args(DeviceTarget)),
    default="CPU",
    show_default=True,
    help="Where the network runs; AIR needs Ascend",
)
@work_dir_option
@overwrite_option
@json_option
def export_command(ckpt_path: Location, work_dir: Path | None, as_json: bool, **options: Any) -> None:
    """Write the network of a checkpoint as one file for other programs: MindIR, ONNX or AIR.

    It maps normalized images (N, 3, H, W) to logits (N, classes, H, W); sizes are fixed. How to normalize, and the
    names of the classes, stand in a JSON file beside it. MindIR is loaded back and its logits are compared with the
    checkpoint's; ONNX, too, where onnxruntime is installed.

    \b
    Example:
      segtrain export --ckpt_path runs/voc/best.ckpt --format onnx --out voc.onnx
    """
    from segtrain.exporting import export as exporting
    from segtrain.remote.programs import local_checkpoint

    checkpoint = local_checkpoint(ckpt_path, work_dir=work_dir, progress=progress_bar)
    emit(exporting.export(checkpoint, **options), as_json, _text)


def _text(report: ExportReport) -> str:
    shapes = (" x ".join(map(str, shape)) for shape in (report.info.input_shape, report.info.output_shape))
    compared = (
        "its logits were not compared: nothing here runs the format"
        if report.difference is None
        else f"loaded back, its logits differ by {report.difference:.2g} at most (the largest is {report.largest:.3g})"
    )
    return "\n".join(
        [
            f"{report.info.model} written to {report.path}, {report.bytes / 1e6:.1f} MB; how to feed it to "
            f"{report.side_file}",
            f"images {next(shapes)}, logits {next(shapes)}; {compared}",
        ]
    )
