from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, strategies as st

from segdata.errors import InvalidInputError
from segtrain.data import arrays


def _augment(image: np.ndarray, label: np.ndarray, seed: int, **changes: object) -> tuple[np.ndarray, np.ndarray]:
    """Return one crop of 48 pixels; what is not written remains visible: NaN, and an invalid label."""
    pixels, labels = np.full((3, 48, 48), np.nan, np.float32), np.full((48, 48), -1, np.int32)
    settings = {"min_scale": 0.5, "max_scale": 2.0, "mean": (0, 0, 0), "std": (1, 1, 1), "ignore_label": 255}
    arrays.augment(image, label, np.random.default_rng(seed), pixels, labels, **{**settings, **changes})  # type: ignore[arg-type]
    return pixels, labels


@given(st.integers(1, 700), st.floats(0.05, 4.0), st.integers(33, 513), st.integers(0, 99))
def test_a_window_is_within_its_side_and_fills_the_crop(side: int, scale: float, size: int, seed: int) -> None:
    seen, filled = arrays.window(side, scale, size, np.random.default_rng(seed))
    assert 0 <= seen.start < seen.stop <= side
    if int(scale * side) <= size:
        assert (seen, filled) == (slice(0, side), max(int(scale * side), 1))
    else:
        assert filled == size
        # The scale that comes out differs from the wanted one by half a pixel of the image.
        assert abs((seen.stop - seen.start) - size / scale) <= 0.5


def test_every_place_of_a_window_occurs() -> None:
    rng = np.random.default_rng(0)
    assert {arrays.window(7, 2.0, 8, rng)[0].start for _ in range(200)} == {0, 1, 2, 3}


def test_normalizing_gives_zero_at_the_mean_and_beyond_the_image() -> None:
    planes = np.full((3, 2, 2), np.nan, np.float32)
    arrays.normalize(np.array([[[124, 116, 104]]], np.uint8), (124, 115, 100), (1, 2, 4), planes)
    assert planes.tolist() == [[[0, 0], [0, 0]], [[0.5, 0], [0, 0]], [[1, 0], [0, 0]]]


def _step_by_step(image: np.ndarray, label: np.ndarray, seed: int, **changes: object) -> tuple[np.ndarray, np.ndarray]:
    """Return the crop of `_augment`, made by one operation of NumPy for each step."""
    rng = np.random.default_rng(seed)
    scale = rng.uniform(0.5, 2.0)
    rows, height = arrays.window(image.shape[0], scale, 48, rng)
    columns, width = arrays.window(image.shape[1], scale, 48, rng)
    resized = cv2.resize(image[rows, columns], (width, height), interpolation=cv2.INTER_CUBIC).clip(0, 255)
    pixels, labels = np.zeros((48, 48, 3), np.float32), np.full((48, 48), 255, np.int32)
    mean, std = (np.asarray(changes[name], np.float32) for name in ("mean", "std"))
    pixels[:height, :width] = (resized.astype(np.float32) - mean) / std
    labels[:height, :width] = cv2.resize(label[rows, columns], (width, height), interpolation=cv2.INTER_NEAREST)
    if rng.random() < 0.5:
        pixels, labels = pixels[:, ::-1], labels[:, ::-1]
    return pixels.transpose(2, 0, 1), labels


@given(st.integers(1, 130), st.integers(1, 130), st.sampled_from([np.uint8, np.float32]), st.integers(0, 999))
def test_a_crop_is_to_the_bit_what_plain_steps_make(height: int, width: int, dtype: type, seed: int) -> None:
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (height, width, 3)).astype(dtype)
    label = rng.integers(0, 4, (height, width), np.uint8)
    form = {"mean": (123.675, 116.28, 103.53), "std": (58.395, 57.12, 57.375)}
    for found, expected in zip(
        _augment(image, label, seed, **form), _step_by_step(image, label, seed, **form), strict=True
    ):
        assert found.tobytes() == expected.tobytes()


