"""Checkpoints and what is written beside them, damaged in every way: the same values, or an error message."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mindspore as ms
import msgspec
import numpy as np
import pytest
from damaged_files import damaged, damaged_json
from hypothesis import example, given, settings, strategies as st
from safetensors.numpy import save

from segdata.errors import InvalidInputError
from segtrain.checkpoints.checkpoint import save_checkpoint
from segtrain.checkpoints.info import CheckpointInfo, read_info
from segtrain.checkpoints.weights import read_weights
from segtrain.config.recipes import read_config, recipe, write_config
from segtrain.training.train_dir import METRICS, TrainDir

INFO = CheckpointInfo(
    config=recipe("deeplabv3plus_cpu"),
    class_names=("background", "cell"),
    original_ids=(0, 1),
    ignore_label=255,
    record_set="train",
    inputs="0" * 64,
    rows=10,
    epoch=1,
    step=2,
    best_score=0.5,
)
CONFIG = write_config(INFO.config).encode()
METRIC_LINES = b"".join(b'{"epoch":1,"step":%d,"loss":0.5,"lr":1e-3,"images_per_s":2.0}\n' % step for step in (1, 2))
LINE = damaged_json(json.loads(METRIC_LINES.split(b"\n")[0])).map(lambda text: text + b"\n")


def numbers(value: Any) -> Iterator[float]:
    if isinstance(value, dict | list):
        yield from (inner for each in (value.values() if isinstance(value, dict) else value) for inner in numbers(each))
    elif isinstance(value, float):
        yield value


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoints")
    save_checkpoint(folder / "sound.ckpt", [ms.Parameter(np.ones((2, 3), np.float32), name="layer.weight")], INFO)
    return folder


@settings(max_examples=3 * settings.default.max_examples)
@given(data=st.data())
def test_a_side_file_is_read_or_refused_with_a_sentence(folder: Path, data: st.DataObject) -> None:
    path = folder / "damaged.ckpt"
    path.touch()
    path.with_suffix(".json").write_bytes(data.draw(damaged_json(json.loads((folder / "sound.json").read_text()))))
    try:
        info = read_info(path)
    except InvalidInputError as error:
        assert str(path.with_suffix(".json")) in str(error)
        return
    assert min(info.rows, info.devices) >= 1
    assert min(info.epoch, info.step) >= 0
    assert len({*info.class_names}) == len(info.original_ids) >= 1


@settings(max_examples=3 * settings.default.max_examples)
@given(data=st.data())
@pytest.mark.parametrize("suffix", [".ckpt", ".safetensors"])
def test_weights_are_read_or_refused_with_a_sentence(folder: Path, suffix: str, data: st.DataObject) -> None:
    sound = (folder / "sound.ckpt").read_bytes() if suffix == ".ckpt" else save({"a.b": np.ones((2, 3), np.float32)})
    path = folder / f"damaged{suffix}"
    path.write_bytes(data.draw(damaged(sound, most=3)))
    try:
        weights = read_weights(path)
    except InvalidInputError as error:
        assert str(path) in str(error)
        return
    assert all(isinstance(value, np.ndarray) and value.size < 100 for value in weights.values())


@settings(max_examples=3 * settings.default.max_examples)
@given(
    text=damaged(METRIC_LINES, most=3)
    | damaged_json(json.loads(METRIC_LINES.split(b"\n")[0])).map(lambda text: text + b"\n")
)
@example(text=b'{"epoch":1,"step":1,"loss":"x"}\n')
@example(text=b"[1]\n")
@example(text=b'{"loss":1}\n')
@example(text=b'{"epoch":1,"step":-1}\n')
@example(text=b'{"epoch":1,"step":1,"miou":null}\n')
@example(text=b" " * (1 << 17))
def test_metrics_are_read_or_refused_with_a_sentence(folder: Path, text: bytes) -> None:
    (folder / METRICS).write_bytes(text)
    directory = TrainDir(folder)
    try:
        lines = directory.metrics.lines()
    except InvalidInputError as error:
        assert f"{folder / METRICS}: line " in str(error)
        return
    assert len(lines) == text.count(b"\n")
    assert all(line["step"] >= 0 and line["epoch"] >= 0 for line in lines)
    assert directory.metrics.best("miou") is None or math.isfinite(directory.metrics.best("miou"))


@settings(max_examples=3 * settings.default.max_examples)
@given(text=damaged(CONFIG, most=3))
@example(text=CONFIG.replace(b"seed: 1", b"seed: 2020-13-45"))
@example(text=b"[" * 5000)
@example(text=b"model: \xff")
@example(text=CONFIG.replace(b"batch_size: ", b"batch_size: -"))
@example(text=CONFIG.replace(b"ema_decay: 0.0", b"ema_decay: .nan"))
@example(text=CONFIG.replace(b"loss_scale: 1.0", b"loss_scale: .inf"))
@example(text=b"? [1, 2]\n: 3")
def test_settings_are_read_or_refused_with_a_sentence(folder: Path, text: bytes) -> None:
    path = folder / "config.yaml"
    path.write_bytes(text)
    try:
        config = read_config(path)
    except InvalidInputError as error:
        assert str(path) in str(error)
        return
    assert all(map(math.isfinite, numbers(msgspec.to_builtins(config))))
