"""The `export` command: export a trained network for other programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

import click

from segdata.console.location import location_option, work_dir_option
from segdata.console.options import ANY_PATH, json_option, overwrite_option
from segdata.console.render import emit, progress_bar
from segtrain.config.config import DeviceTarget, FileFormat

if TYPE_CHECKING:
    from segtrain.exporting.export import ExportReport

#: Why the logits of a file in this format may not have been compared; those of MindIR always are.
_NOT_COMPARED = {"onnx": "this needs onnxruntime, which is not installed", "air": "AIR cannot be loaded back"}


@click.command("export")
@location_option(
    "--ckpt_path",
    "--checkpoint_url",
    required=True,
    exists=True,
    help="Checkpoint, with its .json next to it, or the directory of a training run",
)
@click.option(
    "--format",
    "file_format",
    type=click.Choice(get_args(FileFormat)),
    default="mindir",
    show_default=True,
    help="File format",
)
@click.option(
    "--out",
    "--dst_path",
    type=ANY_PATH,
    required=True,
    help="File to write; its extension must be the name of the format",
)
@click.option("--crop_size", type=int, help="Height and width of the input [default: as in training]")
@click.option("--batch_size", type=click.IntRange(min=1), default=1, show_default=True, help="Images per input batch")
@click.option(
    "--device_target",
    type=click.Choice(get_args(DeviceTarget)),
    default="CPU",
    show_default=True,
    help="Device to run the network on; AIR needs Ascend",
)
@work_dir_option
@overwrite_option
@json_option
def export_command(as_json: bool, **options: Any) -> None:
    """Export the network of a checkpoint as a single file for other programs: MindIR, ONNX or AIR.

    The file maps normalized images (N, 3, H, W) to logits (N, classes, H, W) of fixed sizes. A JSON file next to it
    says how to normalize and names the classes. To check a MindIR file, it is loaded back and its logits are compared
    with the checkpoint's; an ONNX file too, if onnxruntime is installed.

    \b
    Example:
      segtrain export --ckpt_path runs/voc/best.ckpt --format onnx --out voc.onnx
    """
    from segtrain.exporting.export import export

    emit(export(progress=progress_bar, **options), as_json, _text)


def _text(report: ExportReport) -> str:
    shapes = (" x ".join(map(str, shape)) for shape in (report.info.input_shape, report.info.output_shape))
    compared = (
        f"logits not compared: {_NOT_COMPARED[report.file_format]}"
        if report.difference is None
        else f"when loaded back, logits differ by at most {report.difference:.2g} (the largest is {report.largest:.3g})"
    )
    return "\n".join(
        [
            f"{report.info.model} written to {report.path}, {report.bytes / 1e6:.1f} MB; input format in "
            f"{report.side_file}",
            f"images {next(shapes)}, logits {next(shapes)}; {compared}",
        ]
    )
