"""Documentation that tests keep true."""

from __future__ import annotations

import inspect
import json
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from plain_english import foreign

import segdata
from segdata.console.lazy import CONTEXT

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = runpy.run_path(str(ROOT / "scripts" / "cli_docs.py"))
COMMANDS: list[tuple[str, click.Command]] = SCRIPT["commands"]()


@pytest.mark.parametrize("page", SCRIPT["PAGES"])
def test_the_generated_pages_are_up_to_date(page: str) -> None:
    if page.startswith("json"):
        pytest.importorskip("mindspore")
    assert (ROOT / "docs" / page).read_text() == SCRIPT["PAGES"][page](), "run: python scripts/cli_docs.py"


@pytest.mark.parametrize(("name", "command"), COMMANDS, ids=[name for name, _ in COMMANDS])
def test_every_command_has_help_and_an_example_of_itself(name: str, command: click.Command) -> None:
    help_text = inspect.cleandoc(command.help or "")
    assert len(help_text.split("\n")[0]) > 20
    assert f"Example:\n  {name}" in help_text
    assert all(parameter.help for parameter in command.params if isinstance(parameter, click.Option))


@pytest.mark.parametrize(("name", "command"), COMMANDS, ids=[name for name, _ in COMMANDS])
def test_every_command_is_in_the_readme(name: str, command: click.Command) -> None:
    assert f"`{name}`" in (ROOT / "README.md").read_text()


def test_the_page_of_json_reports_has_every_command() -> None:
    page = (ROOT / "docs" / "json.md").read_text().partition("## Reports by command")[2]
    named = re.findall(r"^\| `(seg\w+ [\w-]+)` \|", page, re.MULTILINE)
    assert sorted(named) == sorted(name for name, _ in COMMANDS)


def test_the_place_of_a_result_is_a_sentence_with_complete_names() -> None:
    pytest.importorskip("mindspore")
    table = SCRIPT["PAGES"]["json.md"]().partition("## Reports by command")[2].partition("\n## ")[0]
    rows = [row for row in table.splitlines() if row.startswith("|")]
    assert len(rows) > len(COMMANDS)
    assert [row for row in rows if row.count("`") % 2 or row.endswith(". |")] == []


def test_every_key_of_a_report_has_a_meaning() -> None:
    page = (ROOT / "docs" / "json.md").read_text().partition("## Keys of each report")[2]
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \| (.*) \|$", page, re.MULTILINE)
    assert len(rows) > 200
    assert [key for key, _, meaning in rows if not meaning] == []


def test_links_within_the_page_of_json_reports_lead_to_a_heading() -> None:
    page = (ROOT / "docs" / "json.md").read_text()
    headings = {heading.lower() for heading in re.findall(r"^### (\w+)$", page, re.MULTILINE)}
    assert {*re.findall(r"\]\(#(\w+)\)", page)} <= headings


def test_keys_that_mean_the_same_everywhere_are_keys_of_reports() -> None:
    top, _, tables = (ROOT / "docs" / "json.md").read_text().partition("## A command that fails")
    rows = re.findall(r"^\| (`.*?`) \|", top, re.MULTILINE)
    keys = {key for row in rows for key in re.findall(r"`(\w+)`", row)}
    assert keys and keys <= {*re.findall(r"^\| `(\w+)` \|", tables, re.MULTILINE)}


def test_results_go_to_dst_path_whatever_else_it_is_called() -> None:
    for name, command in COMMANDS:
        options = {option: parameter for parameter in command.params for option in parameter.opts}
        for other in {"--out", "--train_dir", "--html"} & {*options}:
            assert "--dst_path" in options, f"{name} {other}"


def test_links_in_the_documentation_lead_somewhere() -> None:
    for page in [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]:
        for target in re.findall(r"\]\((?!http)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize(("name", "command"), COMMANDS, ids=[name for name, _ in COMMANDS])
def test_help_is_plain_english(name: str, command: click.Command) -> None:
    assert foreign(command.get_help(click.Context(command, info_name=name, **CONTEXT))) == []


@pytest.mark.parametrize("program", ["segdata", "segtrain"])
def test_help_needs_none_of_the_heavy_libraries(program: str) -> None:
    heavy = ("mindspore", "scipy", "pycocotools", "matplotlib", "distributed", "cv2", "PIL.Image", "tifffile")
    list_of_commands = (*heavy, "numpy", "msgspec", "sqlite3", "filelock", "concurrent.futures")
    code = (
        f"import sys; from click.testing import CliRunner; from {program}.cli import main\n"
        "result = CliRunner().invoke(main, ['--help']); assert result.exit_code == 0, result.output\n"
        f"print([name for name in {list_of_commands!r} if name in sys.modules])\n"
        "for command in main.commands:\n"
        "    result = CliRunner().invoke(main, [command, '--help']); assert result.exit_code == 0, result.output\n"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n") == ["[]", "[]", ""]


def test_the_citation_has_the_version_and_the_license_of_the_package() -> None:
    import yaml

    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert (citation["version"], citation["license"]) == (segdata.__version__, "Apache-2.0")
    assert {"cff-version", "message", "title", "authors"} <= set(citation)


def test_workflow_and_hooks_run_scripts_of_the_repository() -> None:
    import yaml

    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "test.yml").read_text())
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    run = [step["run"] for job in workflow["jobs"].values() for step in job["steps"] if "run" in step]
    run += [hook["entry"] for repository in hooks["repos"] for hook in repository["hooks"]]
    assert len(run) == 4
    for command in run:
        program, script = command.split()
        assert (program, (ROOT / script).is_file()) == ("bash", True), command


@pytest.mark.parametrize("package", ["segdata", "segtrain"])
def test_every_file_of_a_package_is_in_the_wheel(package: str) -> None:
    listed = re.search(rf"^{package} = (\[.*\])$", (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert listed
    shipped = {path for pattern in json.loads(listed[1]) for path in (ROOT / package).glob(pattern)}
    files = {path for path in (ROOT / package).rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    assert {path for path in files if path.suffix != ".py"} == shipped
    folders = {path.parent for path in files if path.suffix == ".py"}
    assert [folder for folder in folders if not (folder / "__init__.py").is_file()] == []


def test_the_python_example_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from segdata.miniature.voc import write_devkit
    from segdata.sources.voc import voc_list
    from segdata.sources.voc_decolor import voc_decolor

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
