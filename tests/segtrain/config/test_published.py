"""Differences of a training from the one that a recipe was published with."""

from __future__ import annotations

from typing import Any

import pytest

from segtrain.config.published import PUBLISHED, differences
from segtrain.config.recipes import override, recipe, recipe_names, recipe_text

START = "was published with weights to start from: an ImageNet ResNet-101. Without --ckpt_pre_trained"
RATE = "with 8 devices and 256 images per step; this run has 1 device and 32, so the learning rate does not fit. Try"


def test_every_entry_says_what_its_recipe_says() -> None:
    assert PUBLISHED.keys() <= set(recipe_names())
    for name, published in PUBLISHED.items():
        text = recipe_text(name)
        assert "tart from" in text or "tart\n# from" in text, name
        assert ("8 devices" in text) == (published.devices == 8), name


@pytest.mark.parametrize(
    ("name", "changes", "devices", "words"),
    [
        ("deeplabv3plus_s16_r1", {}, 8, [START]),
        ("deeplabv3plus_s16_r1", {"ckpt_pre_trained": "a.ckpt"}, 8, []),
        ("deeplabv3plus_s16_r1", {"ckpt_pre_trained": "a.ckpt"}, 1, [f"{RATE} --base_lr 0.01,"]),
        ("deeplabv3plus_s16_r1", {"batch_size": 256, "ckpt_pre_trained": "a.ckpt"}, 1, []),
        ("deeplabv3plus_s16_r1", {"base_lr": 0.01, "ckpt_pre_trained": "a.ckpt"}, 1, []),
        ("deeplabv3plus_s16_r1", {}, 1, [START, RATE]),
        ("deeplabv3plus_cpu", {"batch_size": 2}, 3, []),
    ],
)
def test_what_differs_is_said_with_what_it_means(
    name: str, changes: dict[str, Any], devices: int, words: list[str]
) -> None:
    found = differences(name, override(recipe(name), changes), devices)
    assert len(found) == len(words)
    assert [word for word, sentence in zip(words, found, strict=True) if word not in sentence] == []
