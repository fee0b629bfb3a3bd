"""The command lines of the four published tutorials and of the scripts behind them: accepted, or answered by name."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import click
import pytest

import segdata.cli
import segtrain.cli
from segdata.store.url import parse_location

GROUPS = {"segdata": segdata.cli.main, "segtrain": segtrain.cli.main}

#: The training that all four published scripts of DeepLabV3+ have in common.
TRAIN = (
    "segtrain fit --recipe deeplabv3plus_s16_r1 --data_file=set --train_dir=ckpt --train_epochs=300 --batch_size=32 "
    "--crop_size=513 --base_lr=0.08 --lr_type=cos --min_scale=0.5 --max_scale=2.0 --ignore_label=255 --num_classes=21 "
    "--ckpt_pre_trained=start.ckpt --save_steps=410 --keep_checkpoint_max=200"
)
#: The training on ModelArts.
MODELARTS = (
    "segtrain fit --recipe deeplabv3plus_s16_r1 --train_url=s3://b/out --data_url=s3://b/set "
    "--model=DeepLabV3plus_s16 --train_epochs=300 --batch_size=32 --crop_size=513 --base_lr=0.08 --lr_type=cos "
    "--save_steps=410"
)
COURSE = "segtrain fit --recipe deeplabv3_course --data_url set --train_url=out"

ACCEPTED = [
    "segdata voc-list --data_root=.",
    "segdata to-mindrecord --data_root=. --data_lst=list.txt --dst_path=set --num_shards=8 --shuffle=True",
    "segdata to-mindrecord --data_root=. --data_lst=list.txt --dst_path=set --num_shards=8 --shuffle False",
    f"{TRAIN} --model=DeepLabV3plus_s16",
    f"{TRAIN} --model=DeepLabV3plus_s8 --loss_scale=2048 --is_distributed",
    f"{TRAIN} --freeze_bn=False --is_distributed=False --device_target=Ascend",
    f"{MODELARTS} --modelArts_mode=True --dataset_filename=NAME --pretrainedmodel_filename=start.ckpt",
    f"{COURSE} --checkpoint_url start.ckpt --distribute=false",
    f"{COURSE} --pre_trained=start.ckpt --filter_weight=False --run_distribute=False",
    f"{TRAIN} --lr_decay_step=40000 --lr_decay_rate=0.1",
    "segtrain eval --data_root=. --data_lst=list.txt --batch_size=16 --crop_size=513 --ignore_label=255 "
    "--num_classes=21 --model=DeepLabV3plus_s8 --scales=0.5 --scales=0.75 --scales=1.0 --scales=1.25 --scales=1.75 "
    "--flip --freeze_bn --ckpt_path=start.ckpt",
]
ANSWERED = {
    f"{TRAIN} --device_id=3": "--device_id: a flag of the published script; here, choose the device with the environ",
    f"{TRAIN} --device_num 8": "--device_num: a flag of the published script; here, start the processes with msrun",
    f"{TRAIN} --rank=1": "--rank: a flag",
    f"{TRAIN} --group_size=8": "--group_size: a flag",
    f"{TRAIN} --filter_weight=True": "--filter_weight: a flag of the published script; here, a head for another number",
}


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MS_ROLE", "MS_WORKER")
    Path("set").mkdir()
    for name in ("list.txt", "start.ckpt", "set/start.ckpt", "set/NAME"):
        Path(name).touch()


def _parsed(line: str) -> tuple[click.Command, click.Context]:
    """Return the command and its context, as the program parses the line."""
    program, *words = shlex.split(line)
    group = GROUPS[program]
    with click.Context(group, info_name=program, **group.context_settings) as context:
        name, command, rest = group.resolve_command(context, words)
        assert name and command
        return command, command.make_context(name, rest, parent=context)


@pytest.mark.parametrize("line", ACCEPTED)
def test_a_published_command_line_is_accepted(line: str) -> None:
    _parsed(line)


@pytest.mark.parametrize("line", ANSWERED)
def test_a_flag_without_a_counterpart_is_answered(line: str) -> None:
    with pytest.raises(click.UsageError) as caught:
        _parsed(line)
    assert ANSWERED[line] in caught.value.message
    assert "Leave --" in caught.value.message


def test_the_flags_have_the_published_meaning() -> None:
    assert _parsed(ACCEPTED[1])[1].params["shuffle"] is True
    assert _parsed(ACCEPTED[2])[1].params["shuffle"] is False
    assert _parsed(f"{TRAIN} --freeze_bn=False")[1].params["freeze_bn"] is False
    assert _parsed(f"{TRAIN} --freeze_bn")[1].params["freeze_bn"] is True
    assert _parsed(TRAIN)[1].params["freeze_bn"] is None
    assert _parsed(f"{COURSE} --pre_trained=start.ckpt")[1].params["ckpt_pre_trained"] == "start.ckpt"


@pytest.mark.parametrize("folder", ["s3://b/set", "set"])
def test_names_of_files_on_modelarts_are_in_the_folder_of_the_data(
    folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: dict[str, Any] = {}

    def fit(config: Any, **places: Any) -> None:
        called.update(places, start=config.ckpt_pre_trained)
        raise click.UsageError("far enough")

    monkeypatch.setattr("segtrain.remote.programs.fit", fit)
    line = f"{MODELARTS.replace('s3://b/set', folder)} --dataset_filename=NAME --pretrainedmodel_filename=start.ckpt"
    command, context = _parsed(line)
    with context, pytest.raises(click.UsageError, match="far enough"):
        command.invoke(context)
    assert called["data_file"] == parse_location(f"{folder}/NAME")
    assert called["start"] == f"{folder}/start.ckpt"
    command, context = _parsed(f"{line} --ckpt_pre_trained start.ckpt")
    with context, pytest.raises(click.UsageError, match="both name a file"):
        command.invoke(context)


def test_a_line_without_a_recipe_names_those_of_its_network() -> None:
    command, context = _parsed(f"{COURSE.replace(' --recipe deeplabv3_course', '')} --model DeepLabV3plus_s16")
    with context, pytest.raises(click.UsageError) as caught:
        command.invoke(context)
    assert caught.value.message == (
        "--recipe is missing; expected one of deeplabv3plus_alone, deeplabv3plus_cpu, deeplabv3plus_s16_r1"
    )
