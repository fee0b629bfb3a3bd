"""Deep images in training: no level is lost, and sets that are scaled otherwise are refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import Result

from segdata.errors import InvalidInputError
from segdata.images.values import ValueRange
from segdata.labels.classes import Classes
from segdata.labels.masks import encode_index_png
from segdata.lists import Pair, write_list
from segdata.opening import open_dataset
from segdata.records.convert import to_mindrecord
from segdata.records.reader import open_set
from segtrain.config.config import Config
from segtrain.config.networks import DeepLab
from segtrain.config.recipes import override
from segtrain.data.classes import check_value_range
from segtrain.data.semantic.crops import crop_batches
from segtrain.tasks.semantic import left_out

MakeSet = Callable[..., Path]


@pytest.fixture
def write_set(tmp_path: Path) -> MakeSet:
    """Write six pictures of blobs as a record set, each sample multiplied by `factor`."""

    def write(name: str, factor: int, *, value_range: ValueRange | None, color: bool = False) -> Path:
        root = tmp_path / f"{name}_files"
        root.mkdir()
        rng = np.random.default_rng(3)
        pairs = []
        for index in range(6):
            label = (rng.random((40, 44)) > 0.5).astype(np.uint8)
            image = (60 + 120 * label + rng.integers(0, 60, label.shape)).astype(np.uint16) * factor
            image = image if factor > 1 else image.astype(np.uint8)
            cv2.imwrite(str(root / f"{index}.png"), np.stack([image] * 3, axis=2) if color else image)
            (root / f"{index}_label.png").write_bytes(encode_index_png(label))
            pairs.append(Pair(f"{index}.png", f"{index}_label.png"))
        write_list(root / "all.txt", pairs, overwrite=False)
        source = open_dataset(
            root / "all.txt", data_root=root, classes=Classes(("ground", "cell")), value_range=value_range
        )
        to_mindrecord(source, tmp_path / name, num_shards=1)
        return tmp_path / name

    return write


def batches(path: Path, config: Config) -> list[np.ndarray]:
    return [images.asnumpy() for images, _ in crop_batches(open_set(path), config, config.model_as(DeepLab), epoch=0)]


def test_a_set_of_12_bits_trains_as_its_copy_of_8(write_set: MakeSet, small: Config) -> None:
    config = override(small, {"batch_size": 3, "image_mean": (0, 0, 0), "image_std": (1, 1, 1)})
    shallow = batches(write_set("shallow", 1, value_range=None), config)
    deep = batches(write_set("deep", 16, value_range=ValueRange(0, 4080)), config)
    # Resized 8-bit images are rounded to integers, deep ones are not.
    assert len(shallow) == len(deep) == 2
    assert all(np.abs(one - other).max() <= 1.01 for one, other in zip(shallow, deep, strict=True))
    assert len(np.unique(deep[0])) > 256


def test_the_manifest_keeps_the_range_and_the_kinds_of_image(write_set: MakeSet) -> None:
    manifest = open_set(write_set("deep", 16, value_range=ValueRange(0, 4080))).manifest
    assert (manifest.value_range, manifest.format_version) == ((0, 4080), 3)
    assert manifest.images is not None
    assert (manifest.images.samples, manifest.images.color) == ({"uint16": 6}, 0)


def test_a_set_with_another_range_is_refused_with_the_option(write_set: MakeSet) -> None:
    manifest = open_set(write_set("deep", 16, value_range=ValueRange(0, 4000))).manifest
    check_value_range((0, 4000), manifest)
    with pytest.raises(InvalidInputError, match=r"has value range 0:4000; expected value range 0:4080.*range 0:4080"):
        check_value_range((0, 4080), manifest)
    with pytest.raises(InvalidInputError, match="expected 8-bit images without a value range"):
        check_value_range(None, manifest)


def test_colors_that_a_gray_network_does_not_see_are_named(write_set: MakeSet, quick: Config) -> None:
    records = open_set(write_set("color", 1, value_range=None, color=True))
    gray = override(quick, {}, ["unet.channels=1"])
    (sentence,) = left_out(records, gray)
    assert "converted 6 of 6 images from color to gray" in sentence
    assert "--set unet.channels=3" in sentence
    assert left_out(records, quick) == ()
    assert left_out(open_set(write_set("gray", 1, value_range=None)), gray) == ()


def test_a_checkpoint_keeps_the_range_for_evaluation_and_prediction(
    write_set: MakeSet, quick: Config, tmp_path: Path, segtrain: Callable[..., Result]
) -> None:
    from segtrain.checkpoints.info import read_info
    from segtrain.training.fit import train

    train_set = write_set("deep", 16, value_range=ValueRange(0, 4080))
    config = override(quick, {"train_epochs": 1, "batch_size": 3})
    train(config, train_set, tmp_path / "run", eval_data_file=train_set)
    checkpoint = tmp_path / "run" / "last.ckpt"
    assert read_info(checkpoint).value_range == (0, 4080)
    assert segtrain("eval", "--data_file", train_set, "--ckpt_path", checkpoint).exit_code == 0
    other = write_set("other", 16, value_range=ValueRange(0, 4000))
    result = segtrain("eval", "--data_file", other, "--ckpt_path", checkpoint)
    assert (result.exit_code, "--value_range 0:4080" in result.stderr) == (1, True)
    images = tmp_path / "deep_files" / "0.png"
    result = segtrain("predict", "--images", images, "--ckpt_path", checkpoint, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
