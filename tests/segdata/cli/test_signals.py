"""SIGINT and SIGTERM in the middle of every command that works for long: the usual status, and nothing is written."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from command_lines import SEGDATA, write_inputs

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

#: Those that work for long.
COMMANDS = [
    *("voc-decolor", "sbd-merge", "tif-slice", "labelme", "masks-to-coco", "coco-subset", "coco-to-masks"),
    *("to-mindrecord", "check", "stats", "verify", "preview"),
]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("inputs") / "data"
    write_inputs(root)
    (root.parent / "program.py").write_text(PROGRAM)
    return root


def contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize(("sent", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("command", COMMANDS)
def test_an_interrupted_command_says_so_and_writes_nothing(
    command: str, sent: signal.Signals, status: int, inputs: Path, tmp_path: Path
) -> None:
    shutil.copytree(inputs, tmp_path / "data")
    options = (
        [*SEGDATA[command].split(), "--workers", "2"]
        if command not in ("verify", "preview")
        else SEGDATA[command].split()
    )
    ended = subprocess.run(
        [sys.executable, str(inputs.parent / "program.py"), str(int(sent)), command, *options],
        cwd=tmp_path / "data", capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(Path.cwd())},
    )  # fmt: skip
    assert ended.returncode == status, ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.stderr.splitlines()[-1].startswith("Interrupted")
    assert ended.stdout == ""
    assert contents(tmp_path / "data") == contents(inputs)
