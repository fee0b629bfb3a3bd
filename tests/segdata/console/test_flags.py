"""Flags with a value: accepted as programs with argparse take them."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from PIL import Image

import segdata
from segdata.cli import main
from segdata.console.flags import plain_flags

COMMAND = click.Command(
    "fit",
    params=[
        click.Option(["--shuffle/--no-shuffle"]),
        click.Option(["--freeze_bn"], is_flag=True),
        click.Option(["--name"]),
        click.Argument(["path"]),
    ],
)


@pytest.mark.parametrize(
    ("given", "plain"),
    [
        ("--shuffle=True a", "--shuffle a"),
        ("--shuffle True a", "--shuffle a"),
        ("--shuffle=False", "--no-shuffle"),
        ("--shuffle false --freeze-bn=true", "--no-shuffle --freeze-bn"),
        ("--freeze_bn=False --name True", "--name True"),
        ("--freeze_bn list.txt", "--freeze_bn list.txt"),
        ("--shuffle=maybe", "--shuffle=maybe"),
        ("--name=True True", "--name=True True"),
        ("-- --shuffle=True", "-- --shuffle=True"),
        ("--freeze_bn True True", "--freeze_bn True"),
    ],
)
def test_values_of_flags_are_understood(given: str, plain: str) -> None:
    assert plain_flags(COMMAND, given.split()) == plain.split()


def test_the_published_shuffle_decides_the_order_of_the_rows(tmp_path: Path) -> None:
    for number in range(6):
        for name in (f"{number}.jpg", f"{number}.png"):
            Image.new("L", (4, 4), number % 2).save(tmp_path / name)
    (tmp_path / "list.txt").write_text("".join(f"{number}.jpg {number}.png\n" for number in range(6)))
    names = {}
    for value in ("True", "False"):
        target = tmp_path / value
        given = ["--data_lst", tmp_path / "list.txt", "--dst_path", target, f"--shuffle={value}", "--num_shards", 1]
        result = CliRunner().invoke(main, ["to-mindrecord", *map(str, given)])
        assert result.exit_code == 0, result.output
        names[value] = [row["file_name"] for row in segdata.read_rows(segdata.open_set(target))]
    assert names["False"] == [f"{number}.jpg" for number in range(6)]
    assert names["True"] != names["False"]
    assert sorted(names["True"]) == names["False"]
