"""Options of a command in sections."""

from __future__ import annotations

import click
from click.testing import CliRunner

from segdata.console.sections import SectionedCommand
from segtrain.cli.fit import fit_command


def test_each_option_is_under_its_heading_and_hidden_ones_under_none() -> None:
    command = SectionedCommand(
        "sow",
        params=[
            click.Argument(["field"]),
            click.Option(["--seed"], help="What to sow"),
            click.Option(["--deep"], is_flag=True, help="Deep"),
            click.Option(["--secret"], hidden=True, help="Hidden"),
        ],
        sections={"field": "Where", "deep": "How"},
    )
    output = CliRunner().invoke(command, ["--help"]).output
    assert output.split("\n\n")[1:] == [
        "Where:\n  --seed TEXT  What to sow",
        "How:\n  --deep  Deep\n  --help  Show this message and exit.\n",
    ]


def test_the_headings_of_fit_are_those_of_options_that_exist() -> None:
    assert isinstance(fit_command, SectionedCommand)
    assert {*fit_command.sections} <= {parameter.name for parameter in fit_command.params}
    output = CliRunner().invoke(fit_command, ["--help"]).output
    places = [
        output.index(text)
        for text in ("\nRecipe,", "--eval_data_file PATH", "\nSettings:", "--set KEY", "\nProgress and", "--tensor")
    ]
    assert places == sorted(places)
