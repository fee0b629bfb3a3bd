"""The options of every command: less or more on the terminal, and a log file."""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from segdata.cli import main as segdata_main
from segdata.console.lazy import LazyGroup
from segdata.miniature.coco import write_coco
from segdata.text import without_secrets
from segtrain.cli import main as segtrain_main

STAMP = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} \d+ "

#: A program with a command of its own, which does what libraries do.
PROGRAM = """
import os, resource, sys, warnings
from segdata.cli import main
from segdata.console.messages import notify
@main.command('work')
def command():
    {0}
main(['work', '--log-file', 'run.log'])
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small COCO data set in the current directory; no line of progress, however slow the machine is."""
    monkeypatch.setattr("segdata.console.progress.SECONDS", math.inf)
    write_coco(tmp_path / "coco", images=3)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def work(body: str, root: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", PROGRAM.format(body)], cwd=root, capture_output=True, text=True)


@pytest.mark.parametrize("program", [segdata_main, segtrain_main])
def test_every_command_has_the_options_once_at_the_end_of_its_help(program: LazyGroup) -> None:
    for name in ("", *program.commands):
        output = CliRunner().invoke(program, [*name.split(), "--help"]).output
        places = [output.index(option) for option in ("-q, --quiet", "-v, --verbose", "--log-file FILE", "-h, --help")]
        assert places == sorted(places), name
        command = program.get_command(click.Context(program), name) if name else program
        assert command
        flags = [flag for parameter in command.params for flag in (*parameter.opts, *parameter.secondary_opts)]
        assert len(flags) == len({*flags}), name


@pytest.mark.parametrize("line", ["-q {}", "{} -q", "{} --quiet=true", "-q {} -q"])
def test_quiet_leaves_the_report_only(
    line: str, root: Path, segdata: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("segdata.console.progress.SECONDS", 0)
    command = "stats coco/annotations/instances.json"
    usual = segdata(*command.split())
    assert "stats: 33 % (1 of 3)" in usual.stderr
    quiet = segdata(*line.format(command).split())
    assert (quiet.exit_code, quiet.stdout, quiet.stderr) == (0, usual.stdout, "")


@pytest.mark.parametrize("line", ["-q check nowhere.txt", "check nowhere.txt -q", "info coco -q"])
def test_quiet_leaves_errors(line: str, root: Path, segdata: Callable[..., Result]) -> None:
    ended = segdata(*line.split())
    assert ended.exit_code
    assert "Error: " in ended.stderr


@pytest.mark.parametrize("line", ["-v {}", "{} --verbose"])
def test_verbose_tells_versions_files_and_times(line: str, root: Path, segdata: Callable[..., Result]) -> None:
    command = "stats coco/annotations/instances.json"
    ended = segdata(*line.format(command).split())
    lines = ended.stderr.splitlines()
    assert lines[0] == f"segdata {version()}: segdata {line.format(command)}"
    assert re.match(r"Python 3[\d.]+ on .*, numpy \d", lines[1])
    assert "open coco/annotations/instances.json: coco" in lines
    assert any(re.fullmatch(r"stats: 3 of 3 in [\d.]+ s", each) for each in lines)
    assert re.fullmatch(r"ended with status 0 after [\d.]+ s", lines[-1])
    # The next command line of this process tells no more than usual.
    assert segdata(*command.split()).stderr == ""


def version() -> str:
    import segdata

    return segdata.__version__


@pytest.mark.parametrize("line", ["-q -v info coco", "info coco -q -v", "-v info coco -q"])
def test_less_and_more_at_once_are_refused(line: str, root: Path, segdata: Callable[..., Result]) -> None:
    ended = segdata(*line.split())
    assert ended.exit_code == 2
    assert "-q and -v: expected only one of them" in ended.stderr


def test_a_log_file_is_continued_and_has_messages_and_details(root: Path, segdata: Callable[..., Result]) -> None:
    log = root / "new" / "logs" / "run.log"
    command = ["stats", "coco/annotations/instances.json", "--log_file", log]
    usual = segdata(*command[:2])
    done = segdata(*command)
    assert (done.exit_code, done.stdout, done.stderr) == (0, usual.stdout, usual.stderr)
    first = log.read_text()
    assert re.match(rf"{STAMP}INFO segdata\.console\.log: segdata [\d.]+: segdata stats coco/\S+ --log_file ", first)
    assert re.search(rf"^{STAMP}INFO segdata\.console\.progress: stats: 3 of 3 in ", first, re.M)
    assert done.stdout in first
    failed = segdata("-q", "--log-file", log, "stats", "nowhere\x1b.txt")
    both = log.read_text()
    assert both.startswith(first)
    assert failed.stderr.splitlines()[-1] in both
    assert "nowhere\\x1b.txt' does not exist" in both
    assert re.search(rf"^{STAMP}INFO .*: ended with status 2 after ", both, re.M)
    segdata(*command[:2])
    assert log.read_text() == both


def test_another_file_than_a_log_is_refused_and_stays(root: Path, segdata: Callable[..., Result]) -> None:
    (root / "list.txt").write_text("a.png b.png\n")
    os.mkfifo(root / "fifo")
    (root / "link").symlink_to("list.txt")
    for name, reason in {
        "list.txt": "is not a log of segdata or segtrain, so it is not appended to; expected such a log or a new file.",
        "link": "is not a log of segdata or segtrain, so it is not appended to; expected such a log or a new file.",
        "fifo": "is a FIFO; expected a regular file",
        "coco": "is a directory; expected a regular file",
        "list.txt/run.log": "Not a directory",
        "/proc/new/run.log": "/proc/new: cannot be written: No such file or directory",
    }.items():
        ended = segdata("info", "coco/annotations/instances.json", "--log-file", name)
        assert (ended.exit_code, ended.stdout) == (2, ""), name
        assert reason in ended.stderr
    assert (root / "list.txt").read_text() == "a.png b.png\n"
    ended = segdata("--log-file", "a.log", "info", "coco/annotations/instances.json", "--log-file", "b.log")
    assert ended.exit_code == 2
    assert "two log files are given; expected one" in ended.stderr
    assert not (root / "b.log").exists()


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("s3://key:sec/ret@bucket/set", "s3://…@bucket/set"),
        ("obs://token@bucket", "obs://…@bucket"),
        ("'https://host/a.png?signature=1&x=2' b", "'https://host/a.png?…' b"),
        ("s3://bucket/a@2x.png a:b@c tcp://host:8786", "s3://bucket/a@2x.png a:b@c tcp://host:8786"),
    ],
)
def test_secrets_of_urls_are_left_out(text: str, left: str, root: Path, segdata: Callable[..., Result]) -> None:
    assert without_secrets(text) == left
    segdata("stats", text, "--log-file", "run.log")
    log = (root / "run.log").read_text()
    assert left.strip("'").split("' ")[0] in log
    assert not re.search("sec/ret|token|signature", log)


