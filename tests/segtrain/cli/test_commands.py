from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import Result
from json_reports import checked
from PIL import Image

from segtrain.checkpoints.checkpoint import load_network
from segtrain.config.recipes import read_config
from segtrain.training.train_dir import EVENTS

if TYPE_CHECKING:
    from tests.segtrain.conftest import Miniature, Trained

Run = Callable[..., Result]

SHORT = ["--batch_size", 4, "--crop_size", 33, "--train_epochs", 1, "--min_scale", 0.5, "--max_scale", 1.0]
UNET = ["--recipe", "unet_isbi_cpu", "--batch_size", 4, "--crop_size", 66]
for _setting in ("repeat=1", "warmup_steps=0", "unet.width=4", "unet.patch=1", "unet.channels=3"):
    UNET += ["--set", _setting]
#: A network that compiles in no time, for what every network has.
QUICK = [*UNET, "--set", "unet.poolings=0", "--train_epochs"]


def _program(*args: object) -> list[str]:
    return [sys.executable, "-c", "from segtrain.cli import main; main()", *map(str, args)]


def test_help_loads_no_network_library() -> None:
    loaded = "import sys, segtrain.cli; print(*{'mindspore', 'cv2', 'scipy'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True).stdout == "\n"


@pytest.mark.parametrize("command", ["fit", "eval", "predict"])
def test_every_command_has_help_with_an_example(segtrain: Run, command: str) -> None:
    result = segtrain(command, "--help")
    assert result.exit_code == 0
    assert f"Example:\n    segtrain {command} " in result.output


def test_every_flag_of_the_published_training_script_is_there(segtrain: Run) -> None:
    published = (
        "data_file train_dir train_epochs batch_size crop_size base_lr lr_type min_scale max_scale ignore_label "
        "num_classes model ckpt_pre_trained save_steps keep_checkpoint_max freeze_bn loss_scale device_target"
    )
    text = segtrain("fit", "--help").output
    assert [flag for flag in published.split() if not re.search(rf"--{flag}[ ,]", text)] == []


def test_fit_eval_and_predict_follow_each_other(segtrain: Run, miniature: Miniature, tmp_path: Path) -> None:
    run = tmp_path / "run"
    # Flags with dashes and with underscores are the same flags.
    fitted = segtrain(
        "fit", *QUICK, 1, "--data-file", miniature.train, "--train_dir", run, "--eval_data_file", miniature.val,
        "--model", "unet_simple", "--set", "workers=1", "--json",
    )  # fmt: skip
    assert fitted.exit_code == 0, fitted.output
    assert checked(fitted.stdout, "segtrain fit")["steps"] == 2
    assert "epoch 1 of 1: mean loss" in fitted.stderr
    assert "2 rows left out of each epoch" in fitted.stderr
    assert "mIoU" in fitted.stderr
    config = read_config(run / "config.yaml")
    assert (config.batch_size, config.workers, config.model.name) == (4, 1, "unet_simple")

    evaluated = segtrain(
        "eval", "--data_root", miniature.root, "--data_lst", miniature.val_lst, "--ckpt_path", run / "best.ckpt",
        "--freeze_bn", "--num_classes", 4, "--scales", 1.0, "--scales", 1.25,
    )  # fmt: skip
    assert evaluated.exit_code == 0, evaluated.output
    assert "5 images, scales 1, 1.25 in tiles of 66 that overlap by 4; " in evaluated.stdout
    assert all(word in evaluated.stdout for word in ("bicycle", "mIoU", "pixel accuracy"))

    images = miniature.root / "VOCdevkit" / "VOC2012" / "JPEGImages"
    predicted = segtrain("predict", "--images", images, "--ckpt_path", run / "best.ckpt", "--out", tmp_path / "out")
    assert predicted.exit_code == 0, predicted.output
    assert "15 images segmented" in predicted.stdout


