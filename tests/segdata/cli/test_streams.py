"""Every command with standard streams that are closed, full or unread: its work is done, or a sentence says why not."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from command_lines import SEGDATA

from segdata.cli import main


@pytest.fixture
def root(inputs: Path, tmp_path: Path) -> Path:
    shutil.copytree(inputs, tmp_path / "data")
    return tmp_path / "data"


def shell(line: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a line of the shell, in which ``$SEGDATA`` is the program."""
    environment = {**os.environ, "SEGDATA": f"{sys.executable} -m segdata", **variables}
    return subprocess.run(["bash", "-c", line], cwd=cwd, env=environment, capture_output=True, text=True)


def contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_every_command_is_tested_here() -> None:
    assert set(SEGDATA) == set(main.commands)


@pytest.mark.parametrize("command", SEGDATA)
def test_a_command_does_its_work_without_standard_streams(
    command: str, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, segdata: Callable[..., Result]
) -> None:
    shutil.copytree(root, tmp_path / "usual")
    monkeypatch.chdir(tmp_path / "usual")
    usual = segdata(command, *SEGDATA[command].split())
    assert usual.exit_code == 0, usual.output
    assert usual.stdout
    closed = shell(f"$SEGDATA {command} {SEGDATA[command]} 0<&- 1>&- 2>&-", root)
    assert (closed.returncode, closed.stdout, closed.stderr) == (0, "", "")
    assert contents(root) == contents(tmp_path / "usual")


@pytest.mark.parametrize("command", SEGDATA)
def test_a_report_that_cannot_be_written_is_a_sentence(command: str, root: Path) -> None:
    full = shell(f"$SEGDATA {command} {SEGDATA[command]} >/dev/full", root)
    assert full.returncode == 1
    assert full.stderr.splitlines()[-1] == "Error: standard output: No space left on device"
    assert "Traceback" not in full.stderr


@pytest.mark.parametrize("line", ["--help", "check --help", "check voc_train_lst.txt", "info set --json", "--version"])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_output_that_nobody_reads_ends_a_command_quietly(line: str, unbuffered: str, root: Path) -> None:
    # The reader ends before the command starts to write.
    ended = shell(f"{{ read -r _; $SEGDATA {line}; echo $? >&2; }} < <(echo) | true", root, PYTHONUNBUFFERED=unbuffered)
    assert ended.stderr == "141\n"


@pytest.mark.parametrize("line", ["check nowhere.txt", "nothing", "info pngs", "split --help 1>&-"])
def test_messages_that_cannot_be_written_change_no_status(line: str, root: Path) -> None:
    usual = shell(f"$SEGDATA {line}", root)
    assert shell(f"$SEGDATA {line} 2>/dev/full", root).returncode == usual.returncode
    assert shell(f"$SEGDATA {line} 2>&-", root).returncode == usual.returncode


def test_a_file_never_gets_the_number_of_a_closed_stream(root: Path) -> None:
    program = (
        "import os, segdata.cli, click\n"
        "@segdata.cli.main.command('open')\n"
        "def command(): os.write(os.open('file', os.O_CREAT | os.O_WRONLY), b'safe'); os.write(2, b'message')\n"
        "segdata.cli.main(['open'])\n"
    )
    (root / "program.py").write_text(program)
    assert shell(f"{sys.executable} program.py 0<&- 1>&- 2>&-", root).returncode == 0
    assert (root / "file").read_bytes() == b"safe"


@pytest.mark.parametrize("variable", ["PYTHONIOENCODING", "LC_ALL"])
def test_a_machine_without_settings_gets_utf8(variable: str, root: Path) -> None:
    (root / "list.txt").write_text("pngs/0.png masks/zażółć.png\n")
    ended = shell("$SEGDATA check list.txt", root, **{variable: "ascii" if variable == "PYTHONIOENCODING" else "C"})
    assert "masks/zażółć.png" in ended.stdout


def test_characters_that_a_stream_cannot_encode_are_escaped(root: Path) -> None:
    (root / "list.txt").write_text("pngs/0.png masks/zażó.png\n")
    line = "$SEGDATA check list.txt{} | iconv -f latin1 -t utf8"
    assert "masks/za\\u017có.png" in shell(line.format(""), root, PYTHONIOENCODING="latin-1").stdout
    as_json = shell(line.format(" --json"), root, PYTHONIOENCODING="latin-1").stdout
    assert any("masks/zażó.png" in str(row) for row in json.loads(as_json)["findings"])


def test_names_that_are_not_unicode_are_escaped_and_never_listed(root: Path) -> None:
    shell("cp pngs/0.png pngs/$'caf\\xe9.png'; cp masks/0.png masks/$'caf\\xe9.png'", root)
    ended = shell("$SEGDATA pair-list --images pngs --labels masks --dst_path out", root)
    assert ended.returncode == 1
    assert ended.stderr.startswith("Error: 2 file names cannot be used in a list file; rename the files:\n")
    assert "caf\\udce9.png" in ended.stderr
    assert not (root / "out").exists()


def test_control_characters_of_names_do_not_reach_the_terminal(root: Path) -> None:
    (root / "list.txt").write_text("pngs/\x1b[31m\x07.png pngs/0.png\n")
    for line in ("$SEGDATA check list.txt", "$SEGDATA to-mindrecord --data_root . --data_lst list.txt --dst_path out"):
        ended = shell(line, root)
        assert ended.returncode == 1
        assert "\\x1b[31m\\x07.png" in ended.stdout + ended.stderr
        assert "\x1b" not in ended.stdout + ended.stderr
    ended = shell("$SEGDATA check $'\\x1b[31mnowhere'", root)
    assert (ended.returncode, "\x1b" in ended.stderr) == (2, False)
