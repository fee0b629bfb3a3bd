"""A training directory: whose files are in it, which run uses it, and what a killed run leaves."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from segdata.errors import InvalidInputError, SegDataError, TargetExistsError
from segdata.files.locks import InUseError
from segdata.labels.classes import Classes
from segdata.opening import open_dataset
from segdata.records.convert import to_mindrecord
from segdata.worker import Advance
from segtrain.config.config import Config
from segtrain.config.recipes import override, write_config
from segtrain.evaluation.semantic.evaluate import evaluate_semantic
from segtrain.training.events import Event, Started, StepDone
from segtrain.training.fit import train
from segtrain.training.own_files import OWN_FILES, OwnFiles
from segtrain.training.train_dir import TrainDir

if TYPE_CHECKING:
    from tests.segtrain.conftest import Miniature, Trained

MODEL = "DeepLabV3plus_s16"
OURS = ("best.ckpt", "best.json", "last.ckpt", "last.json", f"{MODEL}-2_2.ckpt", f"{MODEL}-2_2.json")


def make(directory: Path, *names: str, own: bool = True) -> TrainDir:
    """Write files with these names, which an earlier training lists as its own."""
    directory.mkdir(parents=True, exist_ok=True)
    paths = [directory / name for name in names]
    for path in paths:
        path.write_text("old")
    if own:
        with OwnFiles(directory).writing(*paths):
            pass
    return TrainDir(directory)


def check_free(directory: TrainDir, *, overwrite: bool = True, pretrained: Path | None = None) -> None:
    directory.check_free(overwrite=overwrite, model=MODEL, pretrained=pretrained)


# Ownership


def test_overwriting_removes_the_old_training_and_nothing_else(small: Config, tmp_path: Path) -> None:
    directory = make(tmp_path, "config.yaml", "metrics.jsonl", *OURS)
    others = ["notes.txt", "resnet.ckpt", "epoch-12_40.ckpt", f"{MODEL}-2_2.ckpt.bak"]
    make(tmp_path, *others, own=False)
    check_free(directory)
    directory.begin(small, resumed_at=None)
    assert sorted(os.listdir(tmp_path)) == sorted(["config.yaml", *others, OWN_FILES])
    assert {(tmp_path / name).read_text() for name in others} == {"old"}


@pytest.mark.parametrize("name", ["last.ckpt", "best.json", "metrics.jsonl", "config.yaml", f"{MODEL}-7_3.ckpt"])
@pytest.mark.parametrize("listed", [False, True])
def test_files_of_somebody_else_are_named_and_kept(tmp_path: Path, name: str, listed: bool) -> None:
    directory = make(tmp_path, *OURS)
    make(tmp_path, name, own=listed)
    (tmp_path / name).write_text("mine, of another size")
    for overwrite in (False, True):
        with pytest.raises(TargetExistsError) as refused:
            check_free(directory, overwrite=overwrite)
        assert str(refused.value) == (
            f"{tmp_path}: contains files that this run would replace, and no training run wrote them as they are "
            f"now:\n  {name}\nMove them away or choose another directory."
        )
        assert not refused.value.replaceable
    assert (tmp_path / name).read_text() == "mine, of another size"


@pytest.mark.parametrize("damaged", [b"", b"\xff", b"{}", b'{"version":2,"files":{"last.ckpt":3}}', b"[" * 100_000])
def test_a_damaged_list_proves_nothing(tmp_path: Path, damaged: bytes) -> None:
    directory = make(tmp_path, *OURS)
    (tmp_path / OWN_FILES).write_bytes(damaged)
    with pytest.raises(TargetExistsError, match=r"  last\.ckpt\n"):
        check_free(directory)


def test_a_list_cannot_name_files_outside_and_links_are_somebody_elses(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("old")
    directory = make(tmp_path / "run", "last.ckpt")
    (tmp_path / "run" / "last.ckpt").unlink()
    (tmp_path / "run" / "last.ckpt").symlink_to(tmp_path / "mine")
    text = (tmp_path / "run" / OWN_FILES).read_text()
    (tmp_path / "run" / OWN_FILES).write_text(text.replace('"last.ckpt":3', '"last.ckpt":3,"../mine":3'))
    assert directory.own.owned() == []


def test_the_checkpoint_to_start_from_is_not_removed(tmp_path: Path) -> None:
    directory = make(tmp_path / "run", *OURS)
    (tmp_path / "link.ckpt").symlink_to(tmp_path / "run" / "best.ckpt")
    for pretrained in (tmp_path / "run" / "best.ckpt", tmp_path / "link.ckpt"):
        with pytest.raises(InvalidInputError) as refused:
            check_free(directory, pretrained=pretrained)
        assert str(refused.value) == (
            f"{pretrained}: is a file of the training run in {tmp_path / 'run'}, which would be removed; expected a "
            "checkpoint outside it. Choose another directory to train in."
        )
    check_free(directory, pretrained=tmp_path / "other.ckpt")


def test_only_own_numbered_checkpoints_are_counted_and_removed(tmp_path: Path) -> None:
    directory = make(tmp_path, "last.ckpt", "last.json")
    make(tmp_path, "mine-1_1.ckpt", "mine-9_9.ckpt", own=False)
    for epoch in (1, 2, 10):
        directory.keep_last(MODEL, epoch, 4, 2)
    names = sorted(name for name in os.listdir(tmp_path) if name.endswith(".ckpt"))
    assert names == sorted([f"{MODEL}-10_4.ckpt", f"{MODEL}-2_4.ckpt", "last.ckpt", "mine-1_1.ckpt", "mine-9_9.ckpt"])


def test_a_numbered_checkpoint_of_somebody_else_stops_training_with_a_complete_last_one(tmp_path: Path) -> None:
    directory = make(tmp_path, "last.ckpt", "last.json")
    make(tmp_path, f"{MODEL}-1_4.ckpt", own=False)
    with pytest.raises(SegDataError, match=r"did not write:\n  .*-1_4\.ckpt\nlast\.ckpt is complete\. Move them"):
        directory.keep_last(MODEL, 1, 4, 2)
    assert (tmp_path / f"{MODEL}-1_4.ckpt").read_text() == "old"


# Kills


def test_a_run_that_was_killed_before_its_first_checkpoint_is_begun_again(
    miniature: Miniature, quick: Config, tmp_path: Path
) -> None:
    program = """