def test_eval_and_predict_can_cut_tiles(segtrain: Run, trained: Trained, miniature: Miniature, tmp_path: Path) -> None:
    tiles = ["--ckpt_path", trained.directory / "best.ckpt", "--fit", "tiles", "--crop_size", 65, "--overlap", 12]
    evaluated = segtrain("eval", "--data_file", miniature.val, *tiles)
    assert evaluated.exit_code == 0, evaluated.output
    assert "5 images, scale 1 in tiles of 65 that overlap by 12; " in evaluated.stdout
    image = next((miniature.root / "VOCdevkit" / "VOC2012" / "JPEGImages").iterdir())
    predicted = segtrain(
        "predict", "--images", image, "--out", tmp_path / "out", *tiles, "--threshold", "bird:0", "--json"
    )
    assert predicted.exit_code == 0, predicted.output
    report = checked(predicted.stdout, "segtrain predict")
    assert (report["path"], report["class_names"]) == (str(tmp_path / "out"), ["bird"])
    with Image.open(image) as photo, Image.open(tmp_path / "out" / "index" / f"{image.stem}.png") as index:
        assert photo.size == index.size
        # Every pixel is a bird with a probability of at least 0.
        assert index.getextrema() == (3, 3)


def test_steps_are_logged_and_drawn_and_those_whose_gradients_overflowed_counted(
    segtrain: Run, miniature: Miniature, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("segtrain.training.step.FIRST_SCALE", 3e38)
    # With two levels, some gradients are larger than 1.
    result = segtrain(
        "fit", *UNET, "--set", "unet.poolings=1", "--train_epochs", 1, "--data_file", miniature.train, "--train_dir",
        tmp_path / "run", "--loss_scale", "dynamic", "--log_steps", 1, "--plot", tmp_path / "run.png", "--tensorboard",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert (tmp_path / "run" / EVENTS).stat().st_size > 100
    assert re.search(r"^(1 step|2 steps) skipped, because gradients overflowed", result.stdout, re.MULTILINE)
    assert re.search(r"^step 2 of 2: loss [\d.]+, lr [\d.e-]+, [\d.]+ images/s", result.stderr, re.MULTILINE)
    with Image.open(tmp_path / "run.png") as picture:
        assert picture.format == "PNG"


@pytest.mark.parametrize(("sent", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_leaves_a_usable_checkpoint_and_says_how_to_resume(
    miniature: Miniature, tmp_path: Path, sent: signal.Signals, status: int
) -> None:
    run = tmp_path / "run"
    args = [*QUICK, 1000, "--data_file", miniature.train, "--train_dir", run]
    process = subprocess.Popen(_program("fit", *args), stderr=subprocess.PIPE, text=True)
    metrics = run / "metrics.jsonl"
    while process.poll() is None and not (metrics.exists() and metrics.read_bytes().count(b"\n") > 1):
        time.sleep(0.05)
    # A pause changes nothing.
    process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED)
    process.send_signal(signal.SIGCONT)
    process.send_signal(sent)
    _, errors = process.communicate()
    # While a step starts, MindSpore's own handler of SIGINT may be in place, which sends SIGTERM to the process.
    allowed = {status} if sent == signal.SIGTERM else {status, 128 + signal.SIGTERM}
    assert process.returncode in allowed, errors
    assert "last.ckpt is complete. Run the same command with --resume to continue." in errors
    _, info, _ = load_network(run / "last.ckpt")
    assert info.step >= 1


def test_settings_of_a_training_that_is_resumed_need_not_be_repeated(
    segtrain: Run, trained: Trained, miniature: Miniature
) -> None:
    result = segtrain("fit", "--resume", "--data_file", miniature.train, "--train_dir", trained.directory)
    assert result.exit_code == 0, result.output
    assert "resuming after step 6 of 6" in result.stderr


@pytest.mark.parametrize(
    ("args", "status", "words"),
    [
        (["--recipe", "deeplabv3plus"], 2, ["unknown recipe 'deeplabv3plus'", "deeplabv3plus_cpu"]),
        ([], 2, ["--recipe is missing", "deeplabv3plus_cpu"]),
        (["--recipe", "deeplabv3plus_cpu", "--set", "croop_size=65"], 2, ["croop_size", "did you mean crop_size"]),
        (
            ["--recipe", "deeplabv3plus_cpu", "--set", "image_widht=64"],
            2,
            ["image_widht", "mean mask_rcnn.image_width"],
        ),
        (["--recipe", "mask_rcnn_cpu", "--crop_size", "65"], 2, ["crop_size: not a setting of mask_rcnn; only"]),
        (
            ["--recipe", "deeplabv3plus_cpu", "--set", "momentum=fast"],
            2,
            ["momentum = 'fast'", "a number, 0 or more, below 1"],
        ),
        (
            ["--recipe", "deeplabv3plus_cpu", "--loss_scale", "fast"],
            2,
            ["loss_scale = 'fast'", "a number, above 0; or dynamic"],
        ),
        (["--recipe", "deeplabv3plus_cpu", "--amp", "O1"], 2, ["--amp", "O0", "O2", "O3", "auto"]),
        (["--recipe", "deeplabv3plus_cpu", "--num_classes", "21"], 1, ["num_classes = 21", "expected 4"]),
        (["--recipe", "deeplabv3plus_cpu", "--crop_size", "20"], 2, ["crop_size = 20", "33"]),
        (["--recipe", "deeplabv3plus_cpu", "--crop_size", "x"], 2, ["--crop_size"]),
        (["--recipe", "deeplabv3plus_cpu", "--resume", "--overwrite"], 2, ["expected only one of the two"]),
        (["--recipe", "deeplabv3plus_cpu", "--resume"], 1, ["no last.ckpt to resume from"]),
        (["--resume"], 2, ["config.yaml", "cannot be read"]),
        (
            ["--recipe", "deeplabv3plus_s16_r1"],
            1,
            ["batch_size = 32: 10 rows cannot fill one batch; expected 10 or less"],
        ),
        (["--recipe", "deeplabv3plus_cpu", "--data_file", "/nowhere"], 2, ["--data_file", "'/nowhere' does not exist"]),
    ],
)
def test_bad_fit_calls_end_with_a_sentence_and_a_status(
    segtrain: Run, miniature: Miniature, tmp_path: Path, args: list[str], status: int, words: list[str]
) -> None:
    data = [] if "--data_file" in args else ["--data_file", str(miniature.train)]
    result = segtrain("fit", *data, "--train_dir", tmp_path / "run", *args)
    assert result.exit_code == status, result.output
    assert isinstance(result.exception, SystemExit)
    assert all(word in result.stderr for word in words), result.stderr
    assert result.stdout == ""
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("line", "option"),
    [
        ("fit --recipe unet_isbi_cpu --train_dir {new} --data_file {no}", "--data_file"),
        ("fit --recipe unet_isbi_cpu --train_dir {new} --data_file {set} --eval_data_file {no}", "--eval_data_file"),
        ("fit --recipe unet_isbi_cpu --train_dir {new} --data_file {set} --dataset_filename no", "--dataset_filename"),
        ("fit --recipe unet_isbi_cpu --train_dir {new} --data_file {set} --pre_trained {no}", "--pre_trained"),
        ("eval --data_file {no} --ckpt_path {set}", "--data_file"),
        ("eval --data_file {set} --ckpt_path {no}", "--ckpt_path"),
        ("predict --images {no} --ckpt_path {set} --out {new}", "--images"),
        ("predict --images {set} --ckpt_path {no} --out {new}", "--ckpt_path"),
        ("export --ckpt_path {no} --out {new}", "--ckpt_path"),
    ],
)
def test_a_path_that_does_not_exist_is_a_wrong_command_line(
    segtrain: Run, tmp_path: Path, line: str, option: str
) -> None:
    (tmp_path / "set").mkdir()
    places = {name: str(tmp_path / name) for name in ("set", "no", "new")}
    result = segtrain(*line.format(**places).split())
    (message,) = re.findall(r"Invalid value for (.*): Path '(.*)' does not exist\.", result.stderr)
    assert (result.exit_code, f"'{option}'" in message[0], Path(message[1]).name) == (2, True, "no"), result.stderr
    assert [each.name for each in tmp_path.iterdir()] == ["set"]


def test_a_training_in_the_way_is_named_with_both_ways_on(
    segtrain: Run, trained: Trained, miniature: Miniature
) -> None:
    result = segtrain(
        "fit", "--recipe", "deeplabv3plus_cpu", *SHORT, "--data_file", miniature.train, "--train_dir", trained.directory
    )
    assert result.exit_code == 1
    assert "already contains a training run" in result.stderr
    assert "--overwrite replaces it" in result.stderr


@pytest.mark.parametrize(
    ("args", "status", "words"),
    [
        (["--data_file", "{val}", "--ckpt_path", "/nowhere.ckpt"], 2, "'/nowhere.ckpt' does not exist"),
        (["--data_file", "/nowhere", "--ckpt_path", "{ckpt}"], 2, "'/nowhere' does not exist"),
        (["--data_file", "{val}", "--ckpt_path", "{ckpt}", "--num_classes", "21"], 1, "num_classes = 4; expected 21"),
        (["--data_file", "{val}", "--ckpt_path", "{ckpt}", "--scales", "0.5"], 1, "at least 33 pixels"),
        (["--data_file", "{val}", "--ckpt_path", "{ckpt}", "--scales", "0"], 1, "scales = [0.0]: expected"),
        (["--data_file", "{val}", "--ckpt_path", "{ckpt}", "--overlap", "8"], 1, "Use --fit tiles"),
        (["--data_file", "{val}", "--ckpt_path", "{ckpt}", "--fit", "tiles", "--overlap", "99"], 1, "expected 0 to 17"),
        (["--data_file", "{val}", "--ckpt_path", "{ckpt}", "--fit", "crop"], 2, "--fit"),
        (["--data_file", "{val}", "--data_lst", "{lst}", "--ckpt_path", "{ckpt}"], 2, "give either --data_file, or"),
        (["--data_lst", "{lst}", "--ckpt_path", "{ckpt}"], 2, "give either --data_file, or"),
        (["--ckpt_path", "{ckpt}"], 2, "give either --data_file, or"),
        (["--data_file", "{val}"], 2, "--ckpt_path"),
    ],
)
def test_bad_eval_calls_end_with_a_sentence_and_a_status(
    segtrain: Run, trained: Trained, miniature: Miniature, args: list[str], status: int, words: str
) -> None:
    places = {"val": miniature.val, "lst": miniature.val_lst, "ckpt": trained.directory / "best.ckpt"}
    result = segtrain("eval", *(arg.format(**places) for arg in args))
    assert result.exit_code == status, result.output
    assert isinstance(result.exception, SystemExit)
    assert words in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (["bird"], "bird: expected CLASS:P, such as cell:0.3"),
        (["bird:"], "bird:: expected CLASS:P, such as cell:0.3"),
        (["bird:high"], "bird:high: expected CLASS:P, such as cell:0.3"),
        (["bird:0.3", "bicycle:0.3", "bird:0.5"], "bird:0.5: bird already has one; expected each class at most once"),
    ],
)
def test_a_threshold_is_a_class_and_a_number(segtrain: Run, tmp_path: Path, values: list[str], words: str) -> None:
    (tmp_path / "run.ckpt").touch()
    thresholds = [part for value in values for part in ("--threshold", value)]
    result = segtrain(
        "predict", "--images", tmp_path, "--ckpt_path", tmp_path / "run.ckpt", "--out", tmp_path / "out", *thresholds
    )
    assert (result.exit_code, words in result.output) == (2, True), result.output
