"""torchvision's DeepLabV3 by names and shapes, with seeded values, and images to compare it on; no torch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from torch_resnet import Shapes, State, norm, seeded_value, shapes

GOLDEN = Path(__file__).with_name("torchvision_parity.npz")

BACKBONE, CLASSES = "resnet50", 5

#: Height and width of the images. With an even size, the last rows and columns of strided layers count, too.
SIZES = ((65, 97), (96, 80))


def deeplabv3(backbone: str = BACKBONE, *, channels: int = 2048) -> State:
    """Return a ``state_dict`` of torchvision's DeepLabV3 without its auxiliary classifier.

    Args:
        backbone: a key of `torch_resnet.LAYERS`; torchvision has only the two larger ones.
        channels: channels of the backbone's features.
    """
    body = {f"backbone.{name}": shape for name, shape in shapes(backbone).items() if not name.startswith("fc.")}
    return {name: seeded_value(name, shape) for name, shape in {**body, **_head(channels)}.items()}


def image(size: tuple[int, int]) -> np.ndarray:
    """Return a float32 image ``(1, 3, H, W)``."""
    return np.random.RandomState(size[0]).standard_normal((1, 3, *size)).astype(np.float32)


def sampled(logits: np.ndarray) -> np.ndarray:
    """Return logits of every fourth row and column: each place within a pixel of the features, borders included."""
    return logits[:, :, ::4, ::4]


def _head(channels: int) -> Shapes:
    found: Shapes = {}
    for branch in range(5):
        convolution, normalization = (1, 2) if branch == 4 else (0, 1)
        side = 3 if branch in (1, 2, 3) else 1
        prefix = f"classifier.0.convs.{branch}"
        found |= {f"{prefix}.{convolution}.weight": (256, channels, side, side)}
        found |= norm(f"{prefix}.{normalization}", 256)
    found |= {"classifier.0.project.0.weight": (256, 1280, 1, 1), **norm("classifier.0.project.1", 256)}
    found |= {"classifier.1.weight": (256, 256, 3, 3), **norm("classifier.2", 256)}
    return {**found, "classifier.4.weight": (CLASSES, 256, 1, 1), "classifier.4.bias": (CLASSES,)}
