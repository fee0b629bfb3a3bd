"""Progress: a bar on a terminal, and elsewhere at most one line for each tenth."""

from __future__ import annotations

import fcntl
import math
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import Result
from hypothesis import given, strategies as st

from segdata.console import progress
from segdata.console.progress import ProgressBar
from segdata.miniature.coco import write_coco


class Clock:
    """A clock that a test sets, in seconds."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    found = Clock()
    monkeypatch.setattr(progress.time, "monotonic", found)
    yield found


@pytest.fixture
def coco(tmp_path: Path) -> Path:
    write_coco(tmp_path / "coco", images=25)
    return tmp_path / "coco" / "annotations" / "instances.json"


def test_a_line_tells_what_is_done_and_how_long_the_rest_takes(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    with ProgressBar(200, "training", unit="step", done=100) as bar:
        clock.now += 30
        bar.describe("epoch 2", "loss 0.5")
        bar.advance(50)
    assert capsys.readouterr().err == "epoch 2: 75 % (150 of 200 steps), 00:30, 00:30 left, loss 0.5\n"


def test_short_work_and_work_of_others_lines_have_none(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressBar(10, "reading") as bar:
        for _ in range(10):
            clock.now += 0.49
            bar.advance()
    with ProgressBar(10, "reading") as bar:
        for _ in range(10):
            clock.now += 60
            bar.advance(told=True)
    with ProgressBar(0, "reading"):
        clock.now += 60
    assert capsys.readouterr().err == ""


def test_lines_are_seconds_apart(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressBar(100, "reading") as bar:
        for _ in range(100):
            clock.now += 0.2
            bar.advance()
    shares = re.findall(r"reading: (\d+) %", capsys.readouterr().err)
    assert shares == ["25", "50", "75", "100"]


@given(st.lists(st.integers(1, 50), min_size=1, max_size=60), st.floats(0, 100))
def test_no_tenth_has_two_lines(amounts: list[int], seconds: float) -> None:
    clock, lines = Clock(), list[str]()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(progress.time, "monotonic", clock)
        patch.setattr(progress, "notify", lines.append)
        with ProgressBar(sum(amounts), "reading") as bar:
            for amount in amounts:
                clock.now += seconds
                bar.advance(amount)
    done = [int(re.findall(r"\((\d+) of", line)[0]) for line in lines]
    tenths = [10 * each // sum(amounts) for each in done]
    assert len(tenths) == len({*tenths} - {0}) <= 10


def test_a_command_whose_output_goes_to_a_pipe_has_ten_lines_at_most(
    coco: Path, segdata: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "SECONDS", math.inf)
    assert segdata("stats", coco).stderr == ""
    monkeypatch.setattr(progress, "SECONDS", 0)
    lines = segdata("stats", coco).stderr.splitlines()
    assert [re.match(r"stats: (\d+) %", line)[1] for line in lines] == [  # type: ignore[index]
        "12", "20", "32", "40", "52", "60", "72", "80", "92", "100",
    ]  # fmt: skip


def on_a_terminal(*arguments: object) -> tuple[int, str]:
    """Return the status of a segdata command line, and what it shows on a terminal."""
    reading, writing = pty.openpty()
    fcntl.ioctl(writing, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    command = [sys.executable, "-m", "segdata", *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=writing) as running:
        os.close(writing)
        shown = b""
        # Linux reports the end of a terminal as an error.
        while part := _read(reading):
            shown += part
        os.close(reading)
    return running.returncode, shown.decode()


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 1 << 16)
    except OSError:
        return b""


@pytest.mark.parametrize("with_log", [False, True])
def test_a_terminal_has_a_bar_with_a_log_file_too(with_log: bool, coco: Path, tmp_path: Path) -> None:
    log = tmp_path / "run.log"
    status, shown = on_a_terminal("stats", coco, *(["--log-file", log] if with_log else []))
    assert status == 0
    assert re.search(r"\rstats: +0%\|.*\rstats: 100%\|█+\| 25/25", shown)
    assert with_log == log.exists()
    assert not with_log or "|" not in log.read_text()


def test_a_quiet_terminal_shows_nothing(coco: Path) -> None:
    assert on_a_terminal("stats", coco, "-q") == (0, "")
