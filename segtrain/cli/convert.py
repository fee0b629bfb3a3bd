"""The command that makes other programs' checkpoints usable here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from segdata.console.options import ANY_PATH, EXISTING_FILE, json_option, overwrite_option
from segdata.console.render import emit
from segtrain.checkpoints.naming import Goal, InputOrder
from segtrain.config.config import Backbone

if TYPE_CHECKING:
    from segtrain.checkpoints.convert import ConversionReport


@click.command("convert-checkpoint")
@click.argument("source", metavar="SRC", type=EXISTING_FILE)
@click.argument("target", metavar="DST", type=ANY_PATH)
@click.option(
    "--to",
    type=click.Choice(get_args(Goal)),
    required=True,
    help="The ResNet alone, or by the names of a whole network and with its head where SRC has one",
)
@click.option(
    "--backbone", type=click.Choice(get_args(Backbone)), help="Refuse another ResNet [default: the one in SRC]"
)
@click.option(
    "--input_order",
    type=click.Choice(get_args(InputOrder)),
    help="Colors of SRC's input [default: those of its family]",
)
@overwrite_option
@json_option
def convert_checkpoint_command(source: Path, target: Path, as_json: bool, **options: Any) -> None:
    """Write a checkpoint of another program as one that a training here can start from.

    SRC is a ResNet of torchvision or timm (.safetensors; .pth where PyTorch is installed), of MindSpore's model zoo or
    of MindCV (.ckpt), or a checkpoint of segtrain, from which --to backbone cuts the backbone. Whose names it has is
    found out and said; a backbone that is not complete is an error.

    \b
    Example:
      segtrain convert-checkpoint resnet101.safetensors resnet101.ckpt --to backbone
    """
    from segtrain.checkpoints import convert

    report = convert.convert_checkpoint(source, target, **options)
    emit(report, as_json, _text)


def _text(report: ConversionReport) -> str:
    flipped = ", its first convolution turned round to RGB" if report.input_order == "bgr" else ""
    lines = [
        f"{report.source}: {report.backbone}, names of {report.naming}, input {report.input_order.upper()}{flipped}",
        f"{report.mapped} parameters of the backbone written to {report.target}, none missing",
    ]
    if report.to == "model":
        head = (
            f"{report.head} parameters beside the backbone written too" if report.head else "no head: fit begins anew"
        )
        lines.append(head)
    if report.left_out:
        lines.append("left out: " + ", ".join(f"{count} of {kind}" for kind, count in report.left_out.items()))
    return "\n".join(lines)
