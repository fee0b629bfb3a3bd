"""The recipes are what was published: the figures below are those of the published pages and programs."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from click.testing import Result
from json_reports import checked

from segtrain.config.recipes import (
    RecipeSummary,
    override,
    parse_config,
    recipe,
    recipe_names,
    recipe_summaries,
    recipe_text,
)
from segtrain.config.settings import setting
from segtrain.data.rows import steps_per_epoch
from segtrain.training.schedules import learning_rates

Run = Callable[..., Result]

#: What all trainings of the model zoo's DeepLabV3 and DeepLabV3+ have in common.
ZOO = {
    "backbone": "resnet101", "atrous_rates": (6, 12, 18), "freeze_bn": False, "freeze": (), "crop_size": 513,
    "min_scale": 0.5, "max_scale": 2.0, "image_mean": (123.675, 116.28, 103.53), "image_std": (58.395, 57.12, 57.375),
    "lr_type": "cos", "warmup_steps": 0, "momentum": 0.9, "weight_decay": 1e-4, "keep_checkpoint_max": 200,
    "amp": "O3", "weight_decay_filter": "norm", "device_target": "Ascend",
}  # fmt: skip
COLUMNS = ("model", "train_epochs", "batch_size", "base_lr", "loss_scale", "save_steps")
ROWS: dict[str, tuple[object, ...]] = {
    "deeplabv3_s16": ("DeepLabV3_s16", 300, 32, 0.08, 3072, 410),
    "deeplabv3_s8": ("DeepLabV3_s8", 800, 16, 0.02, 2048, 820),
    "deeplabv3plus_alone": ("DeepLabV3plus_s16", 200, 32, 0.015, 3072, 1500),
    "deeplabv3plus_s16_r1": ("DeepLabV3plus_s16", 300, 32, 0.08, 3072, 410),
    "deeplabv3plus_s8_r1": ("DeepLabV3plus_s8", 800, 16, 0.02, 2048, 820),
    "deeplabv3plus_s8_r2": ("DeepLabV3plus_s8", 300, 16, 0.008, 2048, 110),
}
COURSE = {
    "model": "DeepLabV3_s16", "backbone": "resnet50", "freeze_bn": True, "freeze": ("backbone",), "train_epochs": 6,
    "batch_size": 2, "crop_size": 513, "min_scale": 0.5, "max_scale": 2.0, "image_mean": (127.5, 127.5, 127.5),
    "image_std": (127.5, 127.5, 127.5), "base_lr": 0.0014, "momentum": 0.97, "weight_decay": 5e-5, "loss_scale": 1,
    "save_steps": 10000, "keep_checkpoint_max": 1,
}  # fmt: skip
PUBLISHED: dict[str, dict[str, Any]] = {
    **{name: {**ZOO, **dict(zip(COLUMNS, row, strict=True))} for name, row in ROWS.items()},
    "deeplabv3_course": COURSE,
}


#: Their figures are checked where their networks are tested.
OTHERS = {"mask_rcnn_coco", "mask_rcnn_coco_subset", "unet_isbi"}
LAPTOP = {"deeplabv3_cpu", "deeplabv3plus_cpu", "mask_rcnn_cpu", "unet_isbi_cpu"}


def test_the_recipes_are_the_published_ones_and_some_for_a_laptop() -> None:
    assert set(recipe_names()) == {*PUBLISHED, *OTHERS, *LAPTOP}


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_recipe_has_the_published_figures(name: str) -> None:
    config = recipe(name)
    assert {key: setting(config, key) for key in PUBLISHED[name]} == PUBLISHED[name]


@pytest.mark.parametrize(
    ("name", "save_steps", "kept"),
    [("mask_rcnn_coco_subset", "epoch", 12), ("unet_isbi", 600, 10), ("mask_rcnn_coco", 7329, 12)],
)
def test_checkpoints_are_saved_as_published(name: str, save_steps: object, kept: int) -> None:
    config = recipe(name)
    assert (config.save_steps, config.keep_checkpoint_max) == (save_steps, kept)


@pytest.mark.parametrize(
    ("name", "rows", "devices", "steps"),
    [
        ("deeplabv3_course", 1464, 1, 732),
        ("deeplabv3_s16", 10582, 8, 41),
        ("deeplabv3_s8", 10582, 8, 82),
        ("deeplabv3plus_alone", 10582, 1, 330),
        ("deeplabv3plus_s16_r1", 10582, 8, 41),
        ("deeplabv3plus_s8_r1", 10582, 8, 82),
        ("deeplabv3plus_s8_r2", 1464, 8, 11),
    ],
)
def test_an_epoch_has_the_steps_of_the_published_logs(name: str, rows: int, devices: int, steps: int) -> None:
    assert steps_per_epoch(rows, recipe(name).batch_size, devices) == steps
    assert f"{steps} steps per epoch" in recipe_text(name)


def test_the_learning_rate_of_the_course_is_constant() -> None:
    rates = learning_rates(recipe("deeplabv3_course").schedule, 100_000)
    assert rates.min() == rates.max() == pytest.approx(0.0014)


def test_the_two_laptop_recipes_differ_in_the_network_alone() -> None:
    assert override(recipe("deeplabv3_cpu"), {"model": "DeepLabV3plus_s16"}) == recipe("deeplabv3plus_cpu")


@pytest.mark.parametrize("name", recipe_names())
def test_a_recipe_begins_with_one_sentence_that_fits_a_line_of_the_list(name: str) -> None:
    first = recipe_text(name).split("\n")[0]
    assert first.removeprefix("# A small ").removeprefix("# ").startswith(("DeepLab", "U-Net", "Mask R-CNN"))
    assert first.endswith(".") and ". " not in first
    assert len(first) <= 100


def test_the_list_shows_name_model_and_summary(segtrain: Run) -> None:
    result = segtrain("recipes")
    assert result.exit_code == 0
    header, *rows = result.stdout.splitlines()
    assert header.split() == ["name", "model", "summary"]
    assert [row.split()[0] for row in rows] == recipe_names()
    (last,) = (row for row in rows if row.startswith("deeplabv3plus_s8_r2"))
    assert last.split(maxsplit=2) == [
        "deeplabv3plus_s8_r2",
        "DeepLabV3plus_s8",
        "DeepLabV3+ at output stride 8 on VOC train: third stage of the published training.",
    ]


def test_the_list_as_json_is_that_of_the_library(segtrain: Run) -> None:
    listed = checked(segtrain("recipes", "--json").stdout, "segtrain recipes")
    assert msgspec.convert(listed, list[RecipeSummary]) == recipe_summaries()


@pytest.mark.parametrize("name", recipe_names())
def test_a_recipe_is_printed_as_it_is(segtrain: Run, name: str) -> None:
    result = segtrain("recipes", name)
    assert (result.exit_code, result.stdout) == (0, recipe_text(name))


def test_a_recipe_as_json_has_every_setting(segtrain: Run) -> None:
    printed = checked(segtrain("recipes", "deeplabv3plus_s8_r1", "--json").stdout, "segtrain recipes")["config"]
    assert parse_config(json.dumps(printed), "recipe.json") == recipe("deeplabv3plus_s8_r1")


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_an_unknown_recipe_names_the_near_ones(segtrain: Run, form: list[str]) -> None:
    result = segtrain("recipes", "deeplabv3plus_s16", *form)
    assert result.exit_code == 2
    assert "did you mean deeplabv3plus_s16_r1" in (json.loads(result.stdout)["error"] if form else result.stderr)
    assert "unknown recipe 'deeplabv3plus_s16'; did you mean deeplabv3plus_s16_r1" in result.stderr
