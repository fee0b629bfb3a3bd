"""SIGINT and SIGTERM in the middle of every command that works for long: the usual status, and nothing is written.

A worker process that is killed, as the kernel does if memory runs out, and a program that is stopped and continued.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from command_lines import SEGDATA

import segdata

#: Sends itself a signal after the first item of the first task.
PROGRAM = """
import os
import sys
from contextlib import contextmanager

import segdata.console.render as render

usual, sent = render.progress_bar, [int(sys.argv[1])]

@contextmanager
def interrupting(*, total, label):
    with usual(total=total, label=label) as advance:
        def tell(count):
            advance(count)
            os.kill(os.getpid(), sent.pop()) if sent else None
        yield tell

render.progress_bar = interrupting

if __name__ == "__main__":
    from segdata.cli import main

    main(sys.argv[2:])
"""

#: Kills the first of its two worker processes when they are at work.
KILLER = """
import multiprocessing
import os
import signal
import sys
import threading
import time

def kill():
    while len(workers := multiprocessing.active_children()) < 2:
        time.sleep(0.001)
    time.sleep(0.1)
    os.kill(workers[0].pid, signal.SIGKILL)

if __name__ == "__main__":
    threading.Thread(target=kill, daemon=True).start()
    from segdata.cli import main

    main(sys.argv[1:])
"""

#: Those that work for long.
COMMANDS = [
    *("voc-decolor", "sbd-merge", "tif-slice", "labelme", "masks-to-coco", "coco-subset", "coco-to-masks"),
    *("to-mindrecord", "check", "stats", "verify", "preview", "unpack"),
]


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("programs")
    (folder / "program.py").write_text(PROGRAM)
    (folder / "killer.py").write_text(KILLER)
    return folder


def contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize(("sent", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("command", COMMANDS)
def test_an_interrupted_command_says_so_and_writes_nothing(
    command: str, sent: signal.Signals, status: int, inputs: Path, programs: Path, tmp_path: Path
) -> None:
    shutil.copytree(inputs, tmp_path / "data")
    options = (
        [*SEGDATA[command].split(), "--workers", "2"]
        if command not in ("verify", "preview")
        else SEGDATA[command].split()
    )
    ended = subprocess.run(
        [sys.executable, str(programs / "program.py"), str(int(sent)), command, *options],
        cwd=tmp_path / "data", capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(Path.cwd())},
    )  # fmt: skip
    assert ended.returncode == status, ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.stderr.splitlines()[-1].startswith("Interrupted")
    assert ended.stdout == ""
    assert contents(tmp_path / "data") == contents(inputs)


@pytest.mark.parametrize("command", ["to-mindrecord", "check"])
def test_a_killed_worker_process_is_a_sentence_and_nothing_is_written(
    command: str, inputs: Path, programs: Path, tmp_path: Path
) -> None:
    # All other commands have threads only. A short list is done before the processes have started.
    shutil.copytree(inputs, tmp_path / "data")
    make_long(tmp_path / "data")
    before = contents(tmp_path / "data")
    line = [command, *SEGDATA[command].split(), "--decode", "--workers", "2"]
    ended = subprocess.run(
        [sys.executable, str(programs / "killer.py"), *line],
        cwd=tmp_path / "data", capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(Path.cwd())},
    )  # fmt: skip
    assert (ended.returncode, ended.stdout) == (1, "")
    # A slow machine shows progress first.
    *progress, sentence = ended.stderr.splitlines()
    assert sentence.startswith("Error: a worker process was killed before it finished, often because memory")
    assert all(line.startswith("check: ") for line in progress)
    assert contents(tmp_path / "data") == before


def make_long(root: Path) -> None:
    """Repeat the pairs of the training list, as links, to 6,000."""
    path = root / "voc_train_lst.txt"
    pairs = [line.split() for line in path.read_text().splitlines()]
    lines = []
    (root / "many").mkdir()
    for number in range(6000):
        names = [f"many/{number}{Path(name).suffix}" for name in pairs[number % len(pairs)]]
        for name, source in zip(names, pairs[number % len(pairs)], strict=True):
            (root / name).hardlink_to(root / source)
        lines.append(" ".join(names))
    path.write_text("\n".join(lines))


def test_a_program_that_is_stopped_and_continued_writes_the_same_bytes(
    inputs: Path, programs: Path, tmp_path: Path
) -> None:
    shutil.copytree(inputs, tmp_path / "data")
    program = subprocess.Popen(
        [
            sys.executable, str(programs / "program.py"), str(int(signal.SIGSTOP)),
            "to-mindrecord", *SEGDATA["to-mindrecord"].split(), "--workers", "2",
        ],
        cwd=tmp_path / "data", env=os.environ | {"PYTHONPATH": str(Path.cwd())}, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    assert os.WIFSTOPPED(os.waitpid(program.pid, os.WUNTRACED)[1])
    assert not (tmp_path / "data" / "out").exists()
    program.send_signal(signal.SIGCONT)
    assert program.wait() == 0
    source = segdata.open_dataset(inputs / "voc_train_lst.txt")
    segdata.to_mindrecord(source, tmp_path / "out", num_shards=2, workers=1)
    assert contents(tmp_path / "data" / "out") == contents(tmp_path / "out")
