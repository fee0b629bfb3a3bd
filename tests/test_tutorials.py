"""The commands of the tutorials run in their order in a fresh folder, and the Chinese pages have the same commands.

Blocks of a page: `bash` is run, line by line; `text` after it has lines that were printed, whatever their numbers; the
options of `shell`, whose commands need an Ascend or a download, are checked.
"""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

import segdata.cli
import segtrain.cli
from segdata.console.lazy import CONTEXT
from segtrain.config.recipes import override, recipe

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted((ROOT / "docs" / "tutorials").glob("*.md"))
TRANSLATIONS = [(page, page.parent / "zh" / page.name) for page in PAGES]
TRANSLATIONS.append((ROOT / "README.md", ROOT / "README_CN.md"))
GROUPS = {"segdata": segdata.cli.main, "segtrain": segtrain.cli.main}

#: Pages whose commands of segtrain run. Those of the others take longer to compile: their options, and that the files
#: they read were made before, are checked.
TRAINED = ("deeplabv3-course", "unet-course")
#: A network that compiles in three seconds takes the place of those that the pages train.
SMALL_UNET = (
    "batch_size=4", "crop_size=66", "train_epochs=1", "repeat=1", "warmup_steps=0", "unet.width=4", "unet.poolings=1",
    "unet.patch=1", "unet.channels=3",
)  # fmt: skip
PLACES = ("data_file", "train_dir", "eval_data_file", "ckpt_pre_trained", "plot")


def _blocks(text: str) -> list[tuple[str, str]]:
    return re.findall(r"^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def _lines(block: str) -> list[str]:
    return [line for line in block.replace("\\\n", " ").splitlines() if line.strip()]


def _program(line: str) -> tuple[str, list[str]] | None:
    """Return the program of a command line and its arguments, or None if it is not one of ours."""
    words = shlex.split(line)
    return (words[0], words[1:]) if words[0] in GROUPS else None


def _command(program: str, name: str) -> click.Command:
    group = GROUPS[program]
    command = group.get_command(click.Context(group), name)
    assert command, f"{program} {name}: no such command"
    return command


def _options(program: str, words: list[str]) -> dict[str, Any]:
    """Return the options that are given to a command; raise for unknown options, choices and numbers."""
    command = _command(program, words[0])
    context = click.Context(command, info_name=words[0], **CONTEXT)
    given, _, _ = command.make_parser(context).parse_args(words[1:])
    checked = (click.Choice, click.types.IntParamType, click.types.FloatParamType)
    for parameter in command.params:
        if parameter.name in given and isinstance(parameter.type, checked):
            given[parameter.name] = parameter.type_cast_value(context, given[parameter.name])
    return given


def _check(program: str, words: list[str]) -> None:
    """Check the options of a command; those of a training also against its network."""
    given = _options(program, words)
    if words[0] == "fit":
        others = {"recipe_name", "settings", "modelarts_mode", "dataset_filename", *PLACES}
        flags = {name: value for name, value in given.items() if name not in others}
        override(recipe(given["recipe_name"]), flags, given.get("settings", ()))


def _small(words: list[str]) -> list[str]:
    """Return the command line of a training on the same files, of a network that compiles fast."""
    given = _options("segtrain", words)
    places = [word for place in PLACES if place in given for word in (f"--{place}", str(given[place]))]
    settings = (word for each in SMALL_UNET for word in ("--set", each))
    return ["fit", "--recipe", "unet_isbi_cpu", *places, *settings]


def _check_inputs(words: list[str], trained: set[str]) -> None:
    """Check that what a command of segtrain reads was made by a command before it; add what it trains to `trained`."""
    given = _options("segtrain", words)
    for name in ("data_file", "eval_data_file", "data_root", "data_lst", "images"):
        assert name not in given or Path(given[name]).exists(), words
    for name in ("ckpt_path", "ckpt_pre_trained"):
        assert name not in given or given[name] in trained, words
    if words[0] == "fit":
        trained.add(f"{given['train_dir']}/last.ckpt")
        if "eval_data_file" in given:
            trained.add(f"{given['train_dir']}/best.ckpt")


def _run(line: str) -> str:
    """Run a line of a page, and return what it prints."""
    command = _program(line)
    if command is None:
        return subprocess.run(["bash", "-euc", line], capture_output=True, text=True, check=True).stdout
    program, words = command
    if words[0] == "fit":
        words = _small(words)
    elif any(parameter.name == "workers" for parameter in _command(program, words[0]).params):
        # Starting worker processes would take longer than the work.
        words = [*words, "--workers", "1"]
    result = CliRunner().invoke(GROUPS[program], words)
    assert result.exit_code == 0, f"{line}\n{result.output}"
    return result.output


def _shape(line: str) -> str:
    """Return a line with each number replaced and with single blanks."""
    return " ".join(re.sub(r"\d+(\.\d+)?%?", "#", line).split())


def _missing(expected: str, printed: str) -> list[str]:
    """Return the lines that were not printed; `…` at the end of a line is any text."""
    found = [_shape(line) for line in printed.splitlines()]
    return [line for line in expected.splitlines() if not any(_fits(_shape(line), each) for each in found)]


def _fits(expected: str, line: str) -> bool:
    start, more, _ = expected.partition("…")
    return line.startswith(start.rstrip()) if more else line == expected


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_commands_of_a_tutorial_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    printed: str | None = ""
    trained: set[str] = set()
    for kind, block in _blocks(page.read_text()):
        if kind == "bash":
            commands = [(line, _program(line)) for line in _lines(block)]
            for _, command in commands:
                if command:
                    _check(*command)
            training = [command[1] for _, command in commands if command and command[0] == "segtrain"]
            for words in training:
                _check_inputs(words, trained)
            runs = not training or page.stem in TRAINED
            printed = "".join(_run(line) for line, _ in commands) if runs else None
        elif kind == "text" and printed is not None:
            assert _missing(block, printed) == [], printed


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_commands_for_an_ascend_have_known_options(page: Path) -> None:
    lines = [line for kind, block in _blocks(page.read_text()) if kind == "shell" for line in _lines(block)]
    for line in lines:
        if command := _program(line):
            _check(*command)
        else:
            script = shlex.split(line)[-1]
            assert (ROOT / script).is_file(), line


def _skeleton(text: str) -> dict[str, list[str]]:
    """Return what a translation shares with its original."""
    blocks = _blocks(text)
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    links = {link.rpartition("/")[2] for link in re.findall(r"\]\(([^)]+)", prose)}
    return {
        "headings": re.findall(r"^#+", prose, re.MULTILINE),
        "columns": [str(row.count(" | ")) for row in re.findall(r"^\|.*\|$", prose, re.MULTILINE)],
        "commands": [re.sub(r"\s+# .*", "", f"{kind}\n{block}") for kind, block in blocks],
        "code": sorted(set(re.findall(r"`([^`\n]+)`", prose))),
        "links": sorted(links - {"README.md", "README_CN.md"}),
    }


@pytest.mark.parametrize(("page", "translation"), TRANSLATIONS, ids=lambda page: page.stem)
def test_the_chinese_page_is_in_step(page: Path, translation: Path) -> None:
    translated, original = _skeleton(translation.read_text()), _skeleton(page.read_text())
    different = {part: set(original[part]) ^ set(translated[part]) for part in original}
    assert not any(different.values()), different
    assert translated == original
    assert re.search(r"[\u4e00-\u9fff]{4}", translation.read_text())
