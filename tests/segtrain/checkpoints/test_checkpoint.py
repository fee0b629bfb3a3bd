from __future__ import annotations

import hashlib
import resource
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import mindspore as ms
import msgspec
import numpy as np
import pytest
from former_settings import former
from mindspore import Parameter, Tensor, nn

from segdata.errors import FaultsError, InvalidInputError, SegDataError
from segtrain.checkpoints.checkpoint import (
    GLOBAL_STEP,
    fill,
    link_checkpoint,
    load_network,
    read_checkpoint,
    remove_checkpoint,
    save_checkpoint,
)
from segtrain.checkpoints.info import CheckpointInfo, read_info, side_file
from segtrain.checkpoints.pretrained import load_pretrained
from segtrain.checkpoints.weights import read_parameters
from segtrain.config.config import Config

if TYPE_CHECKING:
    from tests.segtrain.conftest import Trained


@pytest.fixture
def info(small: Config) -> CheckpointInfo:
    return CheckpointInfo(
        config=small,
        class_names=("background", "bird"),
        original_ids=(0, 1),
        ignore_label=255,
        record_set="train",
        inputs="0" * 64,
        rows=10,
        epoch=2,
        step=4,
        best_score=0.5,
    )


def _parameters(*names: str, value: float = 1.0) -> list[Parameter]:
    return [Parameter(Tensor(np.full(3, value, np.float32)), name=name) for name in names]


def test_a_checkpoint_for_which_there_is_no_room_is_named_and_the_one_before_stays(
    tmp_path: Path, info: CheckpointInfo
) -> None:
    path = tmp_path / "last.ckpt"
    save_checkpoint(path, _parameters("weight"), info)
    before = {each.name: each.read_bytes() for each in tmp_path.iterdir()}
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, usual[1]))
    try:
        with pytest.raises(OSError, match="File too large") as error:
            save_checkpoint(path, [Parameter(Tensor(np.zeros(5000, np.float32)), name="weight")], info)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)
    assert error.value.filename == str(path)
    assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == before


def test_what_was_saved_is_read_back(tmp_path: Path, info: CheckpointInfo) -> None:
    path = tmp_path / "a.ckpt"
    save_checkpoint(path, _parameters("weight", value=0.25), info)
    found, parameters = read_checkpoint(path)
    assert replace(found, sha256=()) == info
    assert found.sha256 == (hashlib.sha256(path.read_bytes()).hexdigest(),)
    assert parameters["weight"].asnumpy().tolist() == [0.25] * 3
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.ckpt", "a.json"]


def test_only_classes_of_instances_may_share_a_name(info: CheckpointInfo) -> None:
    names = ("bird", "bird")
    assert replace(info, class_names=names, ignore_label=None).class_names == names
    with pytest.raises(InvalidInputError, match="expected one name and one id for each class"):
        replace(info, class_names=names)


def test_others_may_read_a_checkpoint(tmp_path: Path, info: CheckpointInfo) -> None:
    plain = tmp_path / "plain"
    plain.touch()
    save_checkpoint(tmp_path / "a.ckpt", _parameters("weight"), info)
    assert (tmp_path / "a.ckpt").stat().st_mode == plain.stat().st_mode


def test_parameters_that_are_not_finite_replace_no_checkpoint(tmp_path: Path, info: CheckpointInfo) -> None:
    path = tmp_path / "a.ckpt"
    save_checkpoint(path, _parameters("weight"), info)
    with pytest.raises(SegDataError, match=r"found 1 non-finite parameter \(first: weight\)"):
        save_checkpoint(path, _parameters("weight", value=np.nan), replace(info, step=5))
    found, parameters = read_checkpoint(path)
    assert (found.step, float(parameters["weight"].asnumpy()[0])) == (4, 1.0)


