"""The command line of segtrain: each command collects its options, makes one call and renders the report."""

from __future__ import annotations

import click

from segdata.console.options import CONTEXT
from segdata.console.render import CommandGroup
from segtrain.cli.convert import convert_checkpoint
from segtrain.cli.cross_validate import cross_validate
from segtrain.cli.evaluate import evaluate
from segtrain.cli.export import export
from segtrain.cli.fit import fit
from segtrain.cli.predict import predict
from segtrain.cli.rank_table import rank_table
from segtrain.cli.recipes import recipes


@click.group(cls=CommandGroup, context_settings=CONTEXT)
@click.version_option(package_name="segdata")
def main() -> None:
    """Train, evaluate and use segmentation networks on record sets."""


for _command in (fit, evaluate, predict, cross_validate, export, convert_checkpoint, recipes, rank_table):
    main.add_command(_command)
