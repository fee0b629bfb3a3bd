"""The published scripts and the commands of docs/recipes.md run commands that the programs accept."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

import segdata.cli
import segtrain.cli
from segtrain.config.recipes import recipe_names

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = ROOT / "scripts"
GROUPS = {"segdata": segdata.cli.main, "segtrain": segtrain.cli.main}
FIVE = (0.5, 0.75, 1.0, 1.25, 1.75)

TRAINING = {
    "run_alone_train.sh": "deeplabv3plus_alone",
    "run_distribute_train_s16_r1.sh": "deeplabv3plus_s16_r1",
    "run_distribute_train_s8_r1.sh": "deeplabv3plus_s8_r1",
    "run_distribute_train_s8_r2.sh": "deeplabv3plus_s8_r2",
}
EVALUATION: dict[str, tuple[str, tuple[float, ...], bool]] = {
    "run_eval_s16.sh": ("DeepLabV3plus_s16", (1.0,), False),
    "run_eval_s16_multiscale.sh": ("DeepLabV3plus_s16", FIVE, False),
    "run_eval_s16_multiscale_flip.sh": ("DeepLabV3plus_s16", FIVE, True),
    "run_eval_s8.sh": ("DeepLabV3plus_s8", (1.0,), False),
    "run_eval_s8_multiscale.sh": ("DeepLabV3plus_s8", FIVE, False),
    "run_eval_s8_multiscale_flip.sh": ("DeepLabV3plus_s8", FIVE, True),
}
NEEDS = {
    "get_dataset_mindrecord.sh": ("DATA_ROOT", "DST_PATH"),
    **dict.fromkeys(TRAINING, ("DATA_FILE", "TRAIN_DIR", "CKPT_PRE_TRAINED")),
    **dict.fromkeys(EVALUATION, ("DATA_ROOT", "DATA_LST", "CKPT_PATH")),
}


@pytest.fixture
def places(tmp_path: Path) -> dict[str, str]:
    """Give every variable a path with a blank; create the files and folders that must exist."""
    root = tmp_path / "my data"
    root.mkdir()
    for name in ("vocaug_train_lst.txt", "voc_train_lst.txt", "voc_val_lst.txt", "start.ckpt"):
        (root / name).touch()
    for name in ("vocaug_train", "voc_train", "voc_val"):
        (root / "records" / name).mkdir(parents=True)
    return {
        "DATA_ROOT": str(root), "DATA_LST": str(root / "voc_val_lst.txt"), "DST_PATH": str(root / "records"),
        "DATA_FILE": str(root / "records" / "voc_train"), "TRAIN_DIR": str(root / "run"),
        "CKPT_PRE_TRAINED": str(root / "start.ckpt"), "CKPT_PATH": str(root / "start.ckpt"),
    }  # fmt: skip


def _bash(script: str, *options: str, **variables: str) -> subprocess.CompletedProcess[str]:
    needed = {name for names in NEEDS.values() for name in names}
    kept = {name: value for name, value in os.environ.items() if name not in needed}
    kept["PATH"] = f"{Path(sys.executable).parent}:{kept['PATH']}"
    command = ["bash", str(SCRIPTS / script), *options]
    return subprocess.run(command, capture_output=True, text=True, env=kept | variables)


def _commands(script: str, places: dict[str, str], *options: str) -> list[list[str]]:
    done = _bash(script, *options, DRY_RUN="1", **places)
    assert (done.returncode, done.stderr) == (0, "")
    return [shlex.split(line) for line in done.stdout.splitlines()]


def _parse(program: str, name: str, *options: str) -> dict[str, Any]:
    """Return the parameters that click parses from a command line; raise for unknown options and values."""
    group = GROUPS[program]
    with click.Context(group, info_name=program, **group.context_settings) as context:
        command = group.get_command(context, name)
        assert command
        return command.make_context(name, list(options), parent=context).params


def _started_by_msrun(words: list[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    from mindspore.parallel.cluster.run import get_args

    monkeypatch.setattr(sys, "argv", words)
    # With it, segtrain takes --is_distributed.
    monkeypatch.setenv("MS_ROLE", "MS_WORKER")
    return get_args()


def test_the_published_scripts_are_there() -> None:
    assert {path.name for path in SCRIPTS.glob("*.sh")} >= set(NEEDS)


@pytest.mark.parametrize(("script", "name"), TRAINING.items())
def test_a_training_is_started_from_its_recipe(
    script: str, name: str, places: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (words,) = _commands(script, places)
    if "distribute" in script:
        launch = _started_by_msrun(words, monkeypatch)
        assert (words[0], launch.worker_num, launch.local_worker_num, launch.join) == ("msrun", 8, 8, True)
        # msrun runs it with Python: it must be a path, not a name on PATH.
        assert Path(launch.task_script).is_file()
        assert "--is_distributed" in launch.task_script_args
        words = [Path(launch.task_script).name, *launch.task_script_args]
    assert words[:2] == ["segtrain", "fit"]
    options = _parse(*words)
    assert options["recipe_name"] == name
    assert name in recipe_names()
    given = {key: value for key, value in options.items() if value not in (None, (), False)}
    assert {key: str(value) for key, value in given.items() if key != "recipe_name"} == {
        "data_file": places["DATA_FILE"],
        "train_dir": places["TRAIN_DIR"],
        "ckpt_pre_trained": places["CKPT_PRE_TRAINED"],
    }


@pytest.mark.parametrize(("script", "published"), EVALUATION.items())
def test_an_evaluation_has_the_published_model_scales_and_flip(
    script: str, published: tuple[str, tuple[float, ...], bool], places: dict[str, str]
) -> None:
    (words,) = _commands(script, places)
    assert words[:2] == ["segtrain", "eval"]
    options = _parse(*words)
    assert (options["model"], options["scales"] or (1.0,), bool(options["flip"])) == published
    assert (options["batch_size"], options["crop_size"], options["device_target"]) == (16, 513, "Ascend")
    assert [str(options[key]) for key in ("data_root", "data_lst", "ckpt_path")] == [
        places[key] for key in ("DATA_ROOT", "DATA_LST", "CKPT_PATH")
    ]


def test_the_record_sets_are_made_from_the_raw_data_and_verified(places: dict[str, str]) -> None:
    commands = _commands("get_dataset_mindrecord.sh", places)
    assert [words[1] for words in commands] == [
        "voc-decolor", "voc-list", "sbd-merge", *["to-mindrecord", "verify"] * 3,
    ]  # fmt: skip
    parsed = [_parse(*words) for words in commands]
    written = [(options["data_lst"].name, options["dst_path"].name, options["num_shards"]) for options in parsed[3::2]]
    assert written == [(f"{name}_lst.txt", name, 8) for name in ("vocaug_train", "voc_train", "voc_val")]
    assert [str(options["dst_path"]) for options in parsed[3::2]] == [words[2] for words in commands[4::2]]


def test_options_given_to_a_script_are_passed_on_and_win(
    places: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (words,) = _commands("run_eval_s8.sh", places, "--device_target", "CPU", "--batch_size", "2")
    options = _parse(*words)
    assert (options["device_target"], options["batch_size"]) == ("CPU", 2)
    (words,) = _commands("run_distribute_train_s8_r2.sh", places, "--train_epochs", "3", "--set", "workers=4")
    options = _parse("segtrain", *_started_by_msrun(words, monkeypatch).task_script_args)
    assert (options["train_epochs"], options["settings"]) == (3, ("workers=4",))
    commands = _commands("get_dataset_mindrecord.sh", places, "--overwrite")
    assert all(_parse(*words)["overwrite"] for words in commands if words[1] != "verify")


def test_an_option_that_does_not_exist_would_be_noticed(places: dict[str, str]) -> None:
    (words,) = _commands("run_eval_s8.sh", places, "--invented")
    with pytest.raises(click.NoSuchOption, match="invented"):
        _parse(*words)


@pytest.mark.parametrize(("script", "missing"), [(script, name) for script, names in NEEDS.items() for name in names])
def test_a_missing_parameter_is_a_sentence(script: str, missing: str, places: dict[str, str]) -> None:
    done = _bash(script, DRY_RUN="1", **{name: value for name, value in places.items() if name != missing})
    assert done.returncode != 0
    assert done.stdout == ""
    assert f" {missing}: set it to " in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(("script", "names"), NEEDS.items())
def test_all_missing_parameters_are_named_at_once(script: str, names: tuple[str, ...]) -> None:
    done = _bash(script, DRY_RUN="1")
    assert (done.returncode != 0, done.stdout) == (True, "")
    assert [line.split(": ")[1] for line in done.stderr.splitlines()] == [*names]


def test_the_published_variable_gives_the_number_of_devices(
    places: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (words,) = [shlex.split(_bash("run_distribute_train_s8_r1.sh", DRY_RUN="1", RANK_SIZE="4", **places).stdout)]
    launch = _started_by_msrun(words, monkeypatch)
    assert (launch.worker_num, launch.local_worker_num) == (4, 4)


@pytest.mark.parametrize("given", ["", "1"])
def test_mindspore_warnings_are_off_in_a_distributed_training_unless_asked_for(
    given: str, places: dict[str, str], tmp_path: Path
) -> None:
    msrun = tmp_path / "bin" / "msrun"
    msrun.parent.mkdir()
    msrun.write_text('#!/bin/sh\necho "GLOG_v is $GLOG_v"\n')
    msrun.chmod(0o755)
    path = f"{msrun.parent}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = _bash("run_distribute_train_s16_r1.sh", **places, PATH=path, GLOG_v=given)
    assert done.stdout.splitlines()[-1] == f"GLOG_v is {given or 3}"


def test_the_record_sets_are_made_twice(tmp_path: Path) -> None:
    from segdata.miniature.sbd import write_release
    from segdata.miniature.voc import write_devkit

    write_devkit(tmp_path, train=8, val=8)
    write_release(tmp_path, voc_train=8, voc_val=8)
    places = {"DATA_ROOT": str(tmp_path), "DST_PATH": str(tmp_path / "records")}
    outputs = []
    for options in ((), (), ("--overwrite",)):
        done = []
        for words in _commands("get_dataset_mindrecord.sh", places, *options):
            result = CliRunner().invoke(segdata.cli.main, words[1:])
            assert result.exit_code == 0, result.output
            done.append(result.output)
        outputs.append("".join(done))
    assert [output.count("an earlier run finished this conversion") for output in outputs] == [0, 3, 0]
    assert [output.count(" shards, intact") for output in outputs] == [3, 3, 3]


def test_a_command_that_fails_ends_the_script_with_its_status(places: dict[str, str]) -> None:
    done = _bash("get_dataset_mindrecord.sh", **places)
    assert done.returncode == 1
    assert [line.split()[:2] for line in done.stdout.splitlines()] == [["segdata", "voc-decolor"]]
    assert done.stderr.startswith("Error: ")


def test_without_the_program_a_distributed_training_says_so(places: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "bin"
    path.mkdir()
    for tool in ("bash", "dirname"):
        (path / tool).symlink_to(shutil.which(tool) or tool)
    done = _bash("run_distribute_train_s16_r1.sh", DRY_RUN="1", **places, PATH=str(path))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "segtrain: not found on PATH. Run: pip install '.[train]'\n"


def test_the_commands_of_the_documentation_lead_from_training_to_training_to_evaluation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("resnet50", "resnet101"):
        Path(f"{name}.ckpt").touch()
    text = (ROOT / "docs" / "recipes.md").read_text()
    for name in set(re.findall(r"_file (records/\w+)", text)):
        Path(name).mkdir(parents=True)
    blocks = re.findall(r"```bash\n(.*?)```", text, re.DOTALL)
    echo = "".join(f'{program}() {{ printf "%q " {program} "$@"; echo; }}\n' for program in ("segtrain", "msrun"))
    done = subprocess.run(["bash", "-euc", echo + "".join(blocks)], capture_output=True, text=True, check=True)
    recipes = []
    for words in map(shlex.split, done.stdout.splitlines()):
        if words[0] == "msrun":
            launch = _started_by_msrun(words, monkeypatch)
            words = [launch.task_script, *launch.task_script_args]
        # Each takes its checkpoint from a training before it.
        options = _parse(*words)
        if words[1] == "fit":
            recipes.append(options["recipe_name"])
            options["train_dir"].mkdir()
            (options["train_dir"] / "last.ckpt").touch()
        else:
            assert options["ckpt_path"].exists()
    assert set(recipes) == {name for name in recipe_names() if not name.endswith(("_cpu", "_alone"))}


def test_the_documentation_has_every_recipe_and_every_script_of_an_evaluation() -> None:
    text = (ROOT / "docs" / "recipes.md").read_text()
    assert [name for name in (*recipe_names(), *EVALUATION) if f"`{name}`" not in text] == []
