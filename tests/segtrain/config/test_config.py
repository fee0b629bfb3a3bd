from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, get_args

import msgspec
import pytest

from segdata.errors import InvalidInputError
from segdata.records.reader import open_set
from segtrain.config.choices import Cosine, Exponential, Momentum
from segtrain.config.config import Config, Model
from segtrain.config.mask_rcnn import MaskRcnn
from segtrain.config.networks import Backbone, DeepLabV3PlusS16
from segtrain.config.recipes import override, parse_config, read_config, recipe, recipe_names, write_config
from segtrain.config.settings import choice_names, setting
from segtrain.models import BACKBONES, MODELS
from segtrain.tasks.semantic import resolve_config

if TYPE_CHECKING:
    from tests.segtrain.conftest import Miniature


def test_the_published_recipe_has_the_published_settings() -> None:
    assert recipe("deeplabv3plus_s16_r1") == Config(
        model=DeepLabV3PlusS16(
            backbone="resnet101", atrous_rates=(6, 12, 18), crop_size=513, min_scale=0.5, max_scale=2.0
        ),
        schedule=Cosine(base_lr=0.08, warmup_steps=0),
        optimizer=Momentum(momentum=0.9, weight_decay=1e-4),
        batch_size=32,
        train_epochs=300,
        amp="O3",
        loss_scale=3072,
        save_steps=410,
        keep_checkpoint_max=200,
        device_target="Ascend",
    )


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_is_a_complete_configuration_that_survives_writing(name: str) -> None:
    assert parse_config(write_config(recipe(name)), "there and back") == recipe(name)


def test_models_and_backbones_of_the_configuration_are_those_that_can_be_built() -> None:
    assert set(get_args(Model)) == set(MODELS) == set(choice_names("model"))
    assert set(get_args(Backbone)) == set(BACKBONES)


def test_flags_override_the_recipe_and_flags_that_were_not_given_do_not(small: Config) -> None:
    changed = override(small, {"batch_size": 7, "base_lr": None})
    assert (changed.batch_size, changed.schedule) == (7, small.schedule)


@pytest.mark.parametrize(
    ("given", "key", "value"),
    [
        ("momentum=0.5", "momentum", 0.5),
        ("base_lr=1e-3", "base_lr", 0.001),
        ("atrous_rates=[1, 2]", "atrous_rates", (1, 2)),
        ("freeze_bn=true", "freeze_bn", True),
        ("workers=null", "workers", None),
        ("loss_scale=dynamic", "loss_scale", "dynamic"),
        ("loss_scale=3072", "loss_scale", 3072.0),
        ("class_weights=[0.5, 1e-3, 2]", "class_weights", (0.5, 0.001, 2.0)),
        ("weight_decay_filter=norm_and_bias", "weight_decay_filter", "norm_and_bias"),
        ("ckpt_pre_trained=a=b.ckpt", "ckpt_pre_trained", "a=b.ckpt"),
        ("optimizer=adam", "optimizer", "adam"),
        ("optimizer.name=adam", "optimizer", "adam"),
        ("loss=ohem", "model.loss", "ohem"),
        ("lr_type=poly", "schedule", "poly"),
        ("model.crop_size=65", "crop_size", 65),
    ],
)
def test_a_setting_is_read_with_the_type_of_its_key(small: Config, given: str, key: str, value: object) -> None:
    assert setting(override(small, {}, [given]), key) == value


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("croop_size=65", ["croop_size", "crop_size"]),
        ("crop_size=large", ["crop_size", "'large'", "an integer, 33 or more"]),
        ("crop_size=32", ["crop_size", "32", "33"]),
        ("lr_type=linear", ["lr_type", "'linear'", "cos, poly, exp"]),
        ("momentum=1", ["momentum", "1"]),
        ("loss_scale=fast", ["loss_scale", "'fast'", "dynamic"]),
        ("loss_scale=0", ["loss_scale", "0"]),
        ("class_weights=[1, -1]", ["class_weights", "-1", "0"]),
        ("class_weights=2", ["class_weights", "a list of values"]),
        ("loss=focal", ["loss", "'focal'", "cross_entropy, ohem"]),
        ("loss={a: 1}", ["loss", "{'a': 1}", "cross_entropy, ohem"]),
        ("image_std=[1, .inf, 1]", ["image_std", "expected a finite number"]),
        ("amp=O1", ["amp", "'O1'", "O0, O2, O3, auto"]),
        ("weight_decay_filter=auto", ["weight_decay_filter", "none, norm, norm_and_bias"]),
        ("image_mean=[1, 2]", ["image_mean", "[1, 2]", "3"]),
        ("base_lr=0", ["base_lr", "0"]),
        ("crop_size", ["crop_size", "key=value"]),
        ("base_lr={", ["base_lr", "YAML"]),
        ("min_scale=3", ["min_scale", "max_scale"]),
    ],
)
def test_a_bad_setting_is_refused_with_key_and_value(small: Config, setting: str, words: list[str]) -> None:
    with pytest.raises(InvalidInputError) as error:
        override(small, {}, [setting])
    assert all(word in str(error.value) for word in words), error.value


def test_one_fixed_scale_is_allowed(small: Config) -> None:
    assert setting(override(small, {"min_scale": 1.0, "max_scale": 1.0}), "min_scale") == 1.0


