"""Every setting has an effect: what a configuration may hold is what the programs read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from read_settings import groups_of, read_settings, unread
from small_mask_rcnn import SMALL_MASK_RCNN

from segtrain.config.config import Config
from segtrain.config.group import Group
from segtrain.config.networks import DeepLab
from segtrain.config.recipes import override, read_config, recipe
from segtrain.training.fit import train

if TYPE_CHECKING:
    from tests.segtrain.conftest import Fitted, Miniature, Trained

UNET = {
    "batch_size": 2, "train_epochs": 1, "save_steps": 1, "device_target": "CPU", "amp": "O0", "repeat": 1, "width": 2,
    "poolings": 1, "channels": 3, "border_weight": 5,
}  # fmt: skip

#: For each recipe of a U-Net, changes that make a small network, and that make every setting count.
UNETS: dict[str, dict[str, Any]] = {
    "unet_isbi": UNET | {"crop_size": 48, "lr_type": "poly"},
    "unet_isbi_cpu": UNET | {"crop_size": 34, "patch": 1, "warmup_steps": 0},
}

#: What only the hardest pixels and a rate that falls in stairs have.
OTHER_CHOICES = {"loss": "ohem", "lr_type": "exp", "warmup_steps": 1, "train_epochs": 1}


@pytest.mark.parametrize("name", UNETS)
def test_a_training_reads_every_setting_that_its_unet_has(name: str, miniature: Miniature, tmp_path: Path) -> None:
    config = override(recipe(name), UNETS[name])
    with read_settings() as read:
        train(config, miniature.train, tmp_path / "run", eval_data_file=miniature.train)
    assert unread(read, groups_of(config)) == set()


def test_a_training_reads_every_setting_of_its_loss_and_its_schedule(
    quick: Config, miniature: Miniature, tmp_path: Path
) -> None:
    config = override(quick, OTHER_CHOICES)
    with read_settings() as read:
        train(config, miniature.train, tmp_path / "run")
    assert unread(read, [config.model.loss, config.schedule]) == set()


def test_a_training_reads_every_setting_that_its_deeplab_has(trained: Trained, small: Config) -> None:
    assert unread(trained.read, groups_of(small)) == set()


def test_a_training_reads_every_setting_that_its_mask_rcnn_has(fitted: Fitted) -> None:
    assert unread(fitted.read, groups_of(read_config(fitted.directory / "config.yaml"))) == set()


def test_the_trainings_cover_every_choice(small: Config, quick: Config) -> None:
    configs = [override(recipe(name), changes) for name, changes in UNETS.items()]
    configs += [override(quick, OTHER_CHOICES), small, override(recipe("mask_rcnn_cpu"), SMALL_MASK_RCNN)]
    used = {type(each) for config in configs for each in groups_of(config)}
    choices = {kind for field in msgspec.structs.fields(Config) for kind in _groups(field.type)}
    # The other DeepLabs have the same settings, but for the form of DeepLabV3_s8, which only the network reads.
    left = {kind for kind in choices - used if not issubclass(kind, DeepLab)}
    assert left == set()


def _groups(hint: Any) -> Iterator[type[Group]]:
    for kind in getattr(hint, "__args__", (hint,)):
        if isinstance(kind, type) and issubclass(kind, Group):
            yield kind
            for field in msgspec.structs.fields(kind):
                yield from _groups(field.type)
