from __future__ import annotations

import cv2
import numpy as np
import pytest

from segdata.errors import InvalidInputError
from segtrain.data import transforms


def _paired(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """An image whose three channels are its label: blocks of 0, 60, 120, 180, 240."""
    label = (np.indices((height, width)).sum(0) // 12 % 5 * 60).astype(np.uint8)
    return np.repeat(label[..., None], 3, axis=2), label


def _augment(image: np.ndarray, label: np.ndarray, seed: int, **changes: object) -> tuple[np.ndarray, np.ndarray]:
    settings = {"crop_size": 48, "min_scale": 0.5, "max_scale": 2.0, "mean": 0, "std": 1, "ignore_label": 255}
    return transforms.augment(image, label, np.random.default_rng(seed), **{**settings, **changes})  # type: ignore[arg-type]


def test_images_are_decoded_as_rgb() -> None:
    red = np.zeros((4, 5, 3), np.uint8)
    red[..., 2] = 255  # OpenCV writes BGR
    assert (transforms.decode_image(cv2.imencode(".png", red)[1].tobytes()) == (255, 0, 0)).all()


def test_an_exif_orientation_does_not_turn_the_image_away_from_its_label() -> None:
    jpeg = cv2.imencode(".jpg", np.zeros((4, 8, 3), np.uint8))[1].tobytes()
    tiff = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"  # orientation 6: a quarter turn
    exif = b"Exif\0\0" + tiff
    turned = jpeg[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + jpeg[2:]
    assert cv2.imdecode(np.frombuffer(turned, np.uint8), cv2.IMREAD_COLOR).shape == (8, 4, 3)
    assert transforms.decode_image(turned).shape == (4, 8, 3)


def test_bytes_that_are_no_image_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="cannot be decoded"):
        transforms.decode_image(b"no image")


@pytest.mark.parametrize(("scale", "shape"), [(0.5, (20, 25)), (1.37, (54, 69)), (0.001, (1, 1))])
def test_rescaling_cuts_off_to_whole_pixels_and_invents_no_label(scale: float, shape: tuple[int, int]) -> None:
    image, label = _paired(40, 51)
    small_image, small_label = transforms.rescale(image, label, scale)
    assert small_label.shape == small_image.shape[:2] == shape
    assert set(np.unique(small_label)) <= set(np.unique(label))


def test_a_crop_is_the_same_window_of_both_and_every_position_occurs() -> None:
    label = np.arange(20, dtype=np.uint8).reshape(4, 5)
    image = np.repeat(label[..., None], 3, axis=2)
    rng = np.random.default_rng(0)
    corners = set()
    for _ in range(200):
        part, part_label = transforms.crop(image, label, 3, rng)
        assert (part[..., 0] == part_label).all()
        assert part_label.shape == (3, 3)
        corners.add(int(part_label[0, 0]))
    assert corners == {0, 1, 2, 5, 6, 7}


def test_padding_is_at_the_bottom_and_on_the_right() -> None:
    padded = transforms.pad(np.ones((2, 1), np.uint8), 3, 255)
    assert padded.tolist() == [[1, 255, 255], [1, 255, 255], [255, 255, 255]]


def test_normalising_gives_zero_at_the_mean() -> None:
    image = np.array([[[124, 116, 104]]], np.uint8)
    assert np.allclose(transforms.normalise(image, (124, 115, 100), (1, 2, 4)), [[[0, 0.5, 1]]])


@pytest.mark.parametrize(("shape", "resized"), [((30, 60), (32, 65)), ((60, 30), (65, 32)), ((500, 1), (65, 1))])
def test_the_long_side_gets_the_target_and_the_other_follows(shape: tuple[int, int], resized: tuple[int, int]) -> None:
    assert transforms.resize_long_side(np.zeros((*shape, 3), np.uint8), 65).shape == (*resized, 3)


@pytest.mark.parametrize("seed", range(20))
def test_image_and_label_stay_aligned_through_every_augmentation(seed: int) -> None:
    image, label = _paired(60, 80)
    pixels, labels = _augment(image, label, seed)
    assert (pixels.shape, pixels.dtype) == ((3, 48, 48), np.float32)
    assert (labels.shape, labels.dtype) == ((48, 48), np.int32)
    assert pixels.flags.c_contiguous
    assert labels.flags.c_contiguous
    inside = labels != 255
    # Bicubic edges differ from nearest-neighbour ones within two pixels of a boundary only.
    near = np.abs(pixels[0] - labels) < 10
    assert near[inside].mean() > 0.5
    assert (pixels[:, ~inside] == 0).all()


def test_what_lies_beyond_a_small_image_is_mean_colour_and_ignored() -> None:
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
    image, label = _paired(60, 80)
    first, again, other = (_augment(image, label, seed)[0] for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


def test_a_label_with_a_foreign_value_or_of_another_size_is_refused() -> None:
    label = np.array([[0, 1], [2, 255]], np.uint8)
    transforms.check_label(label, (2, 2, 3), num_classes=3, ignore_label=255)
    with pytest.raises(InvalidInputError, match="holds 2; expected 0 to 1 or 255"):
        transforms.check_label(label, (2, 2, 3), num_classes=2, ignore_label=255)
    with pytest.raises(InvalidInputError, match="holds 255; expected 0 to 2 or 9"):
        transforms.check_label(label, (2, 2, 3), num_classes=3, ignore_label=9)
    with pytest.raises(InvalidInputError, match="image is 5 x 2 pixels and its label 2 x 2"):
        transforms.check_label(label, (2, 5, 3), num_classes=3, ignore_label=255)
