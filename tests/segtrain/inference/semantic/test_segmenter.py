from __future__ import annotations

import numpy as np
import pytest
from mindspore import Tensor, nn

from segtrain.config.config import Config
from segtrain.config.recipes import override
from segtrain.distributed.device import prepare_device
from segtrain.inference.semantic.segmenter import Segmenter
from segtrain.inference.settings import EvalSettings, Fit


class ColorNetwork(nn.Cell):
    """Network that returns red, green and blue as the logits of three classes."""

    def construct(self, images: Tensor) -> Tensor:
        return images * 10.0


class ScaleNetwork(nn.Cell):
    """Network that is sure of class 0 at an input of 33 pixels, and leans to class 1 at any other."""

    def construct(self, images: Tensor) -> Tensor:
        logits = (5.0, 0.0, 0.0) if images.shape[2] == 33 else (0.0, 1.0, 0.0)
        return images * 0.0 + Tensor(logits).reshape(1, 3, 1, 1)


@pytest.fixture(autouse=True)
def _device() -> None:
    prepare_device("CPU", seed=1)


@pytest.fixture
def raw(small: Config) -> Config:
    return override(small, {"image_mean": (0, 0, 0), "image_std": (255, 255, 255)})


def _quarters(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Return an image of colored fields without symmetry, and the class of each pixel."""
    label = np.zeros((height, width), np.uint8)
    label[: height // 3, : width // 4] = 1
    label[height // 3 :, width // 2 :] = 2
    return np.eye(3, dtype=np.uint8)[label] * 255, label


@pytest.mark.parametrize("fit", ["longer_side", "tiles"])
@pytest.mark.parametrize(
    ("scales", "flip", "turn"), [((1.0,), False, False), ((1.0,), True, True), ((1.0, 1.5, 2.0), True, False)]
)
def test_classes_come_back_where_the_image_shows_them_at_its_own_size(
    raw: Config, fit: Fit, scales: tuple[float, ...], flip: bool, turn: bool
) -> None:
    settings = EvalSettings(crop_size=65, fit=fit, scales=scales, flip=flip, turn=turn, batch_size=3)
    segmenter = Segmenter(ColorNetwork(), raw, settings)
    shapes = [(60, 97), (97, 60), (31, 24)]
    images, labels = zip(*(_quarters(*shape) for shape in shapes), strict=True)
    together = segmenter.together
    assert together == (3 if fit == "longer_side" else 1)
    found = [each for start in range(0, 3, together) for each in segmenter(images[start : start + together])]
    for prediction, label in zip(found, labels, strict=True):
        assert prediction.dtype == np.uint8
        assert prediction.shape == label.shape
        # Resizing back and forth moves the borders by about a pixel.
        assert (prediction == label).mean() > (1 if fit == "tiles" and scales == (1.0,) else 0.95) - 1e-9


def test_deep_images_are_cut_into_tiles_without_rounding(raw: Config) -> None:
    image = np.random.default_rng(0).uniform(0, 255, (70, 90, 3)).astype(np.float32)
    segmenter = Segmenter(ColorNetwork(), raw, EvalSettings(crop_size=33, fit="tiles"))
    assert (segmenter([image])[0] == image.argmax(2)).mean() > 0.9999


def test_settings_say_what_the_defaults_were(raw: Config) -> None:
    settings = Segmenter(ColorNetwork(), raw, EvalSettings(fit="tiles", flip=True)).settings
    assert settings == EvalSettings(fit="tiles", flip=True, crop_size=33, overlap=8, batch_size=1)


@pytest.mark.parametrize(("scales", "winner"), [((1.0,), 0), ((1.5,), 1), ((1.0, 1.5), 0), ((1.5, 1.0, 2.0), 0)])
def test_the_probabilities_of_all_scales_count(raw: Config, scales: tuple[float, ...], winner: int) -> None:
    segmenter = Segmenter(ScaleNetwork(), raw, EvalSettings(crop_size=33, scales=scales, batch_size=1))
    assert (segmenter([_quarters(40, 50)[0]])[0] == winner).all()


def test_the_batch_an_image_is_in_does_not_matter(raw: Config) -> None:
    images = [_quarters(40 + 3 * index, 50)[0] for index in range(3)]
    alone = Segmenter(ColorNetwork(), raw, EvalSettings(crop_size=65, batch_size=1))
    together = Segmenter(ColorNetwork(), raw, EvalSettings(crop_size=65, batch_size=4))
    for image, prediction in zip(images, together(images), strict=True):
        assert (alone([image])[0] == prediction).all()


def test_a_network_in_training_is_not_changed_by_what_it_segments(raw: Config) -> None:
    norm = nn.BatchNorm2d(3)
    norm.set_train(True)
    Segmenter(norm, raw, EvalSettings(crop_size=33, batch_size=1))([_quarters(40, 40)[0]])
    assert (norm.moving_mean.asnumpy() == 0).all()
    assert (norm.moving_variance.asnumpy() == 1).all()