import os, sys
from pathlib import Path
from segtrain.config.recipes import read_config
from segtrain.training.events import StepDone
from segtrain.training.fit import train
def kill(event):
    if isinstance(event, StepDone):
        os.kill(os.getpid(), 9)
train(read_config(Path(sys.argv[1])), Path(sys.argv[2]), Path(sys.argv[3]), observe=kill)
"""
    (tmp_path / "settings.yaml").write_text(write_config(quick))
    run = tmp_path / "run"
    command = [sys.executable, "-c", program, tmp_path / "settings.yaml", miniature.train, run]
    assert subprocess.run(command, capture_output=True).returncode == -signal.SIGKILL
    assert sorted(os.listdir(run)) == [OWN_FILES, ".training.segdata-lock", "config.yaml", "metrics.jsonl"]
    for name in (".last.staged.ckpt", ".last.staged.tmp", ".best.staged.tmp", ".last.json.segdata-new"):
        (run / name).write_text("half")
    with pytest.raises(
        InvalidInputError, match=r"no last\.ckpt to resume from\. To start a new run, leave --resume out\."
    ):
        train(quick, miniature.train, run, resume=True)
    train(quick, miniature.train, run)
    assert [name for name in os.listdir(run) if name.startswith(".")] == [OWN_FILES]
    assert (run / "last.ckpt").is_file()


# Two runs


def test_a_second_training_in_the_same_directory_is_refused_at_once(
    miniature: Miniature, quick: Config, tmp_path: Path
) -> None:
    refused: list[str] = []

    def start_another(event: Event) -> None:
        if isinstance(event, Started):
            with pytest.raises(InUseError) as error:
                train(quick, miniature.train, tmp_path / "run", overwrite=True)
            refused.append(str(error.value))

    train(quick, miniature.train, tmp_path / "run", observe=start_another)
    assert refused == [f"{tmp_path / 'run'}: another run is writing to it. Wait until that run has finished."]
    assert (tmp_path / "run" / "last.ckpt").is_file()


# A record set that is replaced


def replace_set(miniature: Miniature, target: Path, *, split: str, seed: int) -> None:
    source = open_dataset(
        miniature.root / f"voc_{split}_lst.txt",
        data_root=miniature.root,
        classes=Classes(("background", "aeroplane", "bicycle", "bird")),
    )
    to_mindrecord(source, target, num_shards=2, seed=seed, overwrite=True)


@pytest.mark.parametrize(("step", "split"), [(1, "train"), (2, "train"), (3, "val")])
def test_a_set_that_is_replaced_while_it_is_trained_on_is_a_sentence(
    miniature: Miniature, quick: Config, tmp_path: Path, step: int, split: str
) -> None:
    records = tmp_path / "records" / "train"
    replace_set(miniature, records, split="train", seed=0)

    def swap(event: Event) -> None:
        if isinstance(event, StepDone) and event.step == step:
            replace_set(miniature, records, split=split, seed=5)

    with pytest.raises(SegDataError, match=r"train: the record set was replaced or changed while it was in use"):
        train(override(quick, {"save_steps": 100}), records, tmp_path / "run", observe=swap)
    # Two steps are an epoch: only the checkpoint of an epoch before the exchange is there.
    assert (tmp_path / "run" / "last.ckpt").exists() == (step == 3)


def test_a_set_that_is_replaced_while_it_is_evaluated_on_is_a_sentence(
    miniature: Miniature, quick_run: Trained, tmp_path: Path
) -> None:
    records = tmp_path / "records" / "val"
    replace_set(miniature, records, split="val", seed=0)

    @contextmanager
    def swapping(*, total: int, label: str) -> Iterator[Advance]:
        replace_set(miniature, records, split="val", seed=5)
        yield lambda _count: None

    with pytest.raises(SegDataError, match=r"val: the record set was replaced or changed while it was in use"):
        evaluate_semantic(quick_run.directory / "last.ckpt", records, progress=swapping)


def test_a_copy_of_a_training_directory_keeps_its_owner(tmp_path: Path) -> None:
    make(tmp_path / "run", *OURS)
    shutil.copytree(tmp_path / "run", tmp_path / "copy")
    with pytest.raises(TargetExistsError, match=r"already contains a training run \(last\.ckpt\)") as refused:
        check_free(TrainDir(tmp_path / "copy"), overwrite=False)
    assert refused.value.replaceable
    check_free(TrainDir(tmp_path / "copy"))
