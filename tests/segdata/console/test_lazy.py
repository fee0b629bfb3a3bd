"""The list of commands; tests/test_docs.py tests what it does not import."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from segdata.cli import main as segdata_main
from segdata.console.lazy import LazyGroup
from segtrain.cli import main as segtrain_main


@pytest.mark.parametrize("program", [segdata_main, segtrain_main])
def test_the_list_has_the_first_sentence_of_each_command(program: LazyGroup) -> None:
    listed = {name: command.get_short_help_str(1000) for name, command in program.commands.items()}
    loaded = {name: program.get_command(click.Context(program), name) for name in listed}
    assert {name: command and command.get_short_help_str(1000) for name, command in loaded.items()} == listed
    assert {name: command and command.name for name, command in loaded.items()} == {name: name for name in listed}


def test_a_command_is_imported_when_it_is_used() -> None:
    group = LazyGroup("program")
    group.list_command("sample", "segdata.cli.miniature:sample_command", f"Draw {'and write ' * 20}.", "Try it")
    output = CliRunner().invoke(group, ["--help"]).output
    assert "Try it:\n  sample  Draw" in output
    assert output.count("write") == 20
    context = click.Context(group)
    command = group.get_command(context, "sample")
    assert command
    assert command is group.get_command(context, "sample")
    assert any("--json" in parameter.opts for parameter in command.params)
    assert group.get_command(context, "other") is None


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("--json info a.txt", "No such option '--json' before the command. Put the options of info after it."),
        ("-q --overwrite info a.txt", "No such option '--overwrite' before the command."),
        ("--hepl", "Did you mean '--help'?"),
    ],
)
def test_an_option_of_a_command_before_its_name_is_said_to_belong_after_it(line: str, message: str) -> None:
    result = CliRunner().invoke(segdata_main, line.split())
    assert (result.exit_code, message in result.stderr) == (2, True)
