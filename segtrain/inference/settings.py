"""Settings for applying a trained network to images: input size, scales, test-time augmentation, way of fitting."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, fields
from typing import Literal

from segdata.arguments import check_choice
from segdata.errors import OptionError
from segdata.text import option_names

#: How an image becomes an input of fixed size: resized by its longer side, or cut into overlapping tiles.
Fit = Literal["longer_side", "tiles"]


@dataclass(frozen=True, kw_only=True)
class EvalSettings:
    """Settings for applying a trained network to images; what is None comes from the network's training.

    For instance networks, only `batch_size` has an effect; they refuse the others.

    Attributes:
        scales: test-time augmentation with several sizes, each above 0; probabilities are averaged. With `longer_side`,
            factors of `crop_size`, with `tiles`, factors of the image's size.
        flip: average with the mirrored image.
        turn: average with the image rotated by 90, 180 and 270 degrees; with `flip`, over all eight symmetries of a
            square.
        crop_size: side of the network's input in pixels (at scale 1); None: as in training.
        fit: ``longer_side`` resizes an image so that its longer side is `crop_size`; ``tiles`` keeps its size and cuts
            tiles of side `crop_size`. None: tiles for U-Net, which has no other way, and longer_side for DeepLab.
        overlap: pixels that neighboring tiles share; None: a quarter of `crop_size`, or for U-Net the border of a tile
            that is not used.
        batch_size: images, or tiles of an image, that the network processes together; it does not change the result.
            None: in an evaluation as many images as in training, in a prediction one, and always one tile.

    Raises:
        OptionError: when a value is out of range or has no effect.

    Example:
        >>> settings = EvalSettings(scales=(0.75, 1.0, 1.25), flip=True)
        >>> tiles = EvalSettings(fit="tiles", overlap=128)
    """

    scales: tuple[float, ...] = (1.0,)
    flip: bool = False
    turn: bool = False
    crop_size: int | None = None
    fit: Fit | None = None
    overlap: int | None = None
    batch_size: int | None = None

    def __post_init__(self) -> None:
        """Check values that need no network to be judged."""
        check_choice("fit", self.fit, Fit, optional=True)
        if not self.scales or not all(0 < scale < math.inf for scale in self.scales):
            raise OptionError(f"scales = {list(self.scales)}: expected at least one number, each above 0")
        if self.batch_size is not None and self.batch_size < 1:
            raise OptionError(f"batch_size = {self.batch_size}: expected at least 1")
        if self.overlap is not None and self.fit == "longer_side":
            raise OptionError("overlap: has no effect with --fit longer_side. Use --fit tiles, or leave --overlap out.")

    def check_only(self, names: Collection[str], model: str) -> None:
        """Check that no setting but `names` was given, since none of the others affects `model`.

        Raises:
            OptionError: naming the others.
        """
        given = [each.name for each in fields(self) if getattr(self, each.name) != each.default]
        if foreign := sorted(set(given) - set(names)):
            raise OptionError(
                f"{option_names(foreign)}: not available for {model}, a network for instance segmentation. Leave "
                f"{'it' if len(foreign) == 1 else 'them'} out."
            )


#: Scale 1, without test-time augmentation.
AS_IN_TRAINING = EvalSettings()