@pytest.mark.parametrize("shape", [(5, 7, 3), (8, 9, 3), (1, 1, 3), (5, 1, 1), (1, 9, 1)])
def test_normalizing_8_bits_or_the_same_fractions_gives_the_same_bits(shape: tuple[int, int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    mean, std = ((123.675, 116.28, 103.53)[: shape[2]], (58.395, 57.12, 57.375)[: shape[2]])
    # A view, as a batch and the place of an image in an input have.
    first, second = (np.full((2, shape[2], 10, 12), np.nan, np.float32)[1, :, 2:, 3:] for _ in range(2))
    arrays.normalize(image, mean, std, first)
    arrays.normalize(image.astype(np.float32), mean, std, second)
    assert first.tobytes() == second.tobytes()
    assert (first[:, : shape[0], : shape[1]].any()) and not first[:, shape[0] :].any()


@pytest.mark.parametrize(("shape", "resized"), [((30, 60), (32, 65)), ((60, 30), (65, 32)), ((500, 1), (65, 1))])
def test_the_long_side_gets_the_target_and_the_other_follows(shape: tuple[int, int], resized: tuple[int, int]) -> None:
    assert arrays.resize_long_side(np.zeros((*shape, 3), np.uint8), 65).shape == (*resized, 3)


@pytest.mark.parametrize("seed", range(20))
def test_image_and_label_stay_aligned_through_every_augmentation(seed: int) -> None:
    # Image and label are the pixel's own column, then its row: what a crop shows tells where it was taken.
    for axis, (height, width) in enumerate([(70, 200), (200, 70)]):
        label = np.indices((height, width), np.uint8)[1 - axis]
        pixels, labels = _augment(np.repeat(label[..., None], 3, axis=2), label, seed)
        inside = labels != 255
        assert np.abs(pixels[0] - labels)[inside].max() <= 1.5
        assert (pixels[:, ~inside] == 0).all()


@pytest.mark.parametrize("scale", [0.5, 0.81, 1.0, 1.6, 2.0])
def test_a_crop_has_the_scale_that_was_drawn(scale: float) -> None:
    label = np.tile(np.arange(200, dtype=np.uint8), (200, 1))
    pixels, _ = _augment(np.repeat(label[..., None], 3, axis=2), label, 0, min_scale=scale, max_scale=scale)
    columns = np.abs(pixels[0, :, 43] - pixels[0, :, 4])
    assert columns == pytest.approx(39 / scale, abs=1.5)


@pytest.mark.parametrize("seed", range(4))
def test_an_image_that_fits_the_crop_is_resized_completely_as_published(seed: int) -> None:
    rng = np.random.default_rng(0)
    image, label = rng.integers(0, 256, (60, 90, 3), np.uint8), rng.integers(0, 4, (60, 90), np.uint8)
    pixels, labels = _augment(image, label, seed, min_scale=0.5, max_scale=0.5)
    if labels[0, 0] == 255:
        pixels, labels = pixels[..., ::-1], labels[:, ::-1]
    assert (pixels[:, :30, :45].transpose(1, 2, 0) == cv2.resize(image, (45, 30), interpolation=cv2.INTER_CUBIC)).all()
    assert (labels[:30, :45] == cv2.resize(label, (45, 30), interpolation=cv2.INTER_NEAREST)).all()


def test_what_is_beyond_a_small_image_is_mean_color_and_ignored() -> None:
    image, label = np.full((10, 20, 3), 200, np.uint8), np.ones((10, 20), np.uint8)
    scale = {"min_scale": 1.0, "max_scale": 1.0, "ignore_label": 7, "mean": (100, 100, 100), "std": (50, 50, 50)}
    pixels, labels = _augment(image, label, 0, **scale)
    assert (labels == 1).sum() == 200
    assert (labels == 7).sum() == 48 * 48 - 200
    assert (pixels[:, labels == 1] == 2).all()
    assert (pixels[:, labels == 7] == 0).all()


def test_about_half_of_the_crops_are_mirrored() -> None:
    image, label = np.zeros((48, 48, 3), np.uint8), np.tile(np.arange(48, dtype=np.uint8), (48, 1))
    fixed = {"min_scale": 1.0, "max_scale": 1.0}
    mirrored = [_augment(image, label, seed, **fixed)[1][0, 0] == 47 for seed in range(200)]
    assert 70 < sum(mirrored) < 130


def test_the_same_draw_gives_the_same_crop() -> None:
    label = np.random.default_rng(0).integers(0, 4, (60, 80), np.uint8)
    image = np.repeat(label[..., None] * 60, 3, axis=2)
    first, again, other = (_augment(image, label, seed)[0] for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


def test_a_label_with_a_foreign_value_or_of_another_size_is_refused() -> None:
    label = np.array([[0, 1], [2, 255]], np.uint8)
    arrays.check_label(label, (2, 2, 3), num_classes=3, ignore_label=255)
    with pytest.raises(InvalidInputError, match="holds value 2; expected 0 to 1 or 255"):
        arrays.check_label(label, (2, 2, 3), num_classes=2, ignore_label=255)
    with pytest.raises(InvalidInputError, match="holds value 255; expected 0 to 2 or 9"):
        arrays.check_label(label, (2, 2, 3), num_classes=3, ignore_label=9)
    with pytest.raises(
        InvalidInputError, match="image is 5 x 2 pixels, but its label is 2 x 2; expected the same size"
    ):
        arrays.check_label(label, (2, 5, 3), num_classes=3, ignore_label=255)
