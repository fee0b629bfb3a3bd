"""Fit images of any size to a network with a fixed square input: `LongerSide` or `Tiles`.

`LongerSide` is the published protocol of DeepLab: the longer side is resized to ``int((side - 1) * scale) + 1``, and
the image is padded at the bottom and on the right with the mean color.

`Tiles` keeps the image's size (times the scale) and joins the probabilities of overlapping tiles. The probability of a
pixel is the weighted mean over the tiles that cover it. A tile's weight is the product of one by row and one by column,
each ``clip((d - overlap / 2) / step + 1 / 2, 0, 1)``: d is the distance of the pixel's center from the tile's nearer
border, `step` the unit of tile positions. The weight falls from 1 to 0 in the middle of the overlap, within one step.
Pixels nearer to a border, whose surroundings the tile does not see, do not count, except where the border is that of
the image. If no logit depends on pixels farther away than ``(overlap - step) / 2``, rounded up, the result is that of
the network for the complete image, padded at the bottom and on the right as the last tiles are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from segdata.errors import InvalidInputError, OptionError
from segtrain.config.config import Config
from segtrain.config.networks import MIN_CROP, SemanticNetwork
from segtrain.config.unet import Fill, UNet, center_size
from segtrain.data.arrays import Pixels, RgbImage, normalize, resize_long_side
from segtrain.data.rows import in_batches
from segtrain.data.semantic.tile_transforms import with_channels
from segtrain.inference.semantic.strips import Strips, in_strips
from segtrain.inference.semantic.symmetries import Network
from segtrain.inference.semantic.tiling import Span, cut_tile, spans
from segtrain.inference.settings import EvalSettings

#: Unit of the positions of DeepLab's tiles: a multiple of both output strides, so that features are in the same places.
DEEPLAB_STEP = 16


@dataclass(frozen=True)
class InputForm:
    """Normalization of an image: mean and standard deviation, 0 to 255, of each channel that the network sees."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def write(self, image: RgbImage, planes: Pixels) -> None:
        """Fill `planes` ``(C, H, W)`` with an RGB image of at most their size, and 0 (the mean) beyond it."""
        normalize(with_channels(image, len(self.mean)), self.mean, self.std, planes)

    def empty(self, number: int, side: int) -> Pixels:
        """Return an input for `number` images, filled with 0."""
        return np.zeros((number, len(self.mean), side, side), np.float32)


@dataclass(frozen=True)
class LongerSide:
    """Resize the longer side to `side` (at scale 1) and pad the other."""

    side: int
    description = (
        "resize bilinearly so that the longer side matches the input, normalize, pad with 0 at the bottom and on the "
        "right; use only the part of the output that covers the image"
    )

    def target(self, scale: float) -> int:
        """Return the side of the network's input at `scale`, in pixels."""
        return int((self.side - 1) * scale) + 1

    def strips(
        self, network: Network, images: Sequence[RgbImage], scale: float, form: InputForm, batch_size: int
    ) -> list[Strips]:
        """Return the class probabilities of up to `batch_size` images, at their size in the network's input."""
        target = self.target(scale)
        # The shape is static, so an incomplete batch is padded with zeros, whose results are ignored.
        batch, sizes = form.empty(batch_size, target), []
        for planes, image in zip(batch, images, strict=False):
            resized = resize_long_side(image, target)
            sizes.append(resized.shape[:2])
            form.write(resized, planes)
        found = zip(network(batch), sizes, strict=False)
        return [Strips(height, in_strips(planes[:, :height, :width])) for planes, (height, width) in found]