def test_after_a_kill_between_side_file_and_checkpoint_the_checkpoints_own_step_counts(
    tmp_path: Path, info: CheckpointInfo
) -> None:
    path = tmp_path / "a.ckpt"
    save_checkpoint(path, [*_parameters("weight"), Parameter(Tensor([2], ms.int32), name=GLOBAL_STEP)], info)
    old = path.read_bytes()
    save_checkpoint(path, [*_parameters("weight"), Parameter(Tensor([4], ms.int32), name=GLOBAL_STEP)], info)
    path.write_bytes(old)
    found, _ = read_checkpoint(path)
    assert (found.epoch, found.step) == (1, 2)


@pytest.mark.parametrize("place", [0, 20, -1])
def test_a_flipped_byte_is_a_sentence(tmp_path: Path, info: CheckpointInfo, place: int) -> None:
    path = tmp_path / "a.ckpt"
    save_checkpoint(path, _parameters("weight"), info)
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)
    for read in (read_checkpoint, partial(load_pretrained, nn.Dense(3, 2))):
        with pytest.raises(
            InvalidInputError,
            match=r"a\.ckpt: does not match a\.json: its SHA-256 is not",
        ):
            read(path)


def test_the_checkpoint_of_another_side_file_is_refused(tmp_path: Path, info: CheckpointInfo) -> None:
    for name, value in (("a.ckpt", 1.0), ("b.ckpt", 2.0)):
        save_checkpoint(tmp_path / name, _parameters("weight", value=value), info)
    (tmp_path / "b.ckpt").replace(tmp_path / "a.ckpt")
    with pytest.raises(InvalidInputError, match=r"a\.ckpt: does not match a\.json"):
        read_checkpoint(tmp_path / "a.ckpt")


def test_a_side_file_of_an_earlier_version_has_no_digest_and_is_read(tmp_path: Path, info: CheckpointInfo) -> None:
    path = tmp_path / "a.ckpt"
    save_checkpoint(path, _parameters("weight"), info)
    old = msgspec.json.decode(side_file(path).read_bytes())
    del old["sha256"]
    side_file(path).write_bytes(msgspec.json.encode(old))
    assert read_checkpoint(path)[0] == info


def test_a_side_file_with_settings_side_by_side_is_read(tmp_path: Path, info: CheckpointInfo) -> None:
    path = tmp_path / "a.ckpt"
    save_checkpoint(path, _parameters("weight"), info)
    values = msgspec.json.decode(side_file(path).read_bytes())
    old = values | {"format_version": 1, "config": former(info.config) | {"warmup_start": 0.5, "repeat": 1}}
    side_file(path).write_bytes(msgspec.json.encode(old))
    assert replace(read_checkpoint(path)[0], sha256=()) == info
    values["config"]["model"]["width"] = 64
    side_file(path).write_bytes(msgspec.json.encode(values))
    with pytest.raises(InvalidInputError, match=r"config: model\.width: not a setting of DeepLabV3plus_s16"):
        read_info(path)


def test_what_a_killed_run_left_is_cleared_by_the_next_save(tmp_path: Path, info: CheckpointInfo) -> None:
    for name in (".a.staged.ckpt", ".a.staged.tmp", ".a.json.segdata-new"):
        (tmp_path / name).write_text("half")
        (tmp_path / name).chmod(0o400)
    save_checkpoint(tmp_path / "a.ckpt", _parameters("weight"), info)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.ckpt", "a.json"]


def test_a_second_name_outlives_the_first(tmp_path: Path, info: CheckpointInfo) -> None:
    first, second = tmp_path / "first.ckpt", tmp_path / "second.ckpt"
    save_checkpoint(first, _parameters("weight", value=1), info)
    link_checkpoint(first, second)
    save_checkpoint(first, _parameters("weight", value=2), replace(info, step=6))
    found, parameters = read_checkpoint(second)
    assert (found.step, float(parameters["weight"].asnumpy()[0])) == (4, 1.0)
    remove_checkpoint(second)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["first.ckpt", "first.json"]


