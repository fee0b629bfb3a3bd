"""Names of settings: which there are, which networks refuse them, and files of earlier versions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from former_settings import former

from segdata.errors import InvalidInputError
from segtrain.config.config import Config
from segtrain.config.group import Group
from segtrain.config.recipes import override, parse_config, read_config, recipe, recipe_names, write_config
from segtrain.config.settings import flat, setting


def _kinds(config: Config) -> list[type[msgspec.Struct]]:
    """Return the types of the choices in a configuration."""
    groups = [config.model, config.schedule, config.optimizer, getattr(config.model, "loss", None)]
    return [Config, *(type(group) for group in groups if group)]


def _fields(config: Config) -> set[str]:
    return {name for kind in _kinds(config) for name in kind.__struct_fields__}


def _leaves(kind: type[Group]) -> list[type[Group]]:
    return [leaf for sub in kind.__subclasses__() for leaf in (sub, *_leaves(sub))]


#: Values of all settings, by short name.
VALUES = {field.name: field.default for kind in [Config, *_leaves(Group)] for field in msgspec.structs.fields(kind)}


@pytest.mark.parametrize("name", recipe_names())
def test_a_setting_that_the_network_does_not_read_is_refused(name: str) -> None:
    config = recipe(name)
    unread = sorted(VALUES.keys() - _fields(config))
    assert len(unread) > 20
    for key in unread:
        value = VALUES[key].name if isinstance(VALUES[key], Group) else VALUES[key]
        value = None if value is msgspec.NODEFAULT else value
        with pytest.raises(InvalidInputError, match=f"{key}: not a setting of .*; only .* (has|have) it"):
            override(config, {}, [f"{key}={yaml.safe_dump(value)}"])


@pytest.mark.parametrize("name", recipe_names())
def test_every_other_setting_may_be_given_by_its_name_and_its_path(name: str) -> None:
    config = recipe(name)
    for path, value in flat(msgspec.to_builtins(config)):
        again = [f"{path}={yaml.safe_dump(value)}"]
        if not path.endswith("name"):
            again.append(f"{path.rpartition('.')[2]}={yaml.safe_dump(value)}")
        assert override(config, {}, again) == config


@pytest.mark.parametrize("name", recipe_names())
def test_a_file_of_an_earlier_version_is_read(tmp_path: Path, name: str) -> None:
    config = recipe(name)
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(former(config)))
    assert read_config(tmp_path / "config.yaml") == config


@pytest.mark.parametrize(
    ("name", "without_effect"),
    [
        ("mask_rcnn_cpu", {"momentum": 0.91, "class_weights": [1, 2], "loss": "ohem", "warmup_start": 0.3}),
        ("unet_isbi", {"freeze_bn": True, "head_lr_factor": 2.0, "backbone": "resnet18", "warmup_start": 0.5}),
        ("deeplabv3_cpu", {"ohem_share": 0.7, "lr_decay_step": 10}),
    ],
)
def test_settings_that_had_no_effect_in_an_earlier_version_are_dropped(
    name: str, without_effect: dict[str, Any]
) -> None:
    config = override(recipe(name), {"warmup_steps": 0})
    assert parse_config(yaml.safe_dump(former(config) | without_effect), "former") == config


def test_a_persons_file_of_settings_side_by_side_is_read_and_judged() -> None:
    text = "{model: unet_simple, train_epochs: 1, batch_size: 2, base_lr: 1e-3, save_steps: 1, keep_checkpoint_max: 1"
    config = parse_config(text + ", crop_size: 64, unet: {width: 4}, mask_rcnn: null}", "mine.yaml")
    assert (setting(config, "unet.width"), setting(config, "crop_size")) == (4, 64)
    assert (config.schedule.name, config.optimizer.name, setting(config, "loss")) == (
        "cos",
        "momentum",
        "cross_entropy",
    )
    with pytest.raises(InvalidInputError, match=r"^mine\.yaml: backbone: not a setting of unet_simple; only"):
        parse_config(text + ", backbone: resnet18}", "mine.yaml")
    with pytest.raises(InvalidInputError, match=r"^mine\.yaml: unknown setting .* did you mean unet\.width"):
        parse_config(text + ", unet: {widht: 4}}", "mine.yaml")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{train_epochs: 1}", "missing setting: model"),
        ("model: {backbone: resnet18}", "missing setting: model"),
        ("model: DeepLabV3_s8", "missing settings: backbone, base_lr, batch_size, keep_checkpoint_max, save_steps, tr"),
        ("model: {name: unet, loss: {name: dice}}", "model.loss.name = 'dice': expected one of cross_entropy, ohem"),
        ("model: 3", "model = 3: expected one of DeepLabV3_s16"),
        ("{model: unet, schedule: null}", "schedule = None: expected one of cos"),
        ("{model: unet, 1: 2}", "unknown setting '1'"),
    ],
)
def test_an_invalid_configuration_is_refused(text: str, words: str) -> None:
    with pytest.raises(InvalidInputError, match=words):
        parse_config(text, "mine.yaml")


def test_a_setting_is_asked_for_by_any_of_its_names() -> None:
    config = recipe("unet_isbi")
    assert [setting(config, key) for key in ("crop", "unet.crop", "model.crop")] == [0.3] * 3
    assert setting(config, "lr_type") == setting(config, "schedule.name") == "constant"
    with pytest.raises(InvalidInputError, match="backbone: not a setting of unet; only"):
        setting(config, "backbone")


def test_settings_are_written_in_groups() -> None:
    values = yaml.safe_load(write_config(recipe("deeplabv3_course")))
    assert values["schedule"] == {
        "name": "exp", "base_lr": 0.0014, "warmup_steps": 0, "warmup_start": 0.0, "lr_decay_step": 40000,
        "lr_decay_rate": 1.0,
    }  # fmt: skip
    assert values["model"]["loss"] == {"name": "cross_entropy", "class_weights": None}