@dataclass(frozen=True)
class Tiles:
    """Cut tiles of `side` pixels that overlap by at least `overlap`.

    Attributes:
        side: side of a tile.
        overlap: pixels that neighboring tiles share at least; at most ``side - step``.
        step: tiles are at multiples of this position.
        beyond: what tiles see beyond the image, by which they extend by half of the overlap. None: they start at its
            top and left; what exceeds it at the bottom and on the right is the mean color.
    """

    side: int
    overlap: int
    step: int = 1
    beyond: Fill | None = None
    description = (
        "normalize at the original size (gray for one channel), mirror at the borders and cut overlapping tiles; use "
        "only the center of each output"
    )

    def strips(
        self, network: Network, images: Sequence[RgbImage], scale: float, form: InputForm, batch_size: int
    ) -> list[Strips]:
        """Return the class probabilities of `images`, each at its size times `scale`; tiles are run when needed.

        `network` takes `batch_size` tiles. Of each image, memory holds one row of tiles.
        """
        resized = [resize_long_side(image, max(round(max(image.shape[:2]) * scale), 1)) for image in images]
        return [Strips(image.shape[0], self._strips(network, image, form, batch_size)) for image in resized]

    def _strips(self, network: Network, image: RgbImage, form: InputForm, batch_size: int) -> Iterator[Pixels]:
        height, width = image.shape[:2]
        rows, columns = self._spans(height), self._spans(width)
        found = self._run(network, image, list(product(rows, columns)), form, batch_size)
        # Rows that the next row of tiles covers, too.
        unfinished: Pixels | None = None
        for row, end in zip(rows, [*(row.first for row in rows[1:]), height], strict=True):
            total: Pixels | None = None
            for column in columns:
                planes = next(found)
                if total is None:
                    total = np.zeros((len(planes), len(row.weights), width), np.float32)
                part = planes[:, self._inside(row, planes.shape[1]), self._inside(column, planes.shape[2])]
                weights = row.weights[:, None] * column.weights
                total[:, :, column.first : column.first + len(column.weights)] += part * weights
            assert total is not None
            if unfinished is not None:
                total[:, : unfinished.shape[1]] += unfinished
            yield from in_strips(total[:, : end - row.first])
            unfinished = total[:, end - row.first :].copy()

    def _spans(self, length: int) -> list[Span]:
        return spans(length, side=self.side, overlap=self.overlap, step=self.step, beyond=self.beyond is not None)

    def _inside(self, span: Span, size: int) -> slice:
        """Return the rows of an output of `size` rows, the center of the tile, that count."""
        start = span.first - span.start - (self.side - size) // 2
        return slice(start, start + len(span.weights))

    def _run(
        self, network: Network, image: RgbImage, tiles: list[tuple[Span, Span]], form: InputForm, batch_size: int
    ) -> Iterator[Pixels]:
        """Yield the probabilities of each tile, float32 ``(K, h, w)``."""
        for some in in_batches(tiles, batch_size):
            # The shape is static; the results of free places are ignored.
            batch = form.empty(batch_size, self.side)
            for planes, (row, column) in zip(batch, some, strict=False):
                pixels, top, left = cut_tile(image, row.start, column.start, self.side, self.beyond or "zero")
                form.write(pixels, planes[:, top:, left:])
            yield from network(batch)[: len(some)]


def completed(settings: EvalSettings, config: Config) -> EvalSettings:
    """Return `settings` with the values of the network's training in place of None.

    Raises:
        InvalidInputError: when an input would be too small, or U-Net cannot take it.
        OptionError: when `overlap` has no effect or is out of range, or the network has no such way of fitting.
    """
    unet = config.model if isinstance(config.model, UNet) else None
    fit = settings.fit or ("tiles" if unet else "longer_side")
    side = config.model_as(SemanticNetwork).crop_size if settings.crop_size is None else settings.crop_size
    if fit == "longer_side":
        if unet:
            raise OptionError(
                f"fit = longer_side: not available for {unet.name}, which processes images in tiles. Leave --fit out."
            )
        if settings.overlap is not None:
            raise OptionError("overlap: has no effect without tiles. Use --fit tiles, or leave --overlap out.")
        if min(map(LongerSide(side).target, settings.scales)) < MIN_CROP:
            raise InvalidInputError(
                f"scales = {list(settings.scales)}: too small for crop_size = {side}; expected inputs of at least "
                f"{MIN_CROP} pixels"
            )
        return replace(settings, fit=fit, crop_size=side, batch_size=settings.batch_size or config.batch_size)
    if side < MIN_CROP:
        raise InvalidInputError(f"crop_size = {side}: expected at least {MIN_CROP} pixels")
    least, most, usual = 0, side - DEEPLAB_STEP, side // 4
    if unet:
        least = usual = side - center_size(side, unet.halvings, same_padding=unet.same_padding)
        most = side - 1
    overlap = usual if settings.overlap is None else settings.overlap
    if not least <= overlap <= most:
        raise OptionError(f"overlap = {overlap}: expected {least} to {most} for tiles of {side} pixels")
    return replace(settings, fit=fit, crop_size=side, overlap=overlap, batch_size=settings.batch_size or 1)


def fitting_of(settings: EvalSettings, config: Config) -> LongerSide | Tiles:
    """Return the way of fitting for `completed` settings."""
    assert settings.crop_size is not None
    if settings.fit == "longer_side":
        return LongerSide(settings.crop_size)
    assert settings.overlap is not None
    if isinstance(config.model, UNet):
        return Tiles(settings.crop_size, settings.overlap, beyond=config.model.fill)
    return Tiles(settings.crop_size, settings.overlap, DEEPLAB_STEP)


def input_form(config: Config) -> InputForm:
    """Return the normalization that the network was trained with."""
    channels = config.model.channels if isinstance(config.model, UNet) else 3
    return InputForm(config.image_mean[:channels], config.image_std[:channels])
