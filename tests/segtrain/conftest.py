"""Miniature record sets and one short training of each kind of network, shared by all tests of the trainer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from click.testing import CliRunner, Result
from drawn_instances import miniature as drawn_miniature
from read_settings import Settings, read_settings
from small_mask_rcnn import small_fit

from segdata.labels.classes import Classes
from segdata.labels.masks import encode_index_png
from segdata.lists import Pair, write_list
from segdata.miniature.voc import write_devkit
from segdata.opening import open_dataset
from segdata.records.convert import to_mindrecord
from segdata.records.reader import RecordSet
from segdata.sources.voc import voc_list
from segdata.sources.voc_decolor import voc_decolor
from segtrain.config.config import Config
from segtrain.config.recipes import override, recipe
from segtrain.training.events import Event
from segtrain.training.fit import FitReport, train

NAMES = ("background", "aeroplane", "bicycle", "bird")

Rows = list[tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]]


@dataclass(frozen=True)
class Miniature:
    """A devkit with its lists, and the record sets made of it."""

    root: Path
    val_lst: Path
    train: Path
    val: Path


@pytest.fixture(scope="session")
def miniature(tmp_path_factory: pytest.TempPathFactory) -> Miniature:
    base = tmp_path_factory.mktemp("miniature")
    root = base / "devkit"
    write_devkit(root, train=10, val=5, seed=3)
    voc_decolor(root)
    voc_list(root)
    for split in ("train", "val"):
        to_mindrecord(
            open_dataset(root / f"voc_{split}_lst.txt", data_root=root, classes=Classes(NAMES)),
            base / split,
            num_shards=2,
        )
    return Miniature(root, root / "voc_val_lst.txt", base / "train", base / "val")


@pytest.fixture(scope="session")
def small() -> Config:
    """Settings with which a step takes a tenth of a second; 10 rows give 2 steps an epoch and 2 rows left over."""
    settings = {"batch_size": 4, "crop_size": 33, "train_epochs": 3, "min_scale": 0.5, "max_scale": 1.0}
    fewest_branches = {"atrous_rates": (2,), "save_steps": "epoch", "keep_checkpoint_max": 2}
    return override(recipe("deeplabv3plus_cpu"), settings | fewest_branches)


@pytest.fixture(scope="session")
def quick(small: Config) -> Config:
    """Settings for what every network has: this one, of one level, compiles in a fifth of a DeepLab's time."""
    changes = {"batch_size": 4, "crop_size": 66, "train_epochs": 3, "repeat": 1, "warmup_steps": 0, "save_steps": 2}
    unet = ["unet.width=4", "unet.poolings=0", "unet.patch=1", "unet.channels=3"]
    return override(recipe("unet_isbi_cpu"), {**changes, "keep_checkpoint_max": 2}, unet)


@pytest.fixture
def make_set(tmp_path: Path) -> Callable[..., Path]:
    """Write images ``(H, W, 3)`` RGB and labels ``(H, W)`` as a record set, in their order."""

    def make(rows: Rows, *, name: str = "set", names: tuple[str, ...] = NAMES, ignore_label: int = 255) -> Path:
        root = tmp_path / f"{name}_files"
        root.mkdir()
        pairs = []
        for index, (image, label) in enumerate(rows):
            cv2.imwrite(str(root / f"{index}.bmp.png"), image[..., ::-1])
            (root / f"{index}_label.png").write_bytes(encode_index_png(label))
            pairs.append(Pair(f"{index}.bmp.png", f"{index}_label.png"))
        write_list(root / "all.txt", pairs, overwrite=False)
        classes = Classes(names, ignore_label)
        to_mindrecord(
            open_dataset(root / "all.txt", data_root=root, classes=classes),
            tmp_path / name,
            num_shards=1,
            shuffle=False,
        )
        return tmp_path / name

    return make


@dataclass(frozen=True)
class Trained:
    """A training that ran from beginning to end without interruption, and the settings that it read."""

    directory: Path
    report: FitReport
    events: list[Event]
    read: Settings


def _train(config: Config, miniature: Miniature, directory: Path) -> Trained:
    events: list[Event] = []
    with read_settings() as read:
        report = train(config, miniature.train, directory, eval_data_file=miniature.val, observe=events.append)
    return Trained(directory, report, events, read)


@pytest.fixture(scope="session")
def trained(miniature: Miniature, small: Config, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return _train(small, miniature, tmp_path_factory.mktemp("trained") / "run")


@pytest.fixture(scope="session")
def quick_run(miniature: Miniature, quick: Config, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Return a training for what every network has: this one is compiled and evaluated in the shortest time."""
    return _train(quick, miniature, tmp_path_factory.mktemp("quick_run") / "run")


@dataclass(frozen=True)
class Fitted:
    """A Mask R-CNN that ``segtrain fit`` trained on a set and evaluated on it, and the settings that were read."""

    records: RecordSet
    images: Path
    directory: Path
    result: Result
    read: Settings


@pytest.fixture(scope="session")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    from segtrain.cli import main

    base = tmp_path_factory.mktemp("instances")
    records = drawn_miniature(base)
    arguments = small_fit(records.directory, base / "run", "--eval_data_file", records.directory, "--json")
    with read_settings() as read:
        result = CliRunner().invoke(main, [str(each) for each in arguments])
    assert result.exit_code == 0, result.output
    return Fitted(records, base / "coco" / "images", base / "run", result, read)


@pytest.fixture
def segtrain() -> Callable[..., Result]:
    """Return a function that runs a segtrain command line in this process."""
    from segtrain.cli import main

    return lambda *args: CliRunner().invoke(main, [str(arg) for arg in args])
