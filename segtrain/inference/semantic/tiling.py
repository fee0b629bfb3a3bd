"""Overlap-tile strategy: segments images of any size with a network that has a fixed square input.

Each pixel is taken from the center of a tile, so that the network sees its surroundings; beyond the borders, the image
is mirrored (Ronneberger et al. 2015, figure 2).
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np

from segtrain.config.unet import Fill
from segtrain.data.arrays import Pixels

#: Maps images ``(N, C, size, size)`` to class probabilities ``(N, K, h, w)``, both float32; h and w at most size.
Network = Callable[[Pixels], Pixels]


def tiled(network: Network, image: Pixels, *, input_size: int, output_size: int, fill: Fill = "mirror") -> Pixels:
    """Return the class probabilities of a complete image.

    Where tile centers overlap because they do not fit side by side, their mean is taken.

    Args:
        network: maps tiles, one at a time, to class probabilities.
        image: normalized image, float32 ``(C, H, W)``.
        input_size: side of the network's input.
        output_size: side of the center that is used of the network's output, at most the side of that output.
        fill: padding beyond the image, ``"mirror"`` or ``"zero"``.

    Returns:
        float32 ``(H, W, K)``.
    """
    height, width = image.shape[1:]
    margin = (input_size - output_size) // 2
    # At the bottom and on the right, a tile's center may also extend beyond a small image.
    after = input_size - output_size - margin
    beyond = [(margin, after + max(output_size - side, 0)) for side in (height, width)]
    padded = np.pad(image, [(0, 0), *beyond], mode="reflect" if fill == "mirror" else "constant")
    total: Pixels | None = None
    times = np.zeros((height, width, 1), np.float32)
    for top in _starts(height, output_size):
        for left in _starts(width, output_size):
            tile = np.ascontiguousarray(padded[None, :, top : top + input_size, left : left + input_size])
            found = _center(network(tile)[0], output_size).transpose(1, 2, 0)
            if total is None:
                total = np.zeros((height, width, found.shape[2]), np.float32)
            inside = total[top : top + output_size, left : left + output_size]
            inside += found[: inside.shape[0], : inside.shape[1]]
            times[top : top + output_size, left : left + output_size] += 1
    assert total is not None
    return total / times


def with_test_time_augmentation(network: Network, *, flip: bool, turn: bool) -> Network:
    """Return a network that averages its result over mirrored and rotated inputs (test-time augmentation).

    Args:
        network: maps square inputs to class probabilities.
        flip: average over the input and its mirror image.
        turn: average over their rotations by 0, 90, 180 and 270 degrees.
    """
    looks = list(product(range(4 if turn else 1), (False, True) if flip else (False,)))

    def mean(batch: Pixels) -> Pixels:
        total: Pixels | None = None
        for quarters, mirrored in looks:
            seen = np.rot90(batch, quarters, (2, 3))
            scores = network(np.ascontiguousarray(seen[..., ::-1] if mirrored else seen))
            scores = np.rot90(scores[..., ::-1] if mirrored else scores, -quarters, (2, 3))
            total = scores if total is None else total + scores
        assert total is not None
        return total / np.float32(len(looks))

    return mean if len(looks) > 1 else network


def _starts(side: int, size: int) -> list[int]:
    """Return the start positions of centers of `size` that cover `side`; the last one ends flush with it."""
    return [*range(0, max(side - size, 0), size), max(side - size, 0)]


def _center(planes: Pixels, size: int) -> Pixels:
    top, left = (planes.shape[1] - size) // 2, (planes.shape[2] - size) // 2
    return planes[:, top : top + size, left : left + size]
