"""Whole images through a network with a fixed square input.

For each scale the image is resized, the network sees it, and the class probabilities are resized to the image's own
size. Those of all scales, and of the mirrored and turned image, are averaged, and the largest mean is the class.

U-Net sees an image tile by tile (`segtrain.inference.semantic.tiling`), and a scale is a factor of its own size. The
other networks see it as published: its longer side is resized to ``int((crop - 1) * scale) + 1``, and it is padded at
the bottom and on the right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import mindspore as ms
import numpy as np
import numpy.typing as npt
from mindspore import Tensor, nn, ops

from segdata.errors import InvalidInputError
from segtrain.checkpoints.checkpoint import CheckpointInfo, LoadReport, load_network, read_info
from segtrain.config.config import MIN_CROP, Config, DeviceTarget
from segtrain.config.unet import UNetSettings, center_size
from segtrain.data.arrays import Pixels, RgbImage, normalize, resize_long_side
from segtrain.data.semantic.tile_transforms import with_channels
from segtrain.distributed.device import prepare_device
from segtrain.inference.semantic.tiling import tiled, with_test_time_augmentation


@dataclass(frozen=True, kw_only=True)
class EvalSettings:
    """How an image is brought through the network.

    Attributes:
        crop_size: side of the network's input at scale 1 in pixels.
        scales: factors of `crop_size`, for U-Net of the image's own size; each above 0.
        flip: also take the mirrored image.
        turn: also take the image turned by one, two and three quarters; with `flip`, all eight symmetries of a square.
    """

    crop_size: int
    scales: tuple[float, ...] = (1.0,)
    flip: bool = False
    turn: bool = False

    def __post_init__(self) -> None:
        """Refuse inputs that are too small to be seen."""
        if not self.scales or min(map(self.target, self.scales)) < MIN_CROP:
            raise InvalidInputError(
                f"scales are {list(self.scales)} of crop_size = {self.crop_size}: expected inputs of {MIN_CROP} pixels "
                "and more"
            )

    def target(self, scale: float) -> int:
        """Return the side of the network's input at `scale` in pixels."""
        return int((self.crop_size - 1) * scale) + 1


class Segmenter:
    """Segments images; one graph is compiled for each input size and then kept."""

    def __init__(self, network: nn.Cell, config: Config, settings: EvalSettings, *, batch_size: int) -> None:
        """Segment by `network`, whose input is normalized as `config` says.

        `batch_size` images go through the network at a time; their probabilities at full size, ``K x H x W`` float32
        each, are in memory together.
        """
        self.config = config
        self.settings = settings
        self.batch_size = batch_size
        self._cell = _Probabilities(network)
        self._network = with_test_time_augmentation(self._run, flip=settings.flip, turn=settings.turn)
        if config.unet:
            self._center = center_size(settings.crop_size, config.unet.halvings, same_padding=config.same_padding)

    def __call__(self, images: Sequence[RgbImage]) -> list[npt.NDArray[np.uint8]]:
        """Return the class ids ``(H, W)`` uint8 of each image, uint8 RGB ``(H, W, 3)``; at most `batch_size` images."""
        return [likeliest(scores) for scores in self.probabilities(images)]

    def probabilities(self, images: Sequence[RgbImage]) -> list[Pixels]:
        """Return the class probabilities, float32 ``(H, W, K)``, of each image; see `__call__`."""
        # The network may be in training: its statistics must neither be used nor moved by what is evaluated.
        self._cell.set_train(False)
        means: list[Pixels | None] = [None] * len(images)
        for scale in self.settings.scales:
            for index, scores in enumerate(self._at_scale(images, scale)):
                height, width = images[index].shape[:2]
                # A copy of the probabilities of a large image is a large one.
                if scores.shape[:2] != (height, width):
                    scores = cv2.resize(scores, (width, height), interpolation=cv2.INTER_LINEAR)
                total = means[index]
                means[index] = scores if total is None else np.add(total, scores, out=total)
        count = np.float32(len(self.settings.scales))
        return [total if count == 1 else np.divide(total, count, out=total) for total in means if total is not None]

    def _by_tiles(self, image: RgbImage, scale: float, unet: UNetSettings) -> Pixels:
        resized = resize_long_side(image, round(max(image.shape[:2]) * scale))
        channels = with_channels(resized, unet.channels)
        planes = np.empty((unet.channels, *channels.shape[:2]), np.float32)
        mean, std = self.config.image_mean[: unet.channels], self.config.image_std[: unet.channels]
        normalize(channels, mean, std, planes)
        size = self.settings.crop_size
        return tiled(self._network, planes, input_size=size, output_size=self._center, fill=unet.fill)

    def _at_scale(self, images: Sequence[RgbImage], scale: float) -> list[Pixels]:
        """Return the probabilities ``(h, w, K)`` of each image at the size that it has at `scale`."""
        if self.config.unet:
            return [self._by_tiles(image, scale, self.config.unet) for image in images]
        target = self.settings.target(scale)
        # The shape is static, so a batch that is not full is filled with zeros, which nobody looks at.
        batch = np.zeros((self.batch_size, 3, target, target), np.float32)
        sizes = []
        for slot, image in zip(batch, images, strict=False):
            resized = resize_long_side(image, target)
            sizes.append(resized.shape[:2])
            normalize(resized, self.config.image_mean, self.config.image_std, slot)
        return [
            np.ascontiguousarray(planes[:, :height, :width].transpose(1, 2, 0))
            for planes, (height, width) in zip(self._network(batch), sizes, strict=False)
        ]

    def _run(self, batch: Pixels) -> Pixels:
        scores: Pixels = self._cell(Tensor(batch)).asnumpy()
        return scores


def load_segmenter(
    ckpt_path: Path,
    *,
    scales: tuple[float, ...],
    flip: bool,
    turn: bool,
    crop_size: int | None,
    batch_size: int | None,
    device_target: DeviceTarget,
) -> tuple[Segmenter, CheckpointInfo, LoadReport]:
    """Return the network of a checkpoint as a segmenter, the checkpoint's side file, and what was loaded: all.

    None for `crop_size` and `batch_size` means as in training.

    Raises:
        InvalidInputError: when the checkpoint is damaged or an input would be too small.
    """
    config = read_info(ckpt_path).config
    settings = EvalSettings(crop_size=crop_size or config.crop_size, scales=scales, flip=flip, turn=turn)
    prepare_device(device_target, seed=config.seed)
    network, info, report = load_network(ckpt_path)
    return Segmenter(network, config, settings, batch_size=batch_size or config.batch_size), info, report


def likeliest(probabilities: Pixels) -> npt.NDArray[np.uint8]:
    """Return the class ids ``(H, W)`` with the highest of the probabilities ``(H, W, K)``."""
    ids: npt.NDArray[np.uint8] = np.argmax(probabilities, axis=2).astype(np.uint8)
    return ids


class _Probabilities(nn.Cell):
    """Images ``(N, 3, H, W)`` to class probabilities ``(N, K, H, W)``."""

    def __init__(self, network: nn.Cell) -> None:
        super().__init__(auto_prefix=False)
        self.network = network

    def construct(self, images: Tensor) -> Tensor:
        return ops.softmax(self.network(images).astype(ms.float32), 1)
