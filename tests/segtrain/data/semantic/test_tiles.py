from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from segtrain.config.unet import Fill, UNet
from segtrain.data.semantic.tile_transforms import augment_tile, with_channels

IGNORE = 255

#: Everything that is random at once.
ALL = UNet(flip="both", turn=True, crop=0.3, brightness=0.1, contrast=0.2, elastic=4)


def _image(height: int = 40, width: int = 50, channels: int = 1) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, channels), np.uint8)


def _tile(
    image: np.ndarray, label: np.ndarray, settings: UNet, *, size: int = 16, output: int = 16, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    return augment_tile(
        image,
        label,
        np.random.default_rng(seed),
        input_size=size,
        output_size=output,
        settings=settings,
        mean=[127.5] * image.shape[2],
        std=[127.5] * image.shape[2],
        ignore_label=IGNORE,
    )


@given(st.integers(0, 1000), st.sampled_from([1, 3]))
def test_a_tile_without_augmentation_is_a_window_of_the_image(seed: int, channels: int) -> None:
    image = _image(channels=channels)
    label = image[..., 0] // 128
    pixels, labels = _tile(image, label, UNet(), seed=seed)
    assert pixels.shape == (channels, 16, 16)
    assert (pixels.dtype, labels.dtype) == (np.float32, np.int32)
    values = np.rint(pixels * 127.5 + 127.5)
    windows = [
        (top, left)
        for top in range(25)
        for left in range(35)
        if (image[top : top + 16, left : left + 16].transpose(2, 0, 1) == values).all()
    ]
    ((top, left),) = windows
    assert (labels == label[top : top + 16, left : left + 16]).all()


@given(st.integers(0, 1000))
def test_image_and_label_meet_the_same_geometry(seed: int) -> None:
    rows, columns = np.mgrid[:60, :60]
    label = ((rows // 20 + columns // 20) % 2).astype(np.uint8)
    # Twice the same picture: where the one is far from an edge, the other is what it says.
    image = (label * 255)[..., None]
    settings = UNet(flip="both", turn=True, crop=0.2, elastic=3)
    pixels, labels = _tile(image, label, settings, size=40, output=40, seed=seed)
    sure = np.abs(pixels[0]) > 0.999
    assert sure.mean() > 0.5
    assert (labels[sure] == (pixels[0][sure] > 0)).all()


@given(st.integers(0, 1000))
def test_a_label_is_never_a_mixture(seed: int) -> None:
    label = np.where(_image()[..., 0] < 128, 3, 7).astype(np.uint8)
    _, labels = _tile(_image(), label, ALL, size=24, output=12, seed=seed)
    assert set(np.unique(labels)) <= {3, 7}


def test_the_same_seed_gives_the_same_tile_and_another_one_another() -> None:
    label = np.zeros((40, 50), np.uint8)
    one, again, other = (_tile(_image(), label, ALL, seed=seed)[0] for seed in (1, 1, 2))
    assert (one == again).all()
    assert (one != other).any()


def test_the_label_is_that_of_the_center() -> None:
    label = np.arange(2000).reshape(40, 50) % 250
    image = label.astype(np.uint8)[..., None]
    pixels, labels = _tile(image, label.astype(np.uint8), UNet(), size=20, output=8)
    assert labels.shape == (8, 8)
    assert (np.rint(pixels[0, 6:14, 6:14] * 127.5 + 127.5) == labels).all()


def test_flips_and_turns_reach_all_eight_symmetries() -> None:
    image = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    label = np.zeros((16, 16), np.uint8)
    settings = UNet(flip="both", turn=True)
    assert len({_tile(image, label, settings, seed=seed)[0].tobytes() for seed in range(100)}) == 8
    upright = UNet(flip="both")
    assert len({_tile(image, label, upright, seed=seed)[0].tobytes() for seed in range(100)}) == 4
    pixels = {_tile(image, label, UNet(flip="horizontal"), seed=seed)[0].tobytes() for seed in range(100)}
    plain, _ = _tile(image, label, UNet())
    assert pixels == {plain.tobytes(), plain[..., ::-1].tobytes()}


def test_beyond_the_image_is_its_mirror_image_or_the_mean_without_a_label() -> None:
    image = _image(8, 8)
    label = (image[..., 0] // 128).astype(np.uint8)
    pixels, labels = _tile(image, label, UNet(), size=12, output=12)
    mirrored = np.pad(image[..., 0], 2, mode="reflect")
    assert (np.rint(pixels[0] * 127.5 + 127.5) == mirrored).all()
    assert (labels == np.pad(label, 2, mode="reflect")).all()

    pixels, labels = _tile(image, label, UNet(fill="zero"), size=12, output=12)
    outside = np.pad(np.zeros((8, 8), bool), 2, constant_values=True)
    assert (pixels[0][outside] == 0).all()
    assert (labels == np.pad(label, 2, constant_values=IGNORE)).all()


@pytest.mark.parametrize("fill", ["mirror", "zero"])
@pytest.mark.parametrize("upright", [False, True])
def test_of_an_image_longer_than_opencv_takes_a_tile_is_a_window_too(fill: Fill, upright: bool) -> None:
    # Repeated every 50 pixels, so that each window is one of the first 50.
    image = np.tile(_image(16, 50), (1, 800, 1))
    image = image.transpose(1, 0, 2) if upright else image
    label = image[..., 0] // 128
    pixels, labels = _tile(image, label, UNet(fill=fill))
    values = np.rint(pixels[0] * 127.5 + 127.5)
    windows = [image[start : start + 16, :, 0] if upright else image[:, start : start + 16, 0] for start in range(50)]
    (same,) = [window for window in windows if (window == values).all()]
    assert (labels == same // 128).all()


def test_a_crop_enlarges() -> None:
    rows = np.repeat(np.arange(0, 240, 4, dtype=np.uint8)[:, None], 60, 1)[..., None]
    label = np.zeros((60, 60), np.uint8)
    steps = []
    for seed in range(50):
        pixels, _ = _tile(rows, label, UNet(crop=0.3), size=32, output=32, seed=seed)
        steps.append(float(np.diff(pixels[0, :, 0]).mean() * 127.5 / 4))
    # Each side loses up to 30 %: what is seen of 32 pixels is 40 % of them at least, and all at most.
    assert 0.4 <= min(steps) < 0.6
    assert 0.8 < max(steps) <= 1.001


@pytest.mark.parametrize("settings", [UNet(brightness=0.5), UNet(contrast=0.9)])
def test_brightness_and_contrast_stay_in_range_and_leave_the_label(settings: UNet) -> None:
    image = _image()
    label = (image[..., 0] // 128).astype(np.uint8)
    changed = False
    for seed in range(10):
        plain, truth = _tile(image, label, UNet(), seed=seed)
        pixels, labels = _tile(image, label, settings, seed=seed)
        assert (labels == truth).all()
        assert np.abs(pixels).max() <= 1
        changed = changed or not np.allclose(pixels, plain)
    assert changed


def test_gray_has_one_channel_and_rgb_stays() -> None:
    gray = np.repeat(_image(), 3, 2)
    assert (with_channels(gray, 1) == gray[..., :1]).all()
    color = _image(channels=3)
    assert with_channels(color, 3) is color
