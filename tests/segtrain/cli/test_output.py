"""MindSpore's messages: warnings are off the terminal and in the log file, errors are never lost."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.segtrain.conftest import Miniature

FIT = (
    "--recipe unet_isbi_cpu --set repeat=1 --set warmup_steps=0 --set unet.width=4 --set unet.poolings=0 "
    "--set unet.patch=1 --set unet.channels=3 --batch_size 2 --crop_size 34 --train_epochs 1"
)

#: A command in which MindSpore warns and fails, in Python and in C++: shapes that do not fit, as the process ends.
PROGRAM = """
import sys
from segtrain.cli import main
@main.command("work")
def command():
    import mindspore as ms
    ms.log.warning("a warning")
    ms.log.error("an error")
    ms.ops.MatMul()(ms.Tensor([[1.0]]), ms.Tensor([[1.0], [2.0]]))
    print("report")
main(["work", *sys.argv[1:]])
"""


def run(command: list[str], cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GLOG_")} | variables
    return subprocess.run([sys.executable, *command], cwd=cwd, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize(("option", "level", "warns"), [("-q", "", False), ("-v", "", True), ("-q", "2", True)])
def test_warnings_are_shown_on_request_and_errors_always(option: str, level: str, warns: bool, tmp_path: Path) -> None:
    done = run(["-c", PROGRAM, option], tmp_path, **({"GLOG_v": level} if level else {}))
    assert (done.returncode, done.stdout) == (0, "report\n")
    assert warns == ("a warning" in done.stderr)
    assert "an error" in done.stderr
    assert re.search(r"^\[ERROR\] \w+\(\d+,\w+,python\)", done.stderr, re.M)


def test_with_a_log_file_both_are_in_it_and_the_terminal_names_it(tmp_path: Path) -> None:
    log = tmp_path / "run.log"
    # Errors of an earlier run, in the same file, are not counted again.
    log.write_text("2026-01-02 03:04:05,678 1 INFO segdata.console.log: begin\n[ERROR] ME(1:2,MainProcess): an error\n")
    done = run(["-c", PROGRAM, "--log-file", str(log)], tmp_path)
    assert (done.returncode, done.stdout) == (0, "report\n")
    assert done.stderr == f"{log}: has 2 error messages of MindSpore\n"
    text = log.read_text()
    assert text.count("a warning") == 1
    assert re.findall(r"^\[ERROR\] .*an error$", text, re.M)
    assert re.search(r"^\[ERROR\] \w+\(\d+,\w+,python\)", text, re.M)


def test_a_quiet_training_has_its_report_on_the_terminal_and_all_in_the_log(
    miniature: Miniature, tmp_path: Path
) -> None:
    options = [*FIT.split(), "--data_file", str(miniature.train), "--train_dir", "run", "--log-file", "run/fit.log"]
    done = run(["-m", "segtrain", "-q", "fit", *options], tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("5 steps in ")
    log = (tmp_path / "run" / "fit.log").read_text()
    assert re.search(r"^\[WARNING\] ME\(\d+:.*'FusedSparseAdam' is deprecated", log, re.M)
    for text in (
        "INFO segdata.console.messages: epoch 1 of 1: mean loss",
        f"opened {miniature.train}: 10 rows",
        "training: 5 of 5 steps in ",
        "DEBUG segtrain.checkpoints.checkpoint: wrote run/last.ckpt",
        ", mindspore 2.",
    ):
        assert text in log, text
