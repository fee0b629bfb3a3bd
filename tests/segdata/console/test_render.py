"""Commands that fail: the exit status, the message, and with --json an object with every fault."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from segdata.cli import main as segdata_main
from segdata.console.render import CommandGroup, Terminated, table
from segdata.errors import Fault, FaultsError, SegDataError, TargetExistsError
from segtrain.cli import main as segtrain_main

FAULTS = [*(Fault("missing_image", f"{number}.jpg", "missing") for number in range(12)), "the name 'a' twice"]


@pytest.fixture
def failing() -> Iterator[click.Group]:
    """A program with one command, which raises what a test puts into `failing.error`."""

    @click.group(cls=CommandGroup)
    def program() -> None: ...

    @program.command()
    @click.option("--json", "as_json", is_flag=True)
    @click.argument("names", nargs=-1)
    def work(as_json: bool, names: tuple[str, ...]) -> None:
        raise program.error  # type: ignore[attr-defined]

    yield program


def run(program: click.Group, error: BaseException, *arguments: str) -> Result:
    program.error = error  # type: ignore[attr-defined]
    return CliRunner().invoke(program, ["work", *arguments])


def caused(error: SegDataError, cause: Exception) -> SegDataError:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (SegDataError("a.png: is empty"), 1, "a.png: is empty"),
        (TargetExistsError("out: exists", replaceable=True), 1, "out: exists (--overwrite replaces it)"),
        (OSError(28, "No space left on device", "out"), 1, "out: No space left on device"),
        (click.UsageError("give one"), 2, "give one"),
        (KeyboardInterrupt(), 130, "Interrupted"),
        (KeyboardInterrupt("1 of 2 done"), 130, "Interrupted: 1 of 2 done. Use --resume to continue."),
        (Terminated(), 143, "Interrupted"),
    ],
)  # fmt: skip
def test_a_failure_is_a_sentence_and_an_object(
    error: BaseException, status: int, text: str, failing: click.Group
) -> None:
    usual = run(failing, error)
    assert (usual.exit_code, usual.stdout) == (status, "")
    assert text in usual.stderr
    as_json = run(failing, error, "--json")
    assert (as_json.exit_code, as_json.stderr) == (status, usual.stderr)
    assert json.loads(as_json.stdout) == {"report": "error", "error": text, "faults": []}


@pytest.mark.parametrize("wrapped", [False, True])
def test_all_faults_are_in_the_object_and_ten_in_the_message(wrapped: bool, failing: click.Group) -> None:
    error: SegDataError = FaultsError("13 faults", FAULTS)
    if wrapped:
        error = caused(SegDataError("the upload failed"), error)
    ended = run(failing, error, "--json")
    found = json.loads(ended.stdout)
    assert found["error"] == ("the upload failed" if wrapped else "13 faults")
    assert found["faults"][0] == {"code": "missing_image", "where": "0.jpg", "what": "missing"}
    assert found["faults"][12] == {"code": "invalid", "where": "", "what": "the name 'a' twice"}
    assert len(found["faults"]) == 13
    assert wrapped or ended.stderr.endswith("  9.jpg: missing\n  … and 3 more\n")


def test_an_argument_named_like_the_option_is_not_the_option(failing: click.Group) -> None:
    assert run(failing, SegDataError("no"), "--", "--json").stdout == ""


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [(["--json=true"], True), (["--json", "True"], True), (["--json=False"], False), (["--json", "false"], False)],
)
def test_the_option_may_have_a_value(failing: click.Group, arguments: list[str], wanted: bool) -> None:
    assert bool(run(failing, SegDataError("no"), *arguments).stdout) == wanted


def test_names_that_are_not_unicode_are_escaped_in_the_object(failing: click.Group) -> None:
    ended = run(failing, FaultsError("1 fault", [Fault("unreadable", "caf\udce9.png", "is a FIFO")]), "--json")
    assert json.loads(ended.stdout)["faults"][0]["where"] == "caf\udce9.png"
    assert "\\udce9" in ended.stdout


@pytest.mark.parametrize("program", [segdata_main, segtrain_main])
def test_every_command_has_the_option_and_says_in_json_what_is_wrong_with_its_line(program: click.Group) -> None:
    for name in list(program.commands):
        command = program.get_command(click.Context(program), name)
        assert command and any("--json" in parameter.opts for parameter in command.params), name
        ended = CliRunner().invoke(program, [name, "--unheard-of", "--json"])
        assert ended.exit_code == 2
        assert json.loads(ended.stdout)["error"].startswith("No such option"), name


def test_to_mindrecord_names_every_fault_in_json(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("".join(f"{number}.jpg {number}.png\n" for number in range(6)))
    line = ["to-mindrecord", str(tmp_path / "list.txt"), "--dst_path", str(tmp_path / "set"), "--json"]
    ended = CliRunner().invoke(segdata_main, line)
    assert ended.exit_code == 1
    found = json.loads(ended.stdout)
    assert "12 faults; nothing was written" in found["error"]
    assert len(found["faults"]) == 12
    assert "… and 2 more" in ended.stderr


@pytest.mark.parametrize("name", ["cat", "\u4eba\u7269", "\U0001f408", "cafe\u0301", "a\nb", "a\tb", "\x1b[31mred"])
def test_columns_of_a_table_are_aligned_whatever_a_name_contains(name: str) -> None:
    header, *lines = table([("class", "pixels"), (name, "7"), ("dog", "1234")], right=(1,)).split("\n")
    assert len(lines) == 2 and header.endswith("pixels")
    # Of two wide letters, each takes two columns; a mark above another letter takes none.
    columns = {"\u4eba\u7269": 4, "\U0001f408": 2, "cafe\u0301": 4, "a\nb": 4, "a\tb": 4, "\x1b[31mred": 11}.get(
        name, 3
    )
    width = max(columns, len("class")) + len("  pixels")
    shown = lines[0].removesuffix("7").rstrip(" ")
    assert columns + len(lines[0]) - len(shown) == width
    assert lines[1].endswith("1234") and len(lines[1]) == len(header) == width
