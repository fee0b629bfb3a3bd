"""Inputs to compare the U-Nets of MindSpore and PyTorch on: seeded weights and a seeded batch, needing neither."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import parity_cases

GOLDEN = Path(__file__).with_name("unet_parity.npz")

#: The published form with valid convolutions, the simple one, and that with residual levels.
MODELS = ("unet", "unet_simple", "unet_residual")
WIDTH, POOLINGS, CLASSES, IGNORE = 8, 2, 3, 255

#: Height and width of the input, and of the logits of the published form.
SIZE, VALID = (60, 76), (20, 36)


def size(model: str) -> tuple[int, int]:
    """Return height and width of the logits."""
    return VALID if model == "unet" else SIZE


def parameter(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Return the start value of a parameter; offsets keep the published form's units off their ReLU's kink too.

    See `parity_cases.parameter`; a convolution has an offset of its own where no normalization follows.
    """
    values = parity_cases.parameter(name, shape)
    if name.startswith("up.") and len(shape) == 4:
        # (inputs, outputs, 2, 2), of which each output pixel has one tap.
        values = values / np.float32(np.sqrt(2 / np.prod(shape[1:]))) * np.float32(np.sqrt(2 / shape[0]))
    return values


def batch(model: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return images ``(2, 1, H, W)``, labels ``(2, h, w)`` with some ignored, and weights of their pixels."""
    random = np.random.RandomState(2)
    images = random.standard_normal((2, 1, *SIZE)) + random.standard_normal((2, 1, 1, 1))
    height, width = size(model)
    squares = random.randint(0, CLASSES, (2, height // 4 + 1, width // 4 + 1))
    labels = squares.repeat(4, 1).repeat(4, 2)[:, :height, :width]
    labels[:, 3:9, 5:] = IGNORE
    weights = 1 + 10 * random.random_sample(labels.shape)
    return images.astype(np.float32), labels.astype(np.int32), weights.astype(np.float32)
