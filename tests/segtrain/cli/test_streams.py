"""Every command of the trainer with closed or full standard streams: its work is done, or a sentence says why."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from segtrain.cli import main

if TYPE_CHECKING:
    from tests.segtrain.conftest import Miniature, Trained

SMALL = "--set repeat=1 --set warmup_steps=0 --set unet.width=4 --set unet.poolings=0 --set unet.patch=1"
SETTINGS = (
    f"--recipe unet_isbi_cpu {SMALL} --set unet.channels=3 --set batch_size=2 --set crop_size=34 --set train_epochs=1"
)

#: Command lines by command, in the directory of `work`, and the result of each.
COMMANDS = {
    "fit": (f"{SETTINGS} --data_file train --train_dir out", "out/last.ckpt"),
    "eval": ("--data_file val --ckpt_path run/best.ckpt", ""),
    "predict": ("--images image.jpg --ckpt_path run/best.ckpt --out out", "out/index/image.png"),
    "cross-validate": (
        f"{SETTINGS} --data_root devkit --data_lst devkit/voc_val_lst.txt --folds 2 --fold 0 --train_dir out",
        "out/fold_0/last.ckpt",
    ),
    "export": ("--ckpt_path run/best.ckpt --out net.mindir", "net.mindir"),
    "convert-checkpoint": ("deeplab/best.ckpt out/backbone.ckpt --to backbone", "out/backbone.ckpt"),
    "recipes": ("", ""),
    "settings": ("batch_size", ""),
    "rank-table": ("out.json --server_ip 10.0.0.1 --devices 0 --device_ips 10.0.1.1", "out.json"),
}


@pytest.fixture
def work(miniature: Miniature, quick_run: Trained, trained: Trained, tmp_path: Path) -> Path:
    for name, target in (("train", miniature.train), ("val", miniature.val), ("devkit", miniature.root)):
        (tmp_path / name).symlink_to(target)
    (tmp_path / "run").symlink_to(quick_run.directory)
    (tmp_path / "deeplab").symlink_to(trained.directory)
    shutil.copy(next((miniature.root / "VOCdevkit" / "VOC2012" / "JPEGImages").iterdir()), tmp_path / "image.jpg")
    return tmp_path


def shell(line: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"SEGTRAIN": f"{sys.executable} -m segtrain"}
    return subprocess.run(["bash", "-c", line], cwd=cwd, env=environment, capture_output=True, text=True)


def test_every_command_is_tested_here() -> None:
    assert set(COMMANDS) == set(main.commands)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_does_its_work_without_standard_streams(command: str, work: Path) -> None:
    options, result = COMMANDS[command]
    closed = shell(f"$SEGTRAIN {command} {options} 0<&- 2>&-", work)
    assert (closed.returncode, closed.stderr) == (0, "")
    assert closed.stdout
    assert (work / result).exists()


@pytest.mark.parametrize("command", ["recipes", "rank-table"])
def test_a_report_that_cannot_be_written_is_a_sentence(command: str, work: Path) -> None:
    full = shell(f"$SEGTRAIN {command} {COMMANDS[command][0]} >/dev/full", work)
    assert full.returncode == 1
    assert full.stderr.splitlines()[-1] == "Error: standard output: No space left on device"


def test_a_log_on_a_full_disk_does_not_end_the_training(work: Path) -> None:
    options, result = COMMANDS["fit"]
    assert shell(f"$SEGTRAIN fit {options} --log_steps 1 2>/dev/full", work).returncode == 0
    assert (work / result).exists()
