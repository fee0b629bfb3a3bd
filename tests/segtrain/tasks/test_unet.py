"""U-Net from stacks to scores: its particulars in batches, training, evaluation and prediction."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from segdata.errors import InvalidInputError
from segdata.labels.classes import Classes
from segdata.labels.map_file import load_map
from segdata.miniature.tif import write_stacks
from segdata.opening import open_dataset
from segdata.records.convert import to_mindrecord
from segdata.records.reader import open_set
from segdata.sources.tif.slice import tif_slice
from segtrain.checkpoints.checkpoint import load_network, read_checkpoint
from segtrain.config.choices import Adam, Constant
from segtrain.config.config import Config
from segtrain.config.recipes import override, recipe
from segtrain.config.unet import UNet
from segtrain.data.semantic.border_weights import border_weights
from segtrain.data.semantic.tiles import tile_batches
from segtrain.distributed.ranks import ALONE
from segtrain.evaluation.semantic.evaluate import evaluate_semantic
from segtrain.inference.semantic.predict import predict_semantic
from segtrain.inference.semantic.segmenter import Segmenter
from segtrain.inference.settings import EvalSettings
from segtrain.tasks import semantic
from segtrain.training.fit import FitReport, train

if TYPE_CHECKING:
    from tests.segtrain.conftest import Rows

NAMES = ("membrane", "cell")

#: An input of 48 pixels gives logits for 32.
SETTINGS = ["unet.width=4", "unet.poolings=1", "unet.border_weight=5", "unet.elastic=2"]


@pytest.fixture(scope="module")
def config() -> Config:
    flags = {"repeat": 3, "batch_size": 2, "crop_size": 48, "amp": "O0", "loss_scale": 1, "base_lr": 0.003}
    small = override(recipe("unet_isbi"), {**flags, "save_steps": 6, "device_target": "CPU"}, SETTINGS)
    return override(small, {"ignore_label": 255, "num_classes": 2})


@pytest.fixture(scope="module")
def stacks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stacks")
    write_stacks(folder, pages=4, size=70)
    return folder


@pytest.fixture(scope="module")
def records(stacks: Path) -> Path:
    images, labels = stacks / "train-volume.tif", stacks / "train-labels.tif"
    tif_slice(images, labels=labels, map=load_map("0:0,255:1"), dst_path=stacks / "slices")
    source = open_dataset(stacks / "slices" / "all_lst.txt", data_root=stacks / "slices", classes=Classes(NAMES))
    to_mindrecord(source, stacks / "records", num_shards=1)
    return stacks / "records"


@pytest.fixture(scope="module")
def trained(config: Config, records: Path, stacks: Path) -> tuple[Path, FitReport]:
    return stacks / "run" / "last.ckpt", train(config, records, stacks / "run")


def _epoch(path: Path, config: Config, **options: int) -> list[list[np.ndarray]]:
    batches = tile_batches(open_set(path), config, config.model_as(UNet), **{"epoch": 0, **options})
    return [[column.asnumpy() for column in batch] for batch in batches]


def test_batches_have_images_the_labels_of_their_centers_and_weights(records: Path, config: Config) -> None:
    batches = _epoch(records, config)
    assert len(batches) == 4 * 3 // 2
    for images, labels, weights in batches:
        assert (images.shape, images.dtype) == ((2, 1, 48, 48), np.float32)
        assert (labels.shape, labels.dtype) == ((2, 32, 32), np.int32)
        for label, weight in zip(labels, weights, strict=True):
            np.testing.assert_array_equal(weight, border_weights(label == 0, w0=5, sigma=5))


def test_without_a_border_weight_there_is_no_third_column(records: Path, config: Config) -> None:
    plain = override(config, {}, ["unet.border_weight=0"])
    assert [len(batch) for batch in _epoch(records, plain)] == [2] * 6


def test_a_repeated_row_looks_different_each_time(make_set: Callable[..., Path], config: Config) -> None:
    rows: Rows = [(np.full((70, 70, 3), 60 * index, np.uint8), np.ones((70, 70), np.uint8)) for index in range(3)]
    rows = [(np.random.default_rng(0).integers(0, 20, image.shape, np.uint8) + image, label) for image, label in rows]
    path = make_set(rows, names=NAMES)
    images = np.concatenate([batch[0] for batch in _epoch(path, override(config, {"repeat": 4}))])
    assert len(images) == 12
    means = sorted(round(float(image.mean() * 127.5 + 127.5) / 60) for image in images)
    assert means == [0] * 4 + [1] * 4 + [2] * 4
    assert len({image.tobytes() for image in images}) == 12


def test_an_epoch_resumes_where_it_was_left_with_any_number_of_workers(records: Path, config: Config) -> None:
    whole = _epoch(records, override(config, {"workers": 2}), epoch=3)
    rest = _epoch(records, override(config, {"workers": 1}), epoch=3, first_step=2)
    for one, other in zip(whole[2:], rest, strict=True):
        for column, again in zip(one, other, strict=True):
            assert (column == again).all()


def test_the_loss_falls(trained: tuple[Path, FitReport]) -> None:
    _, report = trained
    assert report.steps == 6
    assert report.loss is not None
    assert report.loss < 0.75


def test_evaluation_is_at_full_size_and_scores_cells(trained: tuple[Path, FitReport], records: Path) -> None:
    checkpoint, _ = trained
    scores = evaluate_semantic(checkpoint, records, membrane="membrane").scores
    assert scores.pixels == 4 * 70 * 70
    assert scores.soft_dice is not None
    assert 0 < scores.soft_dice < 1
    assert scores.membranes is not None
    assert scores.membranes.iou == pytest.approx(scores.classes[0].iou)
    assert scores.membranes.pixel_error == pytest.approx(1 - scores.pixel_accuracy)


def _probabilities(segmenter: Segmenter, image: np.ndarray) -> np.ndarray:
    """Return the probabilities of an image, ``(H, W, K)``."""
    (strips,) = segmenter.strips([image])
    return np.concatenate(list(strips), 1).transpose(1, 2, 0)


def test_flips_and_turns_of_an_image_are_segmented_alike(trained: tuple[Path, FitReport], config: Config) -> None:
    network, *_ = load_network(trained[0])
    segmenter = Segmenter(network, config, EvalSettings(crop_size=48, flip=True, turn=True))
    # If the side of a square is a multiple of the tile size, its tiles map to tiles when it is rotated.
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 1), np.uint8).repeat(3, 2)
    plain, turned = (_probabilities(segmenter, each) for each in (image, np.rot90(image)))
    np.testing.assert_allclose(turned, np.rot90(plain), atol=1e-5)
    np.testing.assert_allclose(plain.sum(2), 1, atol=1e-5)


def test_a_stack_gives_pictures_of_its_pages_and_a_stack(
    trained: tuple[Path, FitReport], stacks: Path, tmp_path: Path
) -> None:
    report = predict_semantic(stacks / "train-volume.tif", trained[0], tmp_path / "out")
    assert (report.images, report.problems) == (4, ())
    stack = tifffile.imread(tmp_path / "out" / "index.tif")
    assert (stack.shape, stack.dtype) == ((4, 70, 70), np.uint8)
    for page, labels in enumerate(stack):
        picture = Image.open(tmp_path / "out" / "index" / f"train-volume_{page:04d}.png")
        assert (np.asarray(picture) == labels).all()


def test_scales_are_of_the_images_own_size_and_averaged(trained: tuple[Path, FitReport], config: Config) -> None:
    network, *_ = load_network(trained[0])
    image = np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)

    def at(*scales: float) -> Segmenter:
        return Segmenter(network, config, EvalSettings(crop_size=48, scales=scales))

    own = at(1.0)
    larger = _probabilities(own, cv2.resize(image, (144, 96), interpolation=cv2.INTER_LINEAR))
    back = cv2.resize(larger, (96, 64), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_allclose(_probabilities(at(1.5), image), back, atol=1e-6)
    averaged = (_probabilities(own, image) + back) / 2
    np.testing.assert_allclose(_probabilities(at(1.0, 1.5), image), averaged, atol=1e-6)


def test_unknown_classes_are_refused(trained: tuple[Path, FitReport], records: Path) -> None:
    with pytest.raises(InvalidInputError, match="unknown class 'membrana'; did you mean membrane"):
        evaluate_semantic(trained[0], records, membrane="membrana")


@pytest.mark.parametrize(
    ("flags", "settings", "words"),
    [
        ({"crop_size": 570}, [], "halves its input 4 times; expected 556 or 572"),
        (
            {"model": "DeepLabV3_s16", "backbone": "resnet18"},
            [],
            "the other settings are for unet, and DeepLabV3_s16 does not",
        ),
        ({}, ["unet.patch=2"], "unet.patch: not a setting of unet; only unet_simple has it"),
        ({}, ["unet.residual=true"], "unet.residual: not a setting of unet; only unet_simple has it"),
        ({"freeze_bn": True}, [], "freeze_bn: not a setting of unet"),
        ({}, ["unet.border_weight=10", "loss=ohem"], "border_weight = 10.0 has no effect on the loss ohem"),
        ({}, ["unet.border_sigma=3"], "border_sigma = 3.0 has no effect while border_weight is 0"),
        ({}, ["unet.crop=0.5"], "crop = 0.5: expected"),
        ({}, ["unet.fill=wrap"], "fill = 'wrap': expected"),
    ],
)
def test_settings_that_cannot_be(flags: dict[str, object], settings: list[str], words: str) -> None:
    with pytest.raises(InvalidInputError, match=words):
        override(recipe("unet_isbi"), flags, settings)


def test_only_unet_repeats_its_rows() -> None:
    with pytest.raises(InvalidInputError, match="repeat: not a setting of DeepLabV3_s16; only unet and"):
        override(recipe("deeplabv3_cpu"), {"repeat": 2})


def test_the_published_recipe_has_the_published_figures() -> None:
    config = recipe("unet_isbi")
    network = config.model_as(UNet)
    figures = (network.width, network.poolings, network.channels, network.crop_size, config.batch_size)
    assert figures == (64, 4, 1, 572, 16)
    assert (config.optimizer, config.schedule) == (Adam(weight_decay=5e-4), Constant(base_lr=1e-4))
    assert (config.loss_scale, config.amp, 24 * config.repeat // config.batch_size) == (1024, "O3", 600)


def test_training_batches_of_a_unet_are_tiles(records: Path, config: Config) -> None:
    training_set = semantic.training_set(open_set(records), config)
    assert training_set.rows == 4
    images, *_ = next(training_set.batches(epoch=0, first_step=0, ranks=ALONE))
    assert images.shape == (2, 1, 48, 48)


def test_a_checkpoint_knows_its_epoch_though_each_has_its_rows_several_times(trained: tuple[Path, FitReport]) -> None:
    info = read_checkpoint(trained[0])[0]
    assert (info.epoch, info.step) == (1, 6)
