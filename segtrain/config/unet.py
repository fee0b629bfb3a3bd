"""What only U-Net has: its size, the sizes of its tiles, and what happens to them in training."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec

from segdata.errors import InvalidInputError
from segtrain.config.values import Amount, MinorFraction

Fill = Literal["mirror", "zero"]
Flip = Literal["none", "horizontal", "both"]


@dataclass(frozen=True, kw_only=True)
class UNetSettings:
    """Size of the network and augmentation of its tiles. The defaults are the paper's network and no augmentation.

    Attributes:
        width: channels of the highest level; each lower one has twice as many.
        poolings: levels below the highest.
        patch: side in pixels of what the highest level sees as one; above 1 for unet_simple only. With 2 a step takes a
            quarter of the time.
        residual: what enters a level is added to what its two convolutions make of it; for unet_simple only.
        channels: 1: images are made gray, and the first of `image_mean` and `image_std` is theirs; 3: RGB.
        flip: mirror a tile left to right (horizontal), or also upside down (both), each with probability one half.
        turn: turn it by 0 to 3 quarters.
        crop: largest share that is cut off at each side; what is left is enlarged to the tile.
        brightness: largest change of brightness, as a share of the range 0 to 255; what leaves the range is cut to it.
        contrast: largest relative change of the distance from the tile's mean.
        elastic: standard deviation in pixels of the displacements on a 3 x 3 grid over the tile, between which is
            interpolated bicubically; published: 10.
        fill: what lies beyond an image: its mirror image, or zeros (after normalization), which have no label.
        border_weight: how much more than others a pixel between two cells counts in the cross entropy; published: 10.
        border_sigma: how far from the cells that reaches, in pixels; published: 5.
        background: class id of what lies between cells, for these weights.
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
        """How often the sides of the input are halved: by each pooling, and by the patches."""
        return self.poolings + self.patch.bit_length() - 1


def output_size(size: int, halvings: int, *, same_padding: bool) -> int:
    """Return the side of the logits for an input of side `size`, both in pixels.

    Valid convolutions take 2 pixels each at every level: halved four times, 572 gives 388, as published.

    Raises:
        InvalidInputError: when a pooling would meet an odd size, or nothing is left; the nearest sizes are named.
    """
    side = size if same_padding else size - border(halvings)
    larger = input_size(max(side, 1), halvings, same_padding=same_padding)
    if larger != size:
        smaller = larger - 2**halvings
        fits = f"{smaller} or {larger}" if smaller > (0 if same_padding else border(halvings)) else f"at least {larger}"
        raise InvalidInputError(
            f"a U-Net that halves its input {halvings} times takes none of side {size}; expected {fits}"
        )
    return side


def input_size(size: int, halvings: int, *, same_padding: bool) -> int:
    """Return the smallest side of an input whose logits have side `size`, at least 1, or more."""
    # What valid convolutions leave at the lowest level is doubled and loses 4 pixels at each of the others.
    step: int = 2**halvings
    least = step if same_padding else min(step, 4)
    covering = least + math.ceil(max(size - least, 0) / step) * step
    return covering if same_padding else covering + border(halvings)


def border(halvings: int) -> int:
    """Return by how many pixels the logits of valid convolutions are smaller than the input: half on each side."""
    lost: int = 12 * 2**halvings - 8
    return lost


def center_size(size: int, halvings: int, *, same_padding: bool) -> int:
    """Return the side of the logits' center that is trusted where an image is put together from tiles of side `size`.

    The logits of valid convolutions see no padding. Of others a border is left out on each side, as wide as two pixels
    of the lowest level, but at most a quarter of the side.
    """
    side = output_size(size, halvings, same_padding=same_padding)
    return side - 2 * min(2 * 2**halvings, side // 4) if same_padding else side