def test_a_key_given_twice_must_have_one_value(small: Config) -> None:
    assert override(small, {"batch_size": 7}, ["batch_size=7"]).batch_size == 7
    with pytest.raises(InvalidInputError, match="batch_size: given twice, as 7 and as 8"):
        override(small, {"batch_size": 7}, ["batch_size=8"])
    with pytest.raises(InvalidInputError, match="seed: given twice"):
        override(small, {}, ["seed=1", "seed=2"])
    with pytest.raises(InvalidInputError, match=r"model\.crop_size: given twice, as 33 and as 65"):
        override(small, {"crop_size": 33}, ["model.crop_size=65"])


def test_an_unknown_recipe_names_the_near_ones() -> None:
    with pytest.raises(InvalidInputError, match="did you mean deeplabv3plus_s16_r1"):
        recipe("DeepLabV3plus_s16")
    with pytest.raises(InvalidInputError, match="expected one of"):
        recipe("zzz")


@pytest.mark.parametrize("text", ["- a list", "model: [", "model: DeepLabV3plus_s16", "42"])
def test_an_incomplete_configuration_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(InvalidInputError, match=r"config\.yaml"):
        read_config(tmp_path / "config.yaml")


def test_classes_and_ignore_label_come_from_the_record_set(small: Config, miniature: Miniature) -> None:
    resolved = resolve_config(small, open_set(miniature.train).manifest)
    assert (resolved.num_classes, setting(resolved, "ignore_label")) == (4, 255)


@pytest.mark.parametrize(("key", "value"), [("num_classes", 21), ("ignore_label", 0)])
def test_settings_that_contradict_the_record_set_are_refused(
    small: Config, miniature: Miniature, key: str, value: int
) -> None:
    with pytest.raises(InvalidInputError, match=f"{key} = {value}: does not match record set train; expected"):
        resolve_config(override(small, {key: value}), open_set(miniature.train).manifest)


def test_settings_of_a_group_are_checked_together() -> None:
    base = recipe("mask_rcnn_cpu")
    # Either alone would leave more positives than samples.
    config = override(base, {}, ["mask_rcnn.rpn_samples=64", "mask_rcnn.rpn_positives=16"])
    changed = msgspec.structs.replace(base.model_as(MaskRcnn), rpn_samples=64, rpn_positives=16)
    assert config == msgspec.structs.replace(base, model=changed)
    assert parse_config(write_config(config), "there and back") == config


@pytest.mark.parametrize(
    ("name", "setting", "words"),
    [
        ("mask_rcnn_cpu", "mask_rcnn.rpn_positives=500", "rpn_positives = 500: above rpn_samples = 256"),
        ("mask_rcnn_cpu", "mask_rcnn.image_widht=64", "did you mean mask_rcnn.image_width"),
        ("mask_rcnn_cpu", "model=DeepLabV3_s16", "the other settings are for mask_rcnn, and DeepLabV3_s16"),
        ("deeplabv3plus_cpu", "model=mask_rcnn", "Start from a recipe for mask_rcnn"),
        ("deeplabv3plus_cpu", "mask_rcnn.image_width=64", "only mask_rcnn has it"),
        ("deeplabv3plus_cpu", "unet.crop_size=64", "not a setting of DeepLabV3plus_s16"),
        ("deeplabv3plus_cpu", "image_widht=64", "did you mean mask_rcnn.image_width"),
        ("deeplabv3plus_cpu", "seed.x=1", "unknown setting 'seed.x'; did you mean seed"),
        ("deeplabv3plus_cpu", "backbone=null", "backbone = None: expected one of resnet101, resnet18"),
        ("deeplabv3plus_cpu", "warmup_start=0.5", "warmup_start = 0.5 has no effect while warmup_steps is 0"),
        ("deeplabv3plus_cpu", "lr_decay_step=5", "not a setting of schedule poly; only schedule exp has it"),
        ("mask_rcnn_cpu", "momentum=0.5", "not a setting of optimizer adam; only optimizer momentum has it"),
        ("mask_rcnn_cpu", "ohem_share=0.5", "ohem_share: not a setting of mask_rcnn"),
        ("mask_rcnn_cpu", "weight_decay_filter=none", "has no effect while weight_decay is 0"),
        ("mask_rcnn_cpu", "early_stopping_by=eval_loss", "has no effect while early_stopping is null."),
    ],
)
def test_settings_of_groups_that_make_no_sense_are_refused(name: str, setting: str, words: str) -> None:
    with pytest.raises(InvalidInputError, match=words):
        override(recipe(name), {}, [setting])


def test_a_new_choice_keeps_what_it_reads_too() -> None:
    base = override(recipe("deeplabv3_cpu"), {"class_weights": [1, 2], "warmup_steps": 5, "warmup_start": 0.5})
    config = override(base, {"loss": "ohem", "lr_type": "exp", "optimizer": "adam", "model": "DeepLabV3_s8"})
    assert setting(config, "model.loss.class_weights") == (1, 2)
    assert config.schedule == Exponential(base_lr=0.02, warmup_steps=5, warmup_start=0.5)
    assert setting(config, "backbone") == "resnet18"
    assert setting(override(config, {"warmup_steps": 0}), "warmup_start") == 0
    assert setting(override(base, {"ohem_share": 0.3, "loss": "ohem"}), "ohem_share") == 0.3


def test_low_memory_is_for_a_cpu() -> None:
    with pytest.raises(InvalidInputError, match=r"low_memory has no effect on Ascend.* or use --device_target CPU"):
        override(recipe("unet_isbi"), {"device_target": "Ascend"}, ["unet.low_memory=true"])
    assert override(recipe("unet_isbi_cpu"), {}, ["unet.low_memory=true"]).model.low_memory
