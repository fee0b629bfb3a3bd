"""Documentation that tests keep true."""

from __future__ import annotations

import inspect
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from plain_english import foreign

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = runpy.run_path(str(ROOT / "scripts" / "cli_docs.py"))
COMMANDS: list[tuple[str, click.Command]] = SCRIPT["commands"]()


def test_the_command_reference_is_what_help_says() -> None:
    text = (ROOT / "docs" / "cli.md").read_text()
    assert text == SCRIPT["render"](), "run: python scripts/cli_docs.py"


@pytest.mark.parametrize(("name", "command"), COMMANDS, ids=[name for name, _ in COMMANDS])
def test_every_command_has_help_and_an_example_of_itself(name: str, command: click.Command) -> None:
    help_text = inspect.cleandoc(command.help or "")
    assert len(help_text.split("\n")[0]) > 20
    assert f"Example:\n  {name}" in help_text
    assert all(parameter.help for parameter in command.params if isinstance(parameter, click.Option))


@pytest.mark.parametrize(("name", "command"), COMMANDS, ids=[name for name, _ in COMMANDS])
def test_every_command_is_in_the_readme(name: str, command: click.Command) -> None:
    assert f"`{name}`" in (ROOT / "README.md").read_text()


def test_links_in_the_documentation_lead_somewhere() -> None:
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]:
        for target in re.findall(r"\]\((?!http)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize(("name", "command"), COMMANDS, ids=[name for name, _ in COMMANDS])
def test_help_is_plain_english(name: str, command: click.Command) -> None:
    assert foreign(command.get_help(click.Context(command, info_name=name))) == []


@pytest.mark.parametrize("program", ["segdata", "segtrain"])
def test_help_needs_none_of_the_heavy_libraries(program: str) -> None:
    heavy = ("mindspore", "scipy", "pycocotools", "matplotlib", "distributed", "cv2", "PIL.Image", "tifffile")
    code = (
        f"import sys; from click.testing import CliRunner; from {program}.cli import main;"
        "result = CliRunner().invoke(main, ['--help']); assert result.exit_code == 0, result.output;"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_python_example_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from segdata.miniature.voc import write_devkit
    from segdata.sources.voc import voc_decolor, voc_list

    write_devkit(tmp_path / "data", train=8, val=1)
    voc_decolor(tmp_path / "data")
    voc_list(tmp_path / "data")
    example = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert example
    monkeypatch.chdir(tmp_path)
    exec(compile(example[1], "README.md", "exec"), {})
    assert (tmp_path / "records" / "voc_train" / "manifest.json").is_file()


def test_the_source_of_the_contributors_page_works(tmp_path: Path) -> None:
    from segdata.errors import FaultsError
    from segdata.lists import read_list

    example = re.search(r"```python\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(), re.DOTALL)
    assert example
    names: dict[str, Any] = {}
    exec(compile(example[1], "CONTRIBUTING.md", "exec"), names)
    for name in ("a.jpg", "a_mask.png", "sub/b.jpg", "sub/b_mask.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert names["beside_list"](tmp_path, tmp_path / "list.txt") == 2
    assert [pair.label for pair in read_list(tmp_path / "list.txt")] == ["a_mask.png", "sub/b_mask.png"]
    (tmp_path / "sub" / "b_mask.png").unlink()
    with pytest.raises(FaultsError, match="1 of 2 images have no mask"):
        names["beside_list"](tmp_path, tmp_path / "list.txt", overwrite=True)
