"""The parameters of torchvision's ResNets by name: shapes by a plain rule, values by a seeded formula; no torch."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

GOLDEN = Path(__file__).with_name("resnet_parity.npz")

#: Blocks in the four layers, and whether they are bottlenecks.
LAYERS = {"resnet18": ((2, 2, 2, 2), False), "resnet50": ((3, 4, 6, 3), True), "resnet101": ((3, 4, 23, 3), True)}

Shapes = dict[str, tuple[int, ...]]
State = dict[str, np.ndarray]


def shapes(backbone: str) -> Shapes:
    """Return the shapes of a ``state_dict`` of torchvision or timm, in its order."""
    counts, bottleneck = LAYERS[backbone]
    found: Shapes = {"conv1.weight": (64, 3, 7, 7), **norm("bn1", 64)}
    inputs = 64
    for layer, (count, width) in enumerate(zip(counts, (64, 128, 256, 512), strict=True), start=1):
        for block in range(count):
            prefix, outputs = f"layer{layer}.{block}", 4 * width if bottleneck else width
            for number, (name, shape) in enumerate(_convolutions(inputs, width, bottleneck), start=1):
                found |= {f"{prefix}.{name}.weight": shape, **norm(f"{prefix}.bn{number}", shape[0])}
            if block == 0 and inputs != outputs:
                found |= {f"{prefix}.downsample.0.weight": (outputs, inputs, 1, 1)}
                found |= norm(f"{prefix}.downsample.1", outputs)
            inputs = outputs
    return {**found, "fc.weight": (1000, inputs), "fc.bias": (1000,)}


def numbered(backbone: str) -> State:
    """Return parameters that can be distinguished: all entries of one are its place among them, from 1."""
    return {name: np.full(shape, place, np.float32) for place, (name, shape) in enumerate(shapes(backbone).items(), 1)}


def seeded(backbone: str) -> State:
    """Return values with which a signal keeps its size; they depend on name and shape only."""
    return {name: seeded_value(name, shape) for name, shape in shapes(backbone).items()}


def image() -> np.ndarray:
    """Return a float32 image ``(1, 3, 65, 65)``."""
    return _random("image").standard_normal((1, 3, 65, 65)).astype(np.float32)


def _convolutions(inputs: int, width: int, bottleneck: bool) -> Iterator[tuple[str, tuple[int, ...]]]:
    if bottleneck:
        yield "conv1", (width, inputs, 1, 1)
        yield "conv2", (width, width, 3, 3)
        yield "conv3", (4 * width, width, 1, 1)
    else:
        yield "conv1", (width, inputs, 3, 3)
        yield "conv2", (width, width, 3, 3)


def norm(prefix: str, channels: int) -> Shapes:
    """Return the shapes of what a normalization has."""
    vectors = ("weight", "bias", "running_mean", "running_var")
    return {**{f"{prefix}.{name}": (channels,) for name in vectors}, f"{prefix}.num_batches_tracked": ()}


def seeded_value(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Return the value of a parameter, which depends on its name and shape only."""
    values = _random(name).standard_normal(shape)
    if len(shape) == 4:
        values *= np.sqrt(2 / np.prod(shape[1:]))  # He et al. 2015
    elif name.endswith("running_var"):
        values = 1 + 0.5 * np.abs(values)
    elif name.endswith("weight"):
        values = 1 + 0.1 * values
    elif name.endswith("num_batches_tracked"):
        return np.array(7, np.int64)
    else:
        values *= 0.1
    return values.astype(np.float32)


def _random(name: str) -> np.random.RandomState:
    # Unlike that of a Generator, the stream of a RandomState never changes from one NumPy to another.
    return np.random.RandomState(zlib.crc32(name.encode()))
