"""Every setting has an effect: what a configuration may hold is what the programs read."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from drawn_instances import miniature as drawn_miniature

from segtrain.config.config import Config
from segtrain.config.group import Group
from segtrain.config.networks import DeepLab
from segtrain.config.recipes import override, recipe
from segtrain.training.fit import train

if TYPE_CHECKING:
    from tests.segtrain.conftest import Miniature

SEMANTIC = {"batch_size": 2, "train_epochs": 1, "save_steps": 1, "device_target": "CPU", "amp": "O0"}
UNET = SEMANTIC | {"repeat": 1, "width": 2, "poolings": 1, "channels": 3}

#: For each recipe, changes that make a small network, and that make every setting count.
RUNS: dict[str, dict[str, Any]] = {
    "deeplabv3plus_cpu": SEMANTIC | {"crop_size": 33, "loss": "ohem", "lr_type": "exp", "warmup_steps": 1},
    "unet_isbi": UNET | {"crop_size": 48, "border_weight": 5, "lr_type": "poly"},
    "unet_isbi_cpu": UNET | {"crop_size": 34, "border_weight": 5, "patch": 1, "warmup_steps": 0},
    "mask_rcnn_cpu": {
        "train_epochs": 1, "warmup_steps": 0, "lr_type": "cos", "image_height": 64, "image_width": 96,
        "max_instances": 3, "mask_crop_size": 8, "fpn_channels": 4, "rpn_samples": 40, "rpn_positives": 20,
        "rpn_candidates": 20, "rpn_proposals": 20, "rpn_test_candidates": 20, "rpn_test_proposals": 12,
        "roi_positives": 8, "roi_negatives": 8, "roi_size": 3, "mask_roi_size": 4, "box_head_width": 8,
        "mask_head_width": 4, "mask_head_convs": 1, "max_detections": 6, "save_steps": 1,
    },
}  # fmt: skip


def _module(frame: FrameType) -> str:
    # What MindSpore evaluates when it compiles a network has no module.
    return str(frame.f_globals.get("__name__", "segtrain.models"))


def _is_read(frame: FrameType | None) -> bool:
    """Return whether a program reads a setting, and not the configuration itself, to check it."""
    while frame and _module(frame).startswith("segtrain.config."):
        if frame.f_code.co_name == "__post_init__":
            return False
        frame = frame.f_back
    return frame is not None and _module(frame).startswith("segtrain.")


@pytest.fixture
def read() -> Iterator[dict[type, set[str]]]:
    """Record which settings are read, by the type of their group."""
    found: dict[type, set[str]] = defaultdict(set)

    def recorded(self: Any, name: str) -> Any:
        kind = type(self)
        if name in kind.__struct_fields__ and _is_read(sys._getframe(1)):
            found[kind].add(name)
        return object.__getattribute__(self, name)

    with pytest.MonkeyPatch.context() as patch:
        for kind in (Config, Group):
            patch.setattr(kind, "__getattribute__", recorded, raising=False)
        yield found


def _unread(found: dict[type, set[str]], config: Config) -> set[str]:
    groups: list[Any] = [config, config.model, config.schedule, config.optimizer]
    if hasattr(config.model, "loss"):
        groups.append(config.model.loss)
    return {
        f"{type(each).__name__}.{name}" for each in groups for name in set(each.__struct_fields__) - found[type(each)]
    }


@pytest.mark.parametrize("name", RUNS)
def test_a_training_reads_every_setting_that_its_network_has(
    name: str, read: dict[type, set[str]], miniature: Miniature, tmp_path: Path
) -> None:
    config = override(recipe(name), RUNS[name])
    records = miniature.train if name != "mask_rcnn_cpu" else drawn_miniature(tmp_path).directory
    train(config, records, tmp_path / "run", eval_data_file=records)
    assert _unread(read, config) == set()


def test_the_trainings_cover_every_choice() -> None:
    configs = [override(recipe(name), changes) for name, changes in RUNS.items()]
    used = {type(each) for config in configs for each in (config.model, config.schedule, config.optimizer)}
    used |= {type(config.model.loss) for config in configs if hasattr(config.model, "loss")}
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
