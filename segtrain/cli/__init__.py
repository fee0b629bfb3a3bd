"""The segtrain command line: each command collects its options, calls one function and renders the report."""

from __future__ import annotations

from typing import Any

import click

from segdata.console.options import CONTEXT
from segdata.console.render import CommandGroup
from segtrain.cli.convert import convert_checkpoint_command
from segtrain.cli.cross_validate import cross_validate_command
from segtrain.cli.evaluate import eval_command
from segtrain.cli.export import export_command
from segtrain.cli.fit import fit_command
from segtrain.cli.predict import predict_command
from segtrain.cli.rank_table import rank_table_command
from segtrain.cli.recipes import recipes_command
from segtrain.requirements import naming_the_extra


class _Commands(CommandGroup):
    """Group whose commands say how to install MindSpore where it is missing."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        with naming_the_extra():
            return super().invoke(ctx)


@click.group(cls=_Commands, context_settings=CONTEXT)
@click.version_option(package_name="segdata")
def main() -> None:
    """Train, evaluate and use segmentation networks on record sets."""


for _command in (
    fit_command,
    eval_command,
    predict_command,
    cross_validate_command,
    export_command,
    convert_checkpoint_command,
    recipes_command,
    rank_table_command,
):
    main.add_command(_command)
