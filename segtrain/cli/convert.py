"""The `convert-checkpoint` command: convert checkpoints of other programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from segdata.console.options import ANY_PATH, EXISTING_FILE, json_option, overwrite_option, read_classes
from segdata.console.render import emit
from segdata.text import plural
from segtrain.checkpoints.naming import Goal, InputOrder
from segtrain.cli.options import NameChoice
from segtrain.config.networks import Backbone, ZooModel

if TYPE_CHECKING:
    from segtrain.checkpoints.convert import ConversionReport


@click.command("convert-checkpoint")
@click.argument("source", metavar="SRC", type=EXISTING_FILE)
@click.argument("target", metavar="DST", type=ANY_PATH)
@click.option(
    "--to",
    type=click.Choice(get_args(Goal)),
    required=True,
    help="Write the ResNet only, or use the names of a complete network and include its head if SRC has one",
)
@click.option(
    "--backbone",
    type=click.Choice(get_args(Backbone)),
    help="Refuse SRC if it contains another ResNet [default: accept any]",
)
@click.option(
    "--input_order",
    type=click.Choice(get_args(InputOrder)),
    help="Color order of the images that SRC was trained on [default: as usual for its naming scheme]",
)
@click.option(
    "--model",
    type=NameChoice(get_args(ZooModel)),
    help="With --class_names: network in SRC; required for the model zoo, whose weights do not show the output stride",
)
@click.option(
    "--class_names",
    type=EXISTING_FILE,
    help="Keep the head of a DeepLab of the model zoo or torchvision: names of its classes in id order, one per line, "
    "or a map file",
)
@click.option(
    "--ignore_label",
    type=click.IntRange(0, 255),
    help="With --class_names: label that SRC was trained to ignore [default: 255]",
)
@overwrite_option
@json_option
def convert_checkpoint_command(
    source: Path, target: Path, class_names: Path | None, ignore_label: int | None, as_json: bool, **options: Any
) -> None:
    """Convert a checkpoint of another program into one that segtrain can start training from.

    SRC is a ResNet from torchvision or timm (.safetensors, or .pth if PyTorch is installed), from MindSpore's model zoo
    or MindCV (.ckpt), or a segtrain checkpoint, from which --to backbone extracts the backbone. The naming scheme is
    detected and reported; an incomplete backbone is an error.

    With --class_names, a DeepLab of the model zoo, or a DeepLabV3 of torchvision, is converted with its head, and can
    be evaluated.

    \b
    Example:
      segtrain convert-checkpoint resnet101.safetensors resnet101.ckpt --to backbone
      segtrain convert-checkpoint deeplabv3_s8.ckpt zoo.ckpt --to model --model DeepLabV3_s8 \\
          --class_names voc_names.txt
      segtrain convert-checkpoint deeplabv3_resnet101.pth voc.ckpt --to model --class_names voc_names.txt
    """
    from segtrain.checkpoints import convert

    if class_names is None and (ignore_label is not None or options["model"]):
        raise click.UsageError("--model and --ignore_label have no effect without --class_names, which keeps the head")
    classes = read_classes(None, class_names, ignore_label)
    report = convert.convert_checkpoint(source, target, classes=classes, **options)
    emit(report, as_json, _text)


def _text(report: ConversionReport) -> str:
    flipped = ", first convolution flipped to RGB" if report.input_order == "bgr" else ""
    lines = [
        f"{report.source}: {report.backbone}, parameter names of {report.naming}, {report.input_order.upper()} input"
        f"{flipped}",
        f"{report.mapped} backbone parameters written to {report.path}, none missing",
    ]
    if report.to == "model":
        others = f"{plural(report.head, 'parameter')} outside the backbone"
        head = f"{others} written too" if report.head else "no head written; fit initializes it from scratch"
        lines.append(head)
    if report.left_out:
        lines.append("left out: " + ", ".join(f"{kind} ({count})" for kind, count in report.left_out.items()))
    return "\n".join(lines)