def test_what_libraries_write_is_in_the_log_and_not_on_the_terminal(root: Path) -> None:
    body = (
        "os.write(2, b'from C\\n'); print('from Python', file=sys.stderr); warnings.warn('late'); "
        "os.system('echo from a child >&2'); notify('notice'); print('report')"
    )
    done = work(body, root)
    assert (done.returncode, done.stdout, done.stderr) == (0, "report\n", "notice\n")
    log = (root / "run.log").read_text()
    assert "\nfrom C\nfrom Python\n" in log
    assert "\nfrom a child\n" in log
    assert "UserWarning: late" in log
    assert re.search(rf"^{STAMP}INFO segdata\.console\.messages: notice$", log, re.M)


def test_an_error_that_nobody_foresaw_is_on_the_terminal_and_in_the_log(root: Path) -> None:
    failed = work("os.write(2, b'from ' + b'C\\n'); 1 / 0", root)
    assert failed.returncode == 1
    assert failed.stderr.startswith(f"{root / 'run.log'}: has the messages of this run\nTraceback ")
    assert failed.stderr.endswith("ZeroDivisionError: division by zero\n")
    assert "from C" not in failed.stderr
    log = (root / "run.log").read_text()
    assert "\nfrom C\n" in log
    assert "CRITICAL segdata.console.log: ended by an unexpected error\nTraceback" in log


def test_what_a_process_wrote_before_it_crashed_is_in_the_log(root: Path) -> None:
    crashed = work("os.write(2, b'last words\\n'); os.abort()", root)
    assert crashed.returncode == -6
    assert (root / "run.log").read_text().endswith("\nlast words\n")


def test_a_full_disk_ends_the_log_and_not_the_work(root: Path) -> None:
    body = "resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500)); [notify('x' * 99) for _ in range(9)]; print('done')"
    done = work(body, root)
    assert (done.returncode, done.stdout) == (0, "done\n")
    lines = done.stderr.splitlines()
    assert lines.count("x" * 99) == 9
    assert [each for each in lines if each != "x" * 99] == [
        f"{root / 'run.log'}: File too large. The log ends here; the command continues."
    ]
