from __future__ import annotations

from collections.abc import Callable

import mindspore as ms
import numpy as np
import pytest
from hypothesis import given, strategies as st
from mindspore import Tensor, nn

from segdata.errors import InvalidInputError, OptionError
from segtrain.config.config import Config
from segtrain.config.recipes import override, recipe
from segtrain.data.arrays import Pixels
from segtrain.distributed.device import prepare_device
from segtrain.inference.semantic.fitting import InputForm, LongerSide, Tiles, completed
from segtrain.inference.semantic.strips import class_map
from segtrain.inference.settings import AS_IN_TRAINING, EvalSettings

#: Leaves the values of an image as they are.
RAW = InputForm((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


def _image(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).random((height, width, 3), np.float32)


def _pixels(tiles: Pixels) -> Pixels:
    """Return the value of each pixel as its probability."""
    return tiles[:, :2].copy()


def _neighbors(reach: int) -> Callable[[Pixels], Pixels]:
    """Return a network that sums the pixels within `reach` of each pixel, without padding, like valid convolutions."""

    def network(tiles: Pixels) -> Pixels:
        size = tiles.shape[2] - 2 * reach
        steps = range(2 * reach + 1)
        total = sum(tiles[:, :1, top : top + size, left : left + size] for top in steps for left in steps)
        return np.concatenate([total, -total], 1)

    return network


def _join(tiles: Tiles, network: Callable[[Pixels], Pixels], image: np.ndarray, batch_size: int = 3) -> Pixels:
    (found,) = tiles.strips(network, [image], 1.0, RAW, batch_size)
    joined = np.concatenate(list(found.parts), 1)
    assert found.height == joined.shape[1] == len(image)
    return joined


@given(st.data())
def test_every_pixel_is_its_own_whatever_the_sizes(data: st.DataObject) -> None:
    height, width, side = (data.draw(st.integers(1, most)) for most in (150, 40, 24))
    step = data.draw(st.integers(1, side))
    overlap = data.draw(st.integers(0, side - step))
    beyond = data.draw(st.sampled_from([None, "mirror", "zero"]))
    image = _image(height, width)
    found = _join(Tiles(side, overlap, step, beyond), _pixels, image)
    np.testing.assert_allclose(found, image.transpose(2, 0, 1)[:2], atol=1e-6)


@given(st.integers(6, 30), st.integers(6, 30), st.integers(2, 12))
def test_tiles_see_the_image_and_its_mirror_beyond_the_border(height: int, width: int, output: int) -> None:
    image = _image(height, width)
    padded = np.pad(image[..., 0], 2, mode="reflect")
    whole = sum(padded[y : y + height, x : x + width] for y in range(5) for x in range(5))
    found = _join(Tiles(output + 4, 4, beyond="mirror"), _neighbors(2), image)
    np.testing.assert_allclose(found, [whole, -whole], rtol=1e-4)


def test_zeros_beyond_the_border_on_request() -> None:
    found = _join(Tiles(8, 2, beyond="zero"), _neighbors(1), np.ones((6, 6, 3), np.float32))
    assert found[0, 0, 0] == 4
    assert found[0, 2, 0] == 6
    assert found[0, 2, 2] == 9


def test_of_a_network_that_keeps_the_size_only_the_center_is_taken() -> None:
    def wrong_at_the_border(tiles: Pixels) -> Pixels:
        planes = np.full_like(tiles, np.nan)
        planes[..., 2:-2, 2:-2] = tiles[..., 2:-2, 2:-2]
        return planes

    image = _image(21, 17)
    found = _join(Tiles(12, 4, beyond="mirror"), wrong_at_the_border, image)
    np.testing.assert_allclose(found, image.transpose(2, 0, 1), atol=1e-6)


class Convolutions(nn.Cell):
    """Three padded 3x3 convolutions, the second dilated: a logit depends on pixels at most `REACH` away."""

    REACH = 1 + 3 + 1

    def __init__(self) -> None:
        super().__init__()
        dilated = nn.Conv2d(8, 8, 3, pad_mode="same", dilation=3, weight_init="HeUniform")
        self.layers = nn.SequentialCell(
            nn.Conv2d(3, 8, 3, pad_mode="same", has_bias=True, weight_init="HeUniform"),
            nn.ReLU(),
            dilated,
            nn.ReLU(),
            nn.Conv2d(8, 5, 3, pad_mode="same", weight_init="HeUniform"),
        )

    def construct(self, images: Tensor) -> Tensor:
        return self.layers(images)


class Strided(nn.Cell):
    """A convolution of stride 4, one of its features, and a nearest enlargement to the size of the input."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(3, 8, 4, stride=4, pad_mode="valid", weight_init="HeUniform")
        self.features = nn.Conv2d(8, 5, 3, pad_mode="same", weight_init="HeUniform")

    def construct(self, images: Tensor) -> Tensor:
        features = self.features(ms.ops.relu(self.down(images)))
        return ms.ops.repeat_interleave(ms.ops.repeat_interleave(features, 4, 2), 4, 3)


def _network(cell: nn.Cell) -> Callable[[Pixels], Pixels]:
    return lambda batch: cell(Tensor(batch)).asnumpy()


@pytest.fixture
def device() -> None:
    prepare_device("CPU", seed=5)


@pytest.mark.parametrize("shape", [(97, 130), (40, 33), (20, 90)])
@pytest.mark.parametrize("batch_size", [1, 4])
def test_tiles_give_the_class_map_of_the_complete_image_if_they_overlap_by_twice_the_reach(
    device: None, shape: tuple[int, int], batch_size: int
) -> None:
    cell = Convolutions()
    image = _image(*shape)
    # An image that is smaller than a tile is padded, as with LongerSide.
    padded = np.pad(image, [(0, max(32 - shape[0], 0)), (0, 0), (0, 0)])
    whole = _network(cell)(padded.transpose(2, 0, 1)[None])[0][:, : shape[0]]
    overlap = 2 * cell.REACH
    found = _join(Tiles(32, overlap), _network(cell), image, batch_size)
    np.testing.assert_allclose(found, whole, atol=1e-5)
    assert (found.argmax(0) == whole.argmax(0)).all()
    if max(shape) > 32:
        short = _join(Tiles(32, overlap - 2), _network(cell), image, batch_size)
        assert not np.allclose(short, whole, atol=1e-5)


def test_tiles_of_a_network_with_strides_are_where_its_features_are(device: None) -> None:
    # A logit depends on the features next to its own: on pixels at most 4 + 3 away.
    cell, image = Strided(), _image(96, 128)
    whole = _network(cell)(image.transpose(2, 0, 1)[None])[0]
    found = _join(Tiles(40, 2 * 7 + 4, 4), _network(cell), image)
    np.testing.assert_allclose(found, whole, atol=1e-5)
    moved = _join(Tiles(40, 2 * 7 + 4, 1), _network(cell), image)
    assert (moved.argmax(0) == whole.argmax(0)).mean() < 0.99


def test_memory_holds_one_row_of_tiles() -> None:
    asked = 0

    def network(tiles: Pixels) -> Pixels:
        nonlocal asked
        asked += len(tiles)
        return _pixels(tiles)

    (found,) = Tiles(32, 8, 8).strips(network, [_image(320, 80)], 1.0, RAW, 1)
    assert asked == 0
    seen = 0
    for strip in found.parts:
        # Three tiles a row, each row 24 pixels below the one before.
        assert asked <= 3 * (seen // 24 + 1)
        seen += strip.shape[1]
    assert seen == 320


def test_scales_are_of_the_image_for_tiles_and_of_the_input_for_the_longer_side() -> None:
    image = _image(60, 90)
    (tiles,) = Tiles(32, 8, 8).strips(_pixels, [image], 1.5, RAW, 1)
    assert (tiles.height, class_map(tiles.parts).shape) == (90, (90, 135))
    (longer,) = LongerSide(65).strips(_pixels, [image], 1.5, RAW, 1)
    assert (longer.height, class_map(longer.parts).shape) == (64, (64, 97))


def test_inputs_have_the_published_sizes() -> None:
    scales = (0.5, 0.75, 1.0, 1.25, 1.5, 1.75)
    assert [LongerSide(513).target(scale) for scale in scales] == [257, 385, 513, 641, 769, 897]


def test_defaults_are_those_of_the_training(small: Config) -> None:
    settings = completed(AS_IN_TRAINING, small)
    assert (settings.fit, settings.crop_size, settings.overlap, settings.batch_size) == ("longer_side", 33, None, 4)
    settings = completed(EvalSettings(fit="tiles", crop_size=513), small)
    assert (settings.fit, settings.crop_size, settings.overlap, settings.batch_size) == ("tiles", 513, 128, 1)
    settings = completed(AS_IN_TRAINING, recipe("unet_isbi"))
    assert (settings.fit, settings.crop_size, settings.overlap, settings.batch_size) == ("tiles", 572, 184, 1)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (EvalSettings(overlap=16), "overlap: has no effect without tiles. Use --fit tiles"),
        (EvalSettings(fit="tiles", overlap=18), "overlap = 18: expected 0 to 17 for tiles of 33 pixels"),
        (EvalSettings(fit="tiles", overlap=-1), "overlap = -1: expected 0 to 17"),
        (EvalSettings(fit="tiles", crop_size=32), "crop_size = 32: expected at least 33 pixels"),
        (EvalSettings(crop_size=0), "crop_size = 0; expected inputs of at least 33 pixels"),
        (EvalSettings(scales=(1.0, 0.5)), "expected inputs of at least 33 pixels"),
    ],
)
def test_settings_without_effect_or_out_of_range_are_refused(small: Config, settings: EvalSettings, words: str) -> None:
    with pytest.raises(InvalidInputError, match=words):
        completed(settings, small)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (EvalSettings(fit="longer_side"), "fit = longer_side: not available for unet, which processes images in tiles"),
        (EvalSettings(overlap=183), "overlap = 183: expected 184 to 571 for tiles of 572 pixels"),
        (EvalSettings(crop_size=570), "halves its input 4 times; expected 556 or 572"),
    ],
)
def test_a_unet_takes_tiles_that_it_can_process(settings: EvalSettings, words: str) -> None:
    with pytest.raises(InvalidInputError, match=words):
        completed(settings, recipe("unet_isbi"))


def test_tiles_of_a_unet_may_overlap_more(small: Config) -> None:
    assert completed(EvalSettings(overlap=300), recipe("unet_isbi")).overlap == 300
    with pytest.raises(OptionError, match="expected 0 to 33 for tiles of 49 pixels"):
        completed(EvalSettings(fit="tiles", crop_size=49, overlap=34), override(small, {}))
