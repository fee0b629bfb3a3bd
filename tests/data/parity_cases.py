"""Inputs to compare MindSpore and PyTorch on: seeded weights and a seeded batch, needing neither of the two."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

GOLDEN = Path(__file__).with_name("deeplab_parity.npz")

MODELS = ("DeepLabV3_s16", "DeepLabV3_s8", "DeepLabV3plus_s16", "DeepLabV3plus_s8")
BACKBONE = "resnet50"
RATES = (3, 6, 12)
CLASSES = 5
IGNORE = 255

#: Not square, and large enough for the dilations: the features are 13 x 17 at stride 8, 7 x 9 at stride 16.
IMAGES, HEIGHT, WIDTH = 4, 97, 129

#: Of the batch: with this one no unit of any network is nearer than 9e-6 to its ReLU's kink.
SEED = 1

WEIGHT_DECAY = 1e-4
LEARNING_RATE = 0.01

#: How many entries of a tensor are compared one by one; all are in its norm.
SAMPLES = 8


def parameter(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Return the float32 start value of a parameter, which depends on its (MindSpore) name and shape only.

    At a ReLU's kink the rounding of float32 decides between two gradients, and in a network with weights as they are
    usually drawn, millions of units make the gradients of two correct programs differ by some percent. Here scale and
    offset of the normalizations keep almost all units on the same side of the kink.
    """
    values = _random(name).standard_normal(shape)
    if len(shape) == 4:
        values *= np.sqrt(2 / np.prod(shape[1:]))  # He et al. 2015: the signal keeps its size
        if shape[1] > 3:
            values -= values.mean(1, keepdims=True)  # What all units have in common, their offset, goes no further.
    elif name.endswith("gamma"):
        values = 0.25 * (1 + 0.1 * values)
    elif name.endswith("beta"):
        values = 1 + 0.1 * np.abs(values)
    elif name.endswith("moving_variance"):
        values = 0.125 * (1 + 0.1 * np.abs(values))
    else:
        values *= 0.1
    return values.astype(np.float32)


def batch() -> tuple[np.ndarray, np.ndarray]:
    """Return float32 images ``(N, 3, H, W)`` and int32 labels ``(N, H, W)`` in squares, some of them ignored.

    The images differ in brightness and contrast: image pooling normalizes one number per image, and were these almost
    equal, float32 would lose their differences.
    """
    random = np.random.RandomState(SEED)
    contrast = 2.0 ** np.arange(-1, IMAGES - 1)[:, None, None, None]
    texture, color = random.standard_normal((IMAGES, 3, HEIGHT, WIDTH)), random.standard_normal((IMAGES, 3, 1, 1))
    images = contrast * (texture + 3 * color)
    squares = random.randint(0, CLASSES, (IMAGES, HEIGHT // 16 + 1, WIDTH // 16 + 1))
    labels = squares.repeat(16, 1).repeat(16, 2)[:, :HEIGHT, :WIDTH]
    labels[:, 20:40, 30:] = IGNORE
    return images.astype(np.float32), labels.astype(np.int32)


def digests(tensors: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return one digest a layer, by the layer's name; what a layer has, such as scale and offset, is one tensor there.

    The next normalization takes out an offset. Its gradient, nothing but rounding, is so measured by that of the scale.
    """
    layers: dict[str, list[np.ndarray]] = {}
    for name, values in sorted(tensors.items()):
        layers.setdefault(name.rpartition(".")[0], []).append(values.ravel())
    return np.stack([digest(np.concatenate(values)) for _, values in sorted(layers.items())])


def digest(values: np.ndarray) -> np.ndarray:
    """Return a tensor's Euclidean norm, its largest magnitude, and `SAMPLES` entries spread over it."""
    flat = values.astype(np.float64).ravel()
    positions = np.linspace(0, flat.size - 1, SAMPLES).astype(int)
    return np.array([np.linalg.norm(flat), np.abs(flat).max(), *flat[positions]])


def relative_error(found: np.ndarray, golden: np.ndarray) -> float:
    """Return the largest deviation of two digests, or stacks of digests: norms by norm, entries by largest magnitude.

    An entry is the sum of many products of both signs. Where they cancel, the rounding of float32 is large beside the
    entry although small beside the tensor, so that an entry's deviation is measured by the tensor.
    """
    norm, largest = golden[..., :1], golden[..., 1:2]
    scale = np.concatenate([norm, np.broadcast_to(largest, (*largest.shape[:-1], SAMPLES + 1))], -1)
    return float((np.abs(found - golden) / scale).max())


def _random(name: str) -> np.random.RandomState:
    # Unlike that of a Generator, the stream of a RandomState never changes from one NumPy to another.
    return np.random.RandomState(zlib.crc32(name.encode()))
