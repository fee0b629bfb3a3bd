"""The command that writes miniatures."""

from __future__ import annotations

from pathlib import Path

import click

from segdata.cli.options import ANY_PATH, json_option
from segdata.cli.render import emit
from segdata.sample import voc


@click.command("sample")
@click.argument("directory", metavar="DIR", type=ANY_PATH)
@click.option("--train", type=click.IntRange(min=1), default=24, show_default=True, help="Images of the train split")
@click.option("--val", type=click.IntRange(min=1), default=8, show_default=True, help="Images of the val split")
@click.option("--seed", type=int, default=0, show_default=True, help="The same seed gives the same files")
@json_option
def make_sample(directory: Path, train: int, val: int, seed: int, as_json: bool) -> None:
    """Write a miniature VOC devkit: coloured shapes on textured ground, palette masks with void borders.

    \b
    Example:
      segdata sample miniature
    """
    emit(voc.write_devkit(directory, train=train, val=val, seed=seed), as_json, _sample_text)


def _sample_text(report: voc.SampleReport) -> str:
    classes = ", ".join(report.classes)
    return f"{report.train} train and {report.val} val images with {classes} in {report.root}/VOCdevkit/VOC2012"
