"""The segtrain command line: each command collects its options, calls one function and renders the report."""

from __future__ import annotations

from typing import Any

import click

from segdata.console.lazy import CONTEXT
from segdata.console.render import CommandGroup
from segtrain.requirements import naming_the_extra

#: The commands in the order of the way, by heading in the help: module and name of each in this package, and the first
#: sentence of its help.
_COMMANDS = {
    "Before training": {
        "recipes": (
            "recipes:recipes_command",
            "List the recipes for fit, or print the recipe NAME as YAML.",
        ),
        "settings": (
            "settings:settings_command",
            "List the training settings, or explain the setting or choice NAME.",
        ),
        "convert-checkpoint": (
            "convert:convert_checkpoint_command",
            "Convert a checkpoint of another program into one that segtrain can start training from.",
        ),
        "rank-table": (
            "rank_table:rank_table_command",
            "Write the rank table of a run on Ascend, for launching without msrun.",
        ),
    },
    "Training and evaluation": {
        "fit": (
            "fit:fit_command",
            "Train a network on a record set.",
        ),
        "cross-validate": (
            "cross_validate:cross_validate_command",
            "Train on all folds but one, evaluate on that fold, and repeat for each; report mean and standard "
            "deviation.",
        ),
        "eval": (
            "evaluate:eval_command",
            "Evaluate a checkpoint on every row of a record set, or every sample of a list file.",
        ),
    },
    "Using a trained network": {
        "predict": (
            "predict:predict_command",
            "Segment images, each at its original size.",
        ),
        "export": (
            "export:export_command",
            "Export the network of a checkpoint as a single file for other programs: MindIR, ONNX or AIR.",
        ),
    },
}


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


for _section, _commands in _COMMANDS.items():
    for _name, (_place, _summary) in _commands.items():
        main.list_command(_name, f"segtrain.cli.{_place}", _summary, _section)
