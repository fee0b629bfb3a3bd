"""Settings for U-Net only: network size, tile sizes and tile augmentation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec

from segdata.errors import InvalidInputError
from segdata.text import plural
from segtrain.config.values import Amount, MinorFraction

Fill = Literal["mirror", "zero"]
Flip = Literal["none", "horizontal", "both"]


@dataclass(frozen=True, kw_only=True)
class UNetSettings:
    """Network size and tile augmentation. The defaults are the paper's network without augmentation.

    Attributes:
        width: channels of the top level; each level below has twice as many.
        poolings: number of levels below the top.
        patch: side in pixels of the patches that the top level treats as single pixels; above 1 for unet_simple only.
            With 2, a step takes a quarter of the time.
        residual: add the input of each level to the output of its two convolutions; for unet_simple only.
        channels: 1: images are converted to gray and use the first value of `image_mean` and `image_std`; 3: RGB.
        flip: mirror a tile left to right (horizontal), or also upside down (both), each with a probability of one half.
        turn: rotate a tile by a random multiple of 90 degrees.
        crop: largest share to cut off each side; the rest is enlarged to the size of the tile.
        brightness: largest change in brightness, as a share of the range 0 to 255; values are clipped to that range.
        contrast: largest relative change in the distance from the tile's mean.
        elastic: standard deviation in pixels of the displacements on a 3 x 3 grid over the tile, with bicubic
            interpolation in between; published: 10.
        fill: pixels beyond the image: its mirror image, or zeros (after normalization), which have no label.
        border_weight: extra weight of a pixel between two cells in the cross entropy; published: 10.
        border_sigma: how far that weight extends from the cells, in pixels; published: 5.
        background: class id of the area between cells, for these weights.
    """

    width: Annotated[int, msgspec.Meta(ge=1)] = 64
    poolings: Annotated[int, msgspec.Meta(ge=0, le=6)] = 4
    patch: Literal[1, 2, 4] = 1
    residual: bool = False
    channels: Literal[1, 3] = 1
    flip: Flip = "none"
    turn: bool = False
    crop: MinorFraction = 0.0
    brightness: Amount = 0.0
    contrast: Amount = 0.0
    elastic: Amount = 0.0
    fill: Fill = "mirror"
    border_weight: Amount = 0.0
    border_sigma: Annotated[float, msgspec.Meta(gt=0)] = 5.0
    background: Annotated[int, msgspec.Meta(ge=0, le=255)] = 0

    @property
    def halvings(self) -> int:
        """Number of times the sides of the input are halved, by poolings and patches together."""
        return self.poolings + self.patch.bit_length() - 1


def output_size(size: int, halvings: int, *, same_padding: bool) -> int:
    """Return the side of the logits for an input of side `size`, both in pixels.

    Each valid convolution removes 2 pixels at its level: with four halvings, 572 becomes 388, as published.

    Raises:
        InvalidInputError: when a pooling would get an odd size or nothing would be left. The message suggests the
            nearest valid sizes.
    """
    side = size if same_padding else size - border(halvings)
    larger = input_size(max(side, 1), halvings, same_padding=same_padding)
    if larger != size:
        smaller = larger - 2**halvings
        fits = f"{smaller} or {larger}" if smaller > (0 if same_padding else border(halvings)) else f"at least {larger}"
        raise InvalidInputError(
            f"a U-Net that halves its input {plural(halvings, 'time')} cannot take an input of side "
            f"{size}; expected {fits}"
        )
    return side


def input_size(size: int, halvings: int, *, same_padding: bool) -> int:
    """Return the side of the smallest input whose logits have a side of at least `size` (1 or more)."""
    # With valid convolutions, the size left at the lowest level is doubled and loses 4 pixels at each other level.
    step: int = 2**halvings
    least = step if same_padding else min(step, 4)
    covering = least + math.ceil(max(size - least, 0) / step) * step
    return covering if same_padding else covering + border(halvings)


def border(halvings: int) -> int:
    """Return how many pixels smaller than the input the logits of valid convolutions are: half on each side."""
    lost: int = 12 * 2**halvings - 8
    return lost


def center_size(size: int, halvings: int, *, same_padding: bool) -> int:
    """Return the side of the logits' center to use when an image is assembled from tiles of side `size`.

    The logits of valid convolutions see no padding and are used in full. Padded convolutions lose a border on each
    side, as wide as two pixels of the lowest level, but at most a quarter of the side.
    """
    side = output_size(size, halvings, same_padding=same_padding)
    return side - 2 * min(2 * 2**halvings, side // 4) if same_padding else side
