"""The reference of settings: it has all of them, and what it says is what the configuration does."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from click.testing import Result
from json_reports import checked

from segdata.errors import InvalidInputError
from segtrain.config.recipes import override, recipe, recipe_names
from segtrain.config.reference import all_settings, sections, settings_named
from segtrain.config.settings import flat, setting

Run = Callable[..., Result]


def test_every_value_of_every_recipe_is_in_the_reference() -> None:
    infos = all_settings()
    for name in recipe_names():
        config = recipe(name)
        labels = {
            config.model.name,
            f"schedule {config.schedule.name}",
            f"optimizer {config.optimizer.name}",
            *([f"loss {config.model.loss.name}"] if hasattr(config.model, "loss") else []),
        }
        values = {path.removesuffix(".name"): value for path, value in flat(msgspec.to_builtins(config))}
        said = {}
        for info in infos:
            if not info.of or labels & {*info.of}:
                said[info.name] = info.recipes.get(name, info.default)
        assert json.loads(json.dumps(said)) == json.loads(json.dumps(values)), name


def test_every_setting_has_a_section_a_meaning_and_expected_values() -> None:
    infos = all_settings()
    assert len(infos) > 90
    assert all(info.meaning and info.expected for info in infos)
    assert {info.name for infos in sections().values() for info in infos} == {info.name for info in infos}
    assert list(sections()) == [
        *("every network", "DeepLabV3_s16, DeepLabV3_s8, DeepLabV3plus_s16, DeepLabV3plus_s8", "unet, unet_simple"),
        *("mask_rcnn", "loss", "schedule", "optimizer"),
    ]


@pytest.mark.parametrize(
    ("name", "default", "expected", "recipes"),
    [
        ("poolings", 4, "integer, 0 to 6", {}),
        ("unet.width", 64, "integer, 1 or more", {"unet_isbi_cpu": 48}),
        ("model.ohem_share", None, "", {}),
        ("ohem_share", 0.2, "number, above 0, at most 1", {}),
        ("lr_decay_rate", 0.1, "number, above 0, at most 1", {"deeplabv3_course": 1.0}),
        ("image_width", 1280, "integer, 32 or more, a multiple of 32", {"mask_rcnn_cpu": 320}),
        ("box_stds", (0.1, 0.1, 0.2, 0.2), "list of 4 values: number, above 0", {}),
        ("num_classes", None, "integer, 2 to 256; or null", {}),
        ("ema_decay", 0.0, "number, 0 or more, below 1", {"unet_isbi_cpu": 0.99}),
    ],
)  # fmt: skip
def test_a_setting_is_described(name: str, default: Any, expected: str, recipes: dict[str, Any]) -> None:
    if not expected:
        with pytest.raises(InvalidInputError, match=r"unknown setting 'model\.ohem_share'; did you mean ohem_share"):
            settings_named(name)
        return
    (info,) = settings_named(name)
    assert (info.default, info.expected, info.recipes) == (default, expected, recipes)


def test_a_choice_has_its_own_settings() -> None:
    assert [info.name for info in settings_named("exp")][-2:] == ["schedule.lr_decay_step", "schedule.lr_decay_rate"]
    assert {info.name for info in settings_named("unet_simple")} >= {"model.patch", "model.width", "model.loss"}
    assert not any(info.name == "model.patch" for info in settings_named("unet"))


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("image_widht", "did you mean mask_rcnn.image_width"),
        ("unet.image_widht", "did you mean mask_rcnn.image_width"),
        ("unet.image_width", "only mask_rcnn has it. `segtrain settings DeepLabV3plus_s16` lists"),
        ("optimizer.base_lr", "did you mean base_lr"),
        ("invented", "unknown setting 'invented'; `segtrain settings` lists all"),
    ],
)
def test_a_wrong_key_names_near_ones_of_all_groups_and_the_command(key: str, words: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        override(recipe("deeplabv3plus_cpu"), {}, [f"{key}=320"])
    assert words in str(caught.value)
    assert "`segtrain settings" in str(caught.value)


def test_the_command_lists_and_explains(segtrain: Run) -> None:
    listed = segtrain("settings").stdout
    assert all(info.name in listed for info in all_settings())
    explained = segtrain("settings", "crop_size").stdout
    assert explained.count("model.crop_size (") == 3
    assert "recipes: 129: deeplabv3_cpu, deeplabv3plus_cpu" in explained
    (info,) = checked(segtrain("settings", "seed", "--json").stdout, "segtrain settings")
    assert (info["default"], info["of"], info["required"]) == (1, [], False)
    assert setting(recipe("deeplabv3_cpu"), "seed") == 1
    wrong = segtrain("settings", "crop_sise")
    assert (wrong.exit_code, "did you mean crop_size" in wrong.stderr) == (2, True)
