"""Settings of U-Net: network size, tile sizes and tile augmentation."""

from __future__ import annotations

import math
from typing import Annotated, ClassVar, Literal

import msgspec

from segdata.errors import InvalidInputError
from segdata.text import plural
from segtrain.config.choices import Ohem
from segtrain.config.networks import MIN_CROP, SemanticNetwork
from segtrain.config.values import Amount, Count, MinorFraction, Positive

Fill = Literal["mirror", "zero"]
Flip = Literal["none", "horizontal", "both"]


class UNet(SemanticNetwork, frozen=True, kw_only=True, tag="unet"):
    """Settings of the published U-Net, and of its tiles. The defaults are the paper's, without augmentation.

    Attributes:
        crop_size: side in pixels of a tile, the network's input.
        repeat: how often an epoch uses each row of the training set; for small sets.
        width: channels of the top level; each level below has twice as many.
        poolings: number of levels below the top.
        channels: 1: images are converted to gray and use the first value of `image_mean` and `image_std`; 3: RGB.
        flip: mirror a tile left to right (horizontal), or also upside down (both), each with a probability of one half.
        turn: rotate a tile by a random multiple of 90 degrees.
        crop: largest share to cut off each side; the rest is enlarged to the size of the tile.
        brightness: largest change in brightness, as a share of the range 0 to 255; values are clipped to that range.
        contrast: largest relative change in the distance from the tile's mean.
        elastic: standard deviation in pixels of the displacements on a 3 x 3 grid over the tile, with bicubic
            interpolation in between; 10 in the paper.
        fill: pixels beyond the image: its mirror image, or zeros (after normalization), which have no label.
        border_weight: extra weight of a pixel between two cells in the cross entropy; 10 in the paper.
        border_sigma: how far that weight extends from the cells, in pixels; 5 in the paper.
        background: class id of the area between cells, for `border_weight`.
        low_memory: on a CPU, train with less memory and more time: at 572 pixels 3.9 GiB instead of 6.2 for an eighth
            more.
    """

    FAMILY: ClassVar[str] = "unet"
    SWITCHES: ClassVar[dict[str, tuple[str, ...]]] = {"border_weight": ("border_sigma", "background")}

    crop_size: Annotated[int, msgspec.Meta(ge=MIN_CROP)] = 572
    repeat: Count = 1
    width: Count = 64
    poolings: Annotated[int, msgspec.Meta(ge=0, le=6)] = 4
    channels: Literal[1, 3] = 1
    flip: Flip = "none"
    turn: bool = False
    crop: MinorFraction = 0.0
    brightness: Amount = 0.0
    contrast: Amount = 0.0
    elastic: Amount = 0.0
    fill: Fill = "mirror"
    border_weight: Amount = 0.0
    border_sigma: Positive = 5.0
    background: Annotated[int, msgspec.Meta(ge=0, le=255)] = 0
    low_memory: bool = False

    @property
    def halvings(self) -> int:
        """Number of times the sides of the input are halved."""
        return self.poolings

    @property
    def same_padding(self) -> bool:
        """Whether convolutions are padded, so that the logits have the size of the input."""
        return False

    def __post_init__(self) -> None:
        """Check settings that depend on each other."""
        super().__post_init__()
        output_size(self.crop_size, self.halvings, same_padding=self.same_padding)
        if self.border_weight and isinstance(self.loss, Ohem):
            raise InvalidInputError(
                f"border_weight = {self.border_weight} has no effect on the loss ohem, which selects pixels by their "
                "cross entropy alone; expected the loss cross_entropy or cross_entropy_dice"
            )


class UNetSimple(UNet, frozen=True, kw_only=True, tag="unet_simple"):
    """Settings of a U-Net that pads and normalizes its convolutions.

    Attributes:
        patch: side in pixels of the patches that the top level treats as single pixels; with 2, a step takes a quarter
            of the time.
        residual: add the input of each level to the output of its two convolutions.
        freeze_bn: normalize with the moving statistics during training too.
        sync_bn: normalize with statistics computed over the batches of all devices, not per device.
    """

    crop_size: Annotated[int, msgspec.Meta(ge=MIN_CROP)] = 576
    patch: Literal[1, 2, 4] = 1
    residual: bool = False
    freeze_bn: bool = False
    sync_bn: bool = False

    @property
    def halvings(self) -> int:
        """Number of times the sides of the input are halved, by poolings and patches together."""
        return self.poolings + self.patch.bit_length() - 1

    @property
    def same_padding(self) -> bool:
        """Whether convolutions are padded, so that the logits have the size of the input."""
        return True


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
        least = MIN_CROP if same_padding else max(MIN_CROP, border(halvings) + 1)
        fits = f"{smaller} or {larger}" if smaller >= least else f"at least {larger}"
        raise InvalidInputError(
            f"crop_size = {size}: not possible for a U-Net that halves its input {plural(halvings, 'time')}; expected "
            f"{fits}"
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