def test_every_key_is_accounted_for() -> None:
    cell = nn.Dense(3, 2)
    wanted = {parameter.name: parameter.shape for parameter in cell.get_parameters()}
    assert wanted == {"weight": (2, 3), "bias": (2,)}
    values = [*_parameters("bias", "other", "moments.weight", GLOBAL_STEP)]
    report = fill(cell, {value.name: value for value in values})
    assert (report.loaded, report.missing, report.unexpected) == ((), ("weight",), ("other",))
    assert report.mismatched == ("bias (3 in the file, 2 in the network)",)

    right = Parameter(Tensor(np.ones((2, 3), np.float32)), name="weight")
    assert fill(cell, {"weight": right}).loaded == ("weight",)
    assert (cell.weight.asnumpy() == 1).all()


def test_a_network_is_rebuilt_from_checkpoint_and_side_file_alone(trained: Trained, tmp_path: Path) -> None:
    for name in ("best.ckpt", "best.json"):
        shutil.copy(trained.directory / name, tmp_path)
    network, info, _ = load_network(tmp_path / "best.ckpt")
    saved = read_parameters(tmp_path / "best.ckpt")
    assert info.class_names == ("background", "aeroplane", "bicycle", "bird")
    assert all((each.asnumpy() == saved[each.name].asnumpy()).all() for each in network.get_parameters())


def _copy_side_file(source: Path, target: Path) -> None:
    """Copy a side file for another checkpoint, without the digest of its own."""
    target.write_bytes(
        msgspec.json.encode(replace(msgspec.json.decode(source.read_bytes(), type=CheckpointInfo), sha256=()))
    )


def test_a_checkpoint_that_lacks_parameters_of_its_network_is_refused(trained: Trained, tmp_path: Path) -> None:
    _copy_side_file(trained.directory / "best.json", tmp_path / "a.json")
    saved = read_parameters(trained.directory / "best.ckpt")
    del saved["decoder.classifier.weight"]
    ms.save_checkpoint([{"name": name, "data": value} for name, value in saved.items()], str(tmp_path / "a.ckpt"))
    with pytest.raises(FaultsError, match=r"a\.ckpt: 1 parameter does not match its side file") as caught:
        load_network(tmp_path / "a.ckpt")
    assert caught.value.faults == ("decoder.classifier.weight (not in the file)",)


def test_a_checkpoint_with_more_than_its_network_has_is_refused(trained: Trained, tmp_path: Path) -> None:
    _copy_side_file(trained.directory / "best.json", tmp_path / "a.json")
    saved = {**read_parameters(trained.directory / "best.ckpt"), "aspp.more": Tensor([1.0])}
    ms.save_checkpoint([{"name": name, "data": value} for name, value in saved.items()], str(tmp_path / "a.ckpt"))
    with pytest.raises(FaultsError, match="1 parameter does not match") as caught:
        load_network(tmp_path / "a.ckpt")
    assert caught.value.faults == ("aspp.more (not in the network)",)


def test_damaged_and_missing_files_are_named(tmp_path: Path, info: CheckpointInfo) -> None:
    path = tmp_path / "a.ckpt"
    with pytest.raises(InvalidInputError, match="no such checkpoint"):
        read_info(path)
    path.write_bytes(b"no checkpoint")
    with pytest.raises(InvalidInputError, match=r"no side file a\.json"):
        read_info(path)
    with pytest.raises(InvalidInputError, match="not a MindSpore checkpoint"):
        read_parameters(path)
    for text in (b"no json", b"[]", b"{}", b'{"format": "another", "format_version": 1}'):
        side_file(path).write_bytes(text)
        with pytest.raises(InvalidInputError, match=r"a\.json: not a checkpoint side file"):
            read_info(path)
    side_file(path).write_bytes(b'{"format_version": 3}')
    with pytest.raises(InvalidInputError, match="format version 3 is newer than this program"):
        read_info(path)
